"""Bodies and answers of the tracking plan's calls, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from analytics_api.domain.plan import PlanMode, PlannedType, UnknownTypes
from analytics_api.ingest.steps.text import LONGEST_TYPE
from analytics_api.store.plans import MOST_TYPES

_EXAMPLE_SCHEMA: Any = {
    "type": "object",
    "required": ["feature_name"],
    "properties": {"feature_name": {"type": "string"}, "action": {"enum": ["click", "view"]}},
}
MOST_IDS = 1_000


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control characters")
    return text


TypeName = Annotated[str, Field(min_length=1, max_length=LONGEST_TYPE), AfterValidator(_printable)]


class _Strict(BaseModel):
    # `schema` is a method of pydantic's models that nobody here calls.
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class TypePlan(_Strict):
    """What is expected of an event type."""

    model_config = ConfigDict(json_schema_extra={"example": {"schema": _EXAMPLE_SCHEMA}})

    schema_: dict[str, Any] = Field(
        alias="schema", description="JSON Schema (draft 2020-12) of `event_data`. Only #/... is referred to."
    )
    description: str = Field("", description="For people.")

    def planned(self) -> PlannedType:
        """The same in the domain's words."""
        return PlannedType(self.schema_, self.description)


class StoredTypePlan(TypePlan):
    """A registered event type."""

    event_type: str
    updated_at: datetime


class PlanBody(_Strict):
    """How a plan is applied and, when given, all its event types."""

    model_config = ConfigDict(json_schema_extra={"example": {"mode": "observe", "unknown_types": "allow"}})

    mode: PlanMode = Field(description="What happens to events that break the plan.")
    unknown_types: UnknownTypes = Field(
        UnknownTypes.SAME,
        description="`same`: events of types that are not in the plan break it; `allow`: they are accepted.",
    )
    event_types: dict[TypeName, TypePlan] | None = Field(
        None, max_length=MOST_TYPES, description="In place of all that are there; leave it out to keep those."
    )


class TrackingPlan(BaseModel):
    """A project's plan. Without one `version` is 0 and nothing is checked."""

    project: str
    mode: PlanMode
    unknown_types: UnknownTypes
    version: int = Field(description="Raised by every change.")
    updated_at: datetime | None
    event_types: dict[str, TypePlan]


class CheckBody(_Strict):
    """A schema to try on events that are stored."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"event_type": "feature_used", "schema": _EXAMPLE_SCHEMA}}
    )

    event_type: TypeName
    schema_: dict[str, Any] = Field(alias="schema")
    limit: int = Field(1_000, ge=1, le=10_000, description="Newest events of the type to look at.")


class BrokenPath(BaseModel):
    """A field that a schema finds wrong, and in how many events."""

    path: str
    events: int
    reason: str = Field(description="Of the newest one.")
    event_id: UUID = Field(description="The newest one.")


class CheckResult(BaseModel):
    """How many stored events a schema would break. At most 50 paths are listed."""

    event_type: str
    checked: int
    broken: int
    paths: list[BrokenPath]


class WarningItem(BaseModel):
    """Events that intake found odd in the same way."""

    kind: str
    event_type: str = Field(description="Empty where it is not known or not told apart.")
    path: str = Field(description="The field, without places in lists: `event_data.items[].price`.")
    count: int
    first_seen: datetime
    last_seen: datetime
    message: str
    sample: dict[str, Any] | None = Field(description="`event_data` of one event, cut to 1,000 bytes.")


class WarningList(BaseModel):
    """A project's warnings, the newest first."""

    project: str
    warnings: list[WarningItem]


class QuarantineItem(BaseModel):
    """An event in quarantine."""

    event_id: UUID
    event_type: str
    event_data: dict[str, Any]
    occurred_at: datetime
    received_at: datetime
    kind: str
    path: str
    reason: str


class QuarantinePage(BaseModel):
    """Events in quarantine, the oldest first."""

    project: str
    total: int
    by_event_type: dict[str, int]
    items: list[QuarantineItem]
    next: str | None = Field(description="`after` of the next page.")


class Choice(_Strict):
    """Which events: exactly one of `event_type`, `event_ids` and `all`."""

    model_config = ConfigDict(json_schema_extra={"example": {"event_type": "feature_used"}})

    event_type: TypeName | None = None
    event_ids: list[UUID] | None = Field(None, min_length=1, max_length=MOST_IDS)
    all: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.event_type is not None) + (self.event_ids is not None) + self.all != 1:
            raise ValueError("say exactly one of event_type, event_ids and all")
        return self


class ReleaseBody(Choice):
    """Which events, and whether the plan of now is asked."""

    force: bool = Field(False, description="Release them though they break the plan.")
    after: str | None = Field(None, description="`next` of the call before.")


class Released(BaseModel):
    """What became of the events looked at."""

    released: int
    duplicates: int = Field(description="The log had them already; they are gone from quarantine, too.")
    still_broken: int = Field(description="They break the plan of now and stay.")
    reasons: dict[str, int] = Field(description="Why, for up to 20 reasons.")
    next: str | None = Field(description="Where to go on (`after`); null when all were looked at.")


class Discarded(BaseModel):
    """How many events were deleted."""

    discarded: int

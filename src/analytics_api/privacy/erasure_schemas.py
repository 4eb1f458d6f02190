"""Bodies and answers of erasure and export, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from analytics_api.domain.erasure import JobKind, JobState, Stage
from analytics_api.domain.times import in_utc
from analytics_api.store.event_choice import EventChoice

Id = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Events(_Strict):
    """Events that meet every condition that is given."""

    event_types: list[Id] = Field([], max_length=200)
    since: Instant | None = Field(None, description="When they occurred; included.")
    until: Instant | None = Field(None, description="When they occurred; not included.")
    properties: dict[str, Any] = Field({}, description="What `event_data` must hold.", max_length=50)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.event_types or self.since or self.until or self.properties):
            raise ValueError("name at least one condition: event_types, since, until or properties")
        return self

    def choice(self) -> EventChoice:
        """The same in the store's words."""
        return EventChoice(
            since=self.since,
            until=self.until,
            event_types=tuple(self.event_types),
            properties=self.properties,
        )


class Whom(_Strict):
    """A person, or chosen events: exactly one of `user_id`, `anonymous_id` and `events`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"user_id": "user-42"}})

    user_id: Id | None = None
    anonymous_id: Id | None = None
    events: Events | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(one is not None for one in (self.user_id, self.anonymous_id, self.events)) != 1:
            raise ValueError("say exactly one of user_id, anonymous_id and events")
        return self


class ErasureBody(Whom):
    """What to erase or anonymise."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"user_id": "user-42", "dry_run": True}}
    )

    mode: JobKind = Field(
        JobKind.ERASE, description="`anonymise`: events stay, and are nobody's in particular."
    )
    dry_run: bool = Field(False, description="Only count what would go.")
    keep_out: bool = Field(True, description="Refuse events of an erased person from now on.")
    propagate: bool = Field(True, description="Have the destinations delete the person, too.")


class DryRun(BaseModel):
    """What would go. Nothing was changed."""

    persons: int = Field(description="Ids under which the person is known, or persons with chosen events.")
    rows: dict[str, int] = Field(description="Rows of each table.")
    destinations: list[str] = Field(description="Where the person would be deleted, too.")


class DestinationState(BaseModel):
    """How far the deletion at one destination is."""

    destination: str
    state: str = Field(description="`waiting`, `requested`, `done`, `failed` or `impossible`.")
    job_ids: list[str] = Field(description="The provider's own.")
    words: str
    requested_at: datetime | None
    ended_at: datetime | None


class PrivacyJobInfo(BaseModel):
    """A job. Whom it is about is forgotten when it is done; the report holds a hash of the id that was given."""

    id: int
    project: str
    kind: JobKind
    state: JobState
    stage: Stage
    events: int = Field(description="Events erased or anonymised so far.")
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    note: str | None = Field(description="What it waits for, or what went wrong at the last try.")
    destinations: list[DestinationState] = []


class JobList(BaseModel):
    """Jobs, the newest first."""

    project: str
    jobs: list[PrivacyJobInfo]
    next: int | None = Field(description="`before` of the next page.")


class SignedReport(BaseModel):
    """The report and an Ed25519 signature over its JSON with sorted keys and no spaces, in UTF-8."""

    report: dict[str, Any]
    algorithm: str
    signature: str
    public_key: str


class Lifted(BaseModel):
    """How many ids are let in again."""

    lifted: int

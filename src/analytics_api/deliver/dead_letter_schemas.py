"""What the calls about dead letters take and give, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from analytics_api.domain.outcome import DeadKind
from analytics_api.domain.times import in_utc
from analytics_api.store.dead_letters import DeadChoice

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]

_LETTER: dict[str, Any] = {
    "destination": "mixpanel",
    "replay": None,
    "seq": 1042,
    "event_id": "018f3f4e-0000-7000-8000-000000000001",
    "event_type": "page_view",
    "occurred_at": "2026-03-10T12:00:00Z",
    "died_at": "2026-03-10T12:00:31Z",
    "attempts": 1,
    "kind": "refused",
    "reason": "properties.distinct_id: is not valid",
    "discarded_at": None,
    "discard_reason": None,
}


class DeadLetterItem(BaseModel):
    """An event that a provider refused for good."""

    model_config = ConfigDict(json_schema_extra={"example": _LETTER})

    destination: str
    replay: int | None = Field(description="The replay that it died in; null among the live events.")
    seq: int
    event_id: UUID
    event_type: str
    occurred_at: datetime
    died_at: datetime
    attempts: int
    kind: DeadKind = Field(
        description="`refused` by the provider, `too_large` for it, or not sent because it has no `form` that the provider takes."
    )
    reason: str = Field(description="The provider's words, or ours where we refused in its place.")
    discarded_at: datetime | None
    discard_reason: str | None


class DeadLetterPage(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetterItem]
    next: str | None = Field(description="`after` of the next page; null on the last.")


class DeadLetterGroup(BaseModel):
    """Dead letters that died of the same."""

    destination: str
    replay: int | None
    kind: DeadKind
    event_type: str
    reason: str = Field(description="The words of one of them; numbers and ids in them may differ.")
    events: int
    first_died_at: datetime
    last_died_at: datetime


class DeadLetterGroups(BaseModel):
    """Counts of dead letters, the largest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "total": 12,
                "groups": [
                    {
                        "destination": "mixpanel",
                        "replay": None,
                        "kind": "refused",
                        "event_type": "page_view",
                        "reason": "properties.distinct_id: is not valid",
                        "events": 12,
                        "first_died_at": "2026-03-10T12:00:31Z",
                        "last_died_at": "2026-03-10T14:10:02Z",
                    }
                ],
            }
        }
    )

    total: int
    groups: list[DeadLetterGroup] = Field(description="At most 200.")


class ChooseDeadLetters(BaseModel):
    """Which dead letters of a destination: those named, or with `all` every one that meets the conditions given."""

    model_config = ConfigDict(extra="forbid")

    destination: Text
    event_ids: list[UUID] | None = Field(None, min_length=1, max_length=1000)
    all: bool = False
    replay: Number | None = Field(None, description="Only those of this replay.")
    kind: DeadKind | None = None
    event_type: Text | None = None
    text: Text | None = Field(None, description="What the words say somewhere, in whatever case.")
    since: Instant | None = Field(None, alias="from", description="Died then or later.")
    until: Instant | None = Field(None, description="Died before.")

    @model_validator(mode="after")
    def _one_of_both(self) -> ChooseDeadLetters:
        if self.all == (self.event_ids is not None):
            raise ValueError(
                "name event_ids, or set all to true for every dead letter that meets the conditions"
            )
        return self

    def to_choice(self) -> DeadChoice:
        """Without the destination. Who names events means discarded ones, too."""
        return DeadChoice(
            replay=self.replay,
            kind=self.kind,
            event_type=self.event_type,
            text=self.text,
            since=self.since,
            until=self.until,
            event_ids=self.event_ids,
            discarded=None if self.event_ids is not None else False,
        )


def _examples(**more: Any) -> ConfigDict:
    examples: list[Any] = [
        {"destination": "mixpanel", "event_ids": ["018f3f4e-0000-7000-8000-000000000001"], **more},
        {
            "destination": "mixpanel",
            "all": True,
            "text": "distinct_id",
            "from": "2026-03-10T00:00:00Z",
            **more,
        },
    ]
    return ConfigDict(extra="forbid", json_schema_extra={"examples": examples})


class RetryDeadLetters(ChooseDeadLetters):
    """Which dead letters to try again."""

    model_config = _examples()


class DiscardDeadLetters(ChooseDeadLetters):
    """Which dead letters to discard, and why."""

    model_config = _examples(reason="test accounts")

    reason: Text


class Retried(BaseModel):
    """What a retry did."""

    model_config = ConfigDict(json_schema_extra={"example": {"retried": 3}})

    retried: int = Field(description="Dead letters that wait for the next run now.")


class DeadLettersDiscarded(BaseModel):
    """What a discard did."""

    model_config = ConfigDict(json_schema_extra={"example": {"discarded": 3}})

    discarded: int

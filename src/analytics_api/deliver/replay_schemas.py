"""What the calls about replays take and give, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from analytics_api.deliver.replaying import FASTEST, USUAL_RATE, NewReplay

Name = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]
Moment = Annotated[str, StringConstraints(max_length=40)]
Rate = Annotated[int, Field(ge=1, le=FASTEST)]


class StartReplay(BaseModel):
    """Which events to send to which destination. Conditions that are left out choose all."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"destination": "mixpanel", "from": "2026-03-01", "until": "2026-03-07"},
                {"destination": "warehouse", "backfill": True, "events_per_second": 2000},
                {
                    "destination": "amplitude",
                    "from": "2026-03-10T14:00:00Z",
                    "until": "2026-03-10T16:00:00Z",
                    "time": "arrival",
                    "event_types": ["payment_completed"],
                    "properties": {"plan": "pro"},
                },
            ]
        },
    )

    destination: Name
    since: Moment | None = Field(
        None, alias="from", description="A date in the project's zone, or a time (ISO 8601)."
    )
    until: Moment | None = Field(None, description="The same; a date is included whole, a time is not.")
    time: Literal["occurrence", "arrival"] = Field(
        "occurrence", description="Which time of an event `from` and `until` mean."
    )
    event_types: Names = ()
    user_ids: Names = ()
    anonymous_ids: Names = Field((), description="Events of any of these users or devices.")
    properties: dict[Name, Any] = Field(
        default_factory=dict, max_length=20, description="What `event_data` must hold."
    )
    backfill: bool = Field(
        False, description="Only what was stored before the destination began with its live events."
    )
    allow_repetitions: bool = Field(
        False,
        description="Also send what the destination would count twice if it has had it: else such a replay is refused, and "
        "Mixpanel's `$add` and `$append` are left out.",
    )
    events_per_second: Rate = USUAL_RATE

    def to_new(self) -> NewReplay:
        """Without the destination's name."""
        return NewReplay(
            since=self.since,
            until=self.until,
            by_arrival=self.time == "arrival",
            event_types=self.event_types,
            user_ids=self.user_ids,
            anonymous_ids=self.anonymous_ids,
            properties=self.properties,
            backfill=self.backfill,
            allow_repetitions=self.allow_repetitions,
            events_per_second=self.events_per_second,
        )


class ChangeReplay(BaseModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"state": "paused"}})

    state: Literal["running", "paused", "cancelled"] | None = Field(
        None,
        description="`running` also lets a failed one go on, and one that waits after a failure try at once.",
    )
    events_per_second: Rate | None = None

    @model_validator(mode="after")
    def _something(self) -> ChangeReplay:
        if self.state is None and self.events_per_second is None:
            raise ValueError("name state, events_per_second or both")
        return self


class ReplayChoice(BaseModel):
    """The conditions of a replay."""

    since: datetime | None = Field(serialization_alias="from")
    until: datetime | None
    time: Literal["occurrence", "arrival"]
    event_types: tuple[str, ...]
    user_ids: tuple[str, ...]
    anonymous_ids: tuple[str, ...]
    properties: dict[str, Any]


class ReplayInfo(BaseModel):
    """A replay as it stands. done = delivered + skipped + dead + unknown; none of it is in the destination's live counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 7,
                "destination": "mixpanel",
                "state": "running",
                "reason": None,
                "choice": {
                    "from": "2026-03-01T00:00:00Z",
                    "until": "2026-03-08T00:00:00Z",
                    "time": "occurrence",
                    "event_types": [],
                    "user_ids": [],
                    "anonymous_ids": [],
                    "properties": {},
                },
                "backfill": False,
                "allow_repetitions": False,
                "events_per_second": 500,
                "estimated": 48211,
                "done": 12000,
                "delivered": 11950,
                "skipped": 49,
                "dead": 1,
                "unknown": 0,
                "parked": 3,
                "skipped_by_reason": {"filter": 49},
                "progress": 0.2489,
                "position": 60215,
                "end_position": 240117,
                "retry_at": None,
                "last_error": None,
                "created_at": "2026-03-10T12:00:00Z",
                "finished_at": None,
            }
        }
    )

    id: int
    destination: str
    state: str = Field(description="`running`, `paused`, `done`, `failed` or `cancelled`.")
    reason: str | None = Field(description="Why it is paused, waits or has failed.")
    choice: ReplayChoice
    backfill: bool
    allow_repetitions: bool
    events_per_second: int = Field(description="Most events that are sent in a second.")
    estimated: int | None = Field(
        description="Events chosen when it was made; null when counting took too long."
    )
    done: int
    delivered: int
    skipped: int
    dead: int = Field(description="Its dead letters that nobody has retried.")
    unknown: int
    parked: int = Field(description="Events that wait for another attempt, or behind one of the same person.")
    skipped_by_reason: dict[str, int]
    progress: float = Field(
        description="From 0 to 1: of the events, or of the log when they are not counted."
    )
    position: int = Field(description="Sequence number up to which the log has been read.")
    end_position: int = Field(description="The last sequence number of the replay.")
    retry_at: datetime | None = Field(description="After a failure: nothing is sent before.")
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


class ReplayList(BaseModel):
    """Replays, the newest first."""

    replays: list[ReplayInfo]
    next: int | None = Field(description="`before` of the next page; null on the last.")

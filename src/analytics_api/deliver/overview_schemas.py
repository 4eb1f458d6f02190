"""The answers of the overview and the reconciliation, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from analytics_api.deliver.report import DeliveryState
from analytics_api.store.delivery_window import Grain

_COUNTS: dict[str, Any] = {
    "received": 48213,
    "pending": 2,
    "parked": 2,
    "delivered": 48001,
    "skipped": 207,
    "dead": 1,
    "discarded": 0,
    "unknown": 0,
    "skipped_by_reason": {"no_person": 7, "filter": 200},
    "difference": 0,
}

_STATUS: dict[str, Any] = dict(
    destination="amplitude",
    state="running",
    reason=None,
    breaker="closed",
    position=48211,
    lag_seconds=3.2,
    oldest_received_at="2026-03-10T12:00:00Z",
    failures=0,
    retry_at=None,
    last_error="HTTP 503",
    last_error_at="2026-03-10T11:02:41Z",
    pending_complete=True,
    **_COUNTS,
    by_event_type={"page_view": _COUNTS},
)

_CELL: dict[str, Any] = dict(
    destination="amplitude", start="2026-03-10T12:00:00Z", event_type="page_view", **_COUNTS
)

_ANSWERED: dict[str, Any] = {
    "destination": "mixpanel",
    "replay": None,
    "start": "2026-03-10T00:00:00Z",
    "requests": 481,
    "sent": 48260,
    "unanswered": 100,
    "acknowledged": 48050,
    "acknowledged_as_number": 48050,
    "delivered_records": 48101,
    "delivered_events": 48001,
    "difference": -51,
    "reasons": {"repeated": 40, "duplicates": -91},
}

_DAY = {"project": "default", "by": "day", "from": "2026-03-10T00:00:00Z", "to": "2026-03-11T00:00:00Z"}


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": values})


class Breaker(StrEnum):
    """Whether requests flow."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """After a failure: nothing is sent until `retry_at`."""
    PROBING = "probing"
    """The next request is a small one, and opens or closes it."""


class EventCounts(BaseModel):
    """Where events are. received = pending + parked + delivered + skipped + dead + unknown + difference."""

    model_config = _example(**_COUNTS)

    received: int = Field(
        description="Events since the destination's start: those it has read, counted as it reads them, and the pending."
    )
    pending: int = Field(description="Events not read yet.")
    parked: int = Field(description="Events that wait for another attempt, or behind one of the same person.")
    delivered: int
    skipped: int
    dead: int = Field(description="Dead letters that nobody has retried, discarded ones included.")
    discarded: int = Field(description="Of the dead, those that somebody has discarded.")
    unknown: int = Field(description="Sent once without an answer where a repetition would count twice.")
    skipped_by_reason: dict[str, int]
    difference: int = Field(
        description="Always 0; anything else is a mistake in this software, please report it."
    )


class DestinationStatus(EventCounts):
    """How a destination stands."""

    model_config = _example(**_STATUS)

    destination: str
    state: DeliveryState
    reason: str | None = Field(description="Why it is paused, in the provider's words.")
    breaker: Breaker
    position: int = Field(description="Sequence number up to which the log has been read.")
    lag_seconds: float = Field(
        description="Age of the oldest event that is pending or parked; 0 when there is none."
    )
    oldest_received_at: datetime | None
    failures: int = Field(description="Failed attempts in a row.")
    retry_at: datetime | None = Field(
        description="Nothing is sent before; then one small request probes the provider."
    )
    last_error: str | None
    last_error_at: datetime | None
    pending_complete: bool = Field(
        description="False when more than a million are pending: then received and pending hold the oldest million of them."
    )
    by_event_type: dict[str, EventCounts]


class DeliveryOverview(BaseModel):
    """All destinations of a project."""

    model_config = _example(project="default", sandbox_mode=False, destinations=[_STATUS])

    project: str
    sandbox_mode: bool = Field(
        description="Whether providers' events are passed over and logged here instead."
    )
    destinations: list[DestinationStatus]


class BreakdownItem(EventCounts):
    """The events of a destination and type that arrived within an hour or day."""

    model_config = _example(**_CELL)

    destination: str
    start: datetime | None = Field(description="Beginning of the hour or the day, UTC; null with `by=total`.")
    event_type: str


class Breakdown(BaseModel):
    """Events by hour or day of their arrival, type and destination; newest first."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"example": {**_DAY, "items": [_CELL], "more": False, "pending_complete": True}},
    )

    project: str
    by: Grain
    first: datetime | None = Field(
        alias="from", description="The bounds that were used: whole hours or days, UTC."
    )
    last: datetime | None = Field(alias="to")
    items: list[BreakdownItem]
    more: bool = Field(description="There are more items than `limit`: ask for a shorter period.")
    pending_complete: bool = Field(
        description="False when more than a million are pending somewhere: then received and pending hold the oldest."
    )


class ReconciliationItem(BaseModel):
    """What a provider acknowledged within an hour or day, and what is held as delivered because of it."""

    model_config = _example(**_ANSWERED)

    destination: str
    replay: int | None = Field(description="The replay that was sent; null: the live events.")
    start: datetime | None = Field(
        description="Beginning of the hour or the day of the answers, UTC; null with `by=total`."
    )
    requests: int
    sent: int = Field(
        description="Records in these requests; an event may consist of several, such as its profile's."
    )
    unanswered: int = Field(description="Records whose answer was lost: the provider may have them.")
    acknowledged: int = Field(
        description="Records that the provider says it took, by a number or by a status that means all of them."
    )
    acknowledged_as_number: int = Field(description="Of them, those that its answers name as a number.")
    delivered_records: int = Field(description="The records of the events that are held as delivered.")
    delivered_events: int
    difference: int = Field(description="acknowledged - delivered_records; the sum of the reasons.")
    reasons: dict[str, int] = Field(
        description=(
            "`repeated`: acknowledged and sent again, because something else of the event was missing. `dead`, `unknown`: "
            "acknowledged, of events that ended so because of another record. `duplicates`: the provider left them out "
            "of its number and they had been sent before. `uncounted`: it left them out and does not say why."
        )
    )


class Reconciliation(BaseModel):
    """What is held as delivered against what the providers acknowledged; newest first."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"example": {**_DAY, "items": [_ANSWERED], "more": False}},
    )

    project: str
    by: Grain
    first: datetime | None = Field(
        alias="from", description="The bounds that were used: whole hours or days, UTC."
    )
    last: datetime | None = Field(alias="to")
    items: list[ReconciliationItem]
    more: bool = Field(description="There are more items than `limit`: ask for a shorter period.")

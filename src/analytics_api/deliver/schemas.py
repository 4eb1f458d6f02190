"""The answers of the delivery calls, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from analytics_api.deliver.report import DeliveryState


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": values})


class DestinationStatus(BaseModel):
    """How a destination stands. received = pending + parked + delivered + skipped + dead + unknown."""

    model_config = _example(
        destination="amplitude",
        state="running",
        reason=None,
        position=48211,
        pending=0,
        parked=2,
        lag_seconds=3.2,
        oldest_received_at="2026-03-10T12:00:00Z",
        failures=0,
        retry_at=None,
        last_error="HTTP 503",
        last_error_at="2026-03-10T11:02:41Z",
        delivered=48001,
        skipped=207,
        dead=1,
        unknown=0,
        skipped_by_reason={"no_person": 7, "filter": 200},
        by_event_type={"page_view": {"delivered": 48001, "skipped": 7}, "api_request": {"skipped": 200}},
    )

    destination: str
    state: DeliveryState
    reason: str | None = Field(description="Why it is paused, in the provider's words.")
    position: int = Field(description="Sequence number up to which the log has been read.")
    pending: int = Field(description="Events not read yet, counted up to a million.")
    parked: int = Field(description="Events that wait for another attempt, or behind one of the same person.")
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
    delivered: int
    skipped: int
    dead: int = Field(description="Dead letters that nobody has retried.")
    unknown: int = Field(description="Sent once without an answer where a repetition would count twice.")
    skipped_by_reason: dict[str, int]
    by_event_type: dict[str, dict[str, int]]


class DeliveryOverview(BaseModel):
    """All destinations of a project."""

    project: str
    sandbox_mode: bool = Field(
        description="Whether providers' events are passed over and logged here instead."
    )
    destinations: list[DestinationStatus]


class Resumed(BaseModel):
    """What a resume did."""

    model_config = _example(destination="amplitude", resumed=True)

    destination: str
    resumed: bool = Field(description="Whether it was paused.")


class SandboxItem(BaseModel):
    """A payload that was logged here instead of being sent."""

    model_config = _example(
        id=17,
        event_id="018f3f4e-0000-7000-8000-000000000001",
        event_type="feature_used",
        logged_at="2026-03-10T12:00:31Z",
        payload={"event_type": "feature_used", "event_data": {"feature_name": "image_generator"}},
    )

    id: int
    event_id: UUID
    event_type: str
    logged_at: datetime
    payload: dict[str, Any]


class SandboxPage(BaseModel):
    """The last payloads, newest first; a thousand are kept per project."""

    items: list[SandboxItem]
    next: int | None = Field(description="`before` of the next page; null on the last.")

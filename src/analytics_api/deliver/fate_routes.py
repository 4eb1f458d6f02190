"""GET /deliveries/events: what became of single events at every destination."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.deliver.fates import FateState, Judged, fates_of
from analytics_api.deliver.service import Destinations
from analytics_api.domain.event import StoredEvent
from analytics_api.routes import Routes

router = Routes(prefix="/deliveries/events", tags=["delivery"])

MOST = 100


class Fate(BaseModel):
    """What became of an event at a destination."""

    destination: str
    state: FateState = Field(
        description="`pending`: not read yet; `parked`: waits for another attempt; `before_start`: arrived before the destination's "
        "start; `open`: what is kept does not tell which of `possible` it was; the others as in `GET /deliveries`."
    )
    reason: str | None = Field(
        description="Why it was skipped, or waits; the provider's words for a dead one; of a discarded one, what was noted."
    )
    certain: bool = Field(
        description="`false`: by the rules of now, which were changed since the event arrived, or stand in the settings."
    )
    possible: list[str] = Field(description="Of an open one: the ends that it may have had, with reasons.")
    attempts: int | None = Field(description="Of a parked or dead one.")
    retry_at: datetime | None = Field(description="When a parked one is tried again.")
    died_at: datetime | None


class EventFates(BaseModel):
    """An event and what became of it at the destinations of its project."""

    seq: int
    event_id: UUID
    event_type: str
    destinations: list[Fate] = Field(description="By name. Replays are not looked at.")


class EventFatesFound(BaseModel):
    """Events that are in the log, by sequence number."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "events": [
                    {
                        "seq": 1841,
                        "event_id": "018f3f4e-0000-7000-8000-000000000001",
                        "event_type": "signup_completed",
                        "destinations": [
                            {
                                "destination": "mixpanel",
                                "state": "skipped",
                                "reason": "consent",
                                "certain": True,
                                "possible": [],
                                "attempts": None,
                                "retry_at": None,
                                "died_at": None,
                            }
                        ],
                    }
                ]
            }
        }
    )

    events: list[EventFates]


@router.get("", summary="What became of single events", response_model=EventFatesFound)
async def event_fates(
    request: Request,
    caller: ReadCaller,
    database: DatabaseOf,
    seq: Annotated[
        list[Annotated[int, Field(ge=1, le=2**63 - 1)]],
        Query(
            min_length=1,
            max_length=MOST,
            description="Sequence numbers, as `GET /events` answers them.",
            examples=[[1841]],
        ),
    ],
) -> EventFatesFound:
    """Of each event at each destination. Nothing is kept of an event that went well: its end is concluded from the destination's
    position, parked and dead events, from the counts of its type and hour of arrival, and from the destination's rules.
    """
    destinations: Destinations = request.app.state.services.destinations
    found = await fates_of(database, destinations, caller.project, seq)
    return EventFatesFound(events=[_event(event, judged) for event, judged in found])


def _event(event: StoredEvent, judged: list[Judged]) -> EventFates:
    return EventFates(
        seq=event.seq,
        event_id=event.event_id,
        event_type=event.event_type,
        destinations=[_fate(each) for each in judged],
    )


def _fate(judged: Judged) -> Fate:
    trace = judged.trace
    kept = trace.death or trace.wait
    return Fate(
        destination=trace.destination,
        state=judged.state,
        reason=judged.reason,
        certain=judged.certain,
        possible=list(judged.possible),
        attempts=None if kept is None else kept.attempts,
        retry_at=None if trace.wait is None else trace.wait.retry_at,
        died_at=None if trace.death is None else trace.death.died_at,
    )

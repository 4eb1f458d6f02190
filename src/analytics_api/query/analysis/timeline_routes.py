"""GET /persons/{person}/timeline: what one person did."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.errors import NotFound, Unprocessable
from analytics_api.query.analysis.answers import Person
from analytics_api.query.analysis.asking import person_answer
from analytics_api.query.metrics import as_number, as_utc
from analytics_api.routes import Routes
from analytics_api.store.analysis.timeline import Place, events_of, find_person, members

MOST_EVENTS = 500

router = Routes(prefix="/persons", tags=["analysis"])


class TimelineEvent(BaseModel):
    """An event as it is stored."""

    event_id: UUID
    event_type: str
    occurred_at: datetime
    received_at: datetime
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    event_data: dict[str, Any]
    context: dict[str, Any]
    revenue: float | None
    currency: str | None
    is_bot: bool


class Timeline(BaseModel):
    """A page of a person's events, newest first."""

    person: Person
    also: list[UUID] = Field(description="Further ids that the person had before they became one.")
    events: list[TimelineEvent]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null on the last one."
    )


@router.get("/{person}/timeline", summary="What one person did", response_model=Timeline)
async def timeline(
    caller: ReadCaller,
    database: DatabaseOf,
    person: Annotated[str, Path(max_length=512, description="A person_id, user_id or anonymous_id.")],
    event_type: Annotated[
        list[str] | None, Query(max_length=50, description="Only these types; may be repeated.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 100,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before.")
    ] = None,
) -> dict[str, Any]:
    """All stored events of the person, under whichever id they were sent."""
    behind = None if cursor is None else _place(cursor)
    async with database.read() as connection:
        found = None if "\0" in person else await find_person(connection, caller.project, person)
        if found is None:
            raise NotFound(f"Nobody in this project has the id {person!r}.")
        everyone = await members(connection, found.person_id)
        types = [name for name in event_type or [] if "\0" not in name]
        rows = await events_of(connection, caller.project, everyone, types, behind, limit + 1)
    page = rows[:limit]
    return {
        "person": person_answer(found),
        "also": everyone[1:],
        "events": [_event(row) for row in page],
        "next_cursor": f"{page[-1].occurred_at.isoformat()},{page[-1].seq}" if len(rows) > limit else None,
    }


def _event(row: Any) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in TimelineEvent.model_fields},
        "occurred_at": as_utc(row.occurred_at),
        "received_at": as_utc(row.received_at),
        "revenue": as_number(row.revenue),
    }


def _place(cursor: str) -> Place:
    moment, _, seq = cursor.partition(",")
    place = None
    with suppress(ValueError):
        place = Place(datetime.fromisoformat(moment), int(seq))
    if place is None or place.occurred_at.tzinfo is None or not 0 <= place.seq < 2**63:
        raise Unprocessable("cursor: give the next_cursor of the page before.")
    return place

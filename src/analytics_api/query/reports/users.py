"""People in a window (S4): a list of all, and one person."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.measures import Measure
from analytics_api.errors import NotFound, Unprocessable
from analytics_api.query.metrics import as_utc
from analytics_api.query.reports.measures import events, plain, rows, values, window_answer
from analytics_api.query.reports.overall import ACTIONS, actions_answer
from analytics_api.store.reports.persons import find_person, ids_of, profiles, sessions_of
from analytics_api.store.reports.table import PERSON, By, Number, table, totals
from analytics_api.store.reports.window import Window

LATEST_SESSIONS = 20
_OF_PERSON: dict[str, Measure] = {
    "events": events(),
    "page_views": events(EventType.PAGE_VIEW.value),
    **{name: measure for name, measure in ACTIONS.items() if name != "sharers"},
}


async def users(
    connection: AsyncConnection, window: Window, limit: int, cursor: str | None
) -> dict[str, Any]:
    """The answer of GET /users: those with most events first."""
    after = None if cursor is None else _parse_cursor(cursor)
    found = await table(connection, window, PERSON, _OF_PERSON, limit=limit + 1, after=after)
    page = found.rows[:limit]
    known = await profiles(connection, window, [UUID(row.key) for row in page])
    last = page[-1] if len(found.rows) > limit else None
    return {
        "window": window_answer(window),
        "total": found.all,
        "users": [
            {**_profile(known[UUID(row.key)]), **_done(row.values)} for row in page if UUID(row.key) in known
        ],
        "next_cursor": None if last is None else f"{last.values['events']}:{last.key}",
    }


async def user(connection: AsyncConnection, window: Window, given: str) -> dict[str, Any]:
    """The answer of GET /users/{id}. Raises NotFound."""
    person = await find_person(connection, window.project, given)
    if person is None:
        raise NotFound(f"There is no person {given!r} in this project.")
    ids = await ids_of(connection, person)
    known = (await profiles(connection, window, [person]))[person]
    types = await table(
        connection, window, By.path("event_type"), {"events": events()}, persons=ids, limit=100
    )
    views = {"views": events(EventType.PAGE_VIEW.value)}
    visited = By.path("event_data.path", "context.page.path", known=True)
    return {
        "window": window_answer(window),
        **_profile(known),
        "properties": known.properties,
        "first_touch": known.first_touch,
        **_done(await totals(connection, window, _OF_PERSON, persons=ids)),
        "event_types": rows(types, "event_type"),
        "popular_pages": rows(await table(connection, window, visited, views, persons=ids), "path"),
        "latest_sessions": [
            {
                "started_at": as_utc(row.started_at),
                "seconds": (row.ended_at - row.started_at).total_seconds(),
                "events": row.events,
                "page_views": row.page_views,
            }
            for row in await sessions_of(connection, window, person, LATEST_SESSIONS)
        ],
    }


def _profile(row: Any) -> dict[str, Any]:
    return {
        "person_id": str(row.person_id),
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "first_seen_at": as_utc(row.first_seen_at),
        "last_seen_at": as_utc(row.last_seen_at),
        "sessions": row.sessions,
        "average_session_seconds": plain(row.seconds / row.sessions) if row.sessions else None,
    }


def _done(found: dict[str, Number]) -> dict[str, Any]:
    counts = {name: found[name] for name in ("events", "page_views", "shares", "recipients")}
    return {**values(counts), **actions_answer(found)}


def _parse_cursor(given: str) -> tuple[Decimal, str]:
    count, _, person = given.partition(":")
    try:
        return Decimal(int(count)), str(UUID(person))
    except (ValueError, InvalidOperation):
        raise Unprocessable("cursor: send `next_cursor` of the page before as it is.") from None

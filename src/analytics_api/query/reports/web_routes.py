"""GET /pages, /sources, /geo, /sessions, /events and /api-traffic."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query
from starlette.responses import Response

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.domain.event import EventType
from analytics_api.domain.times import in_utc
from analytics_api.errors import Unprocessable
from analytics_api.query.events import event_answer
from analytics_api.query.filtering import EventTypes, FiltersOf, check_filters
from analytics_api.query.metrics import as_utc
from analytics_api.query.reports import examples
from analytics_api.query.reports.measures import events, persons, plain, rows, window_answer
from analytics_api.query.reports.overall import page_rows, session_answer, source_rows
from analytics_api.query.reports.routes import FilteredWindowOf, UnfilteredWindowOf, answered
from analytics_api.query.reports.traffic import api_traffic as traffic_answer
from analytics_api.query.routes import IncludeBots, Rules
from analytics_api.routes import Routes
from analytics_api.store.event_pages import EventChoice, newest
from analytics_api.store.reports.lists import session_page
from analytics_api.store.reports.persons import find_person, ids_of
from analytics_api.store.reports.table import By, table
from analytics_api.store.reports.visits import pages as pages_of
from analytics_api.store.reports.visits import sessions as sessions_of

router = Routes(tags=["reports"])

DEFAULT_DAYS = timedelta(days=30)
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")]
Place = Annotated[str, Query(pattern="^(country|region|city)$", description="country, region or city.")]


@router.get("/pages", summary="Pages and the time on them", responses=examples.PAGES)
async def pages(window: FilteredWindowOf, database: DatabaseOf, limit: Limit = 100) -> Response:
    """Views, visitors, entries, exits and average time by path, most views first."""
    async with database.read() as connection:
        found = await pages_of(connection, window, limit)
    return answered({"window": window_answer(window), "total": found.all, "pages": page_rows(found)})


@router.get("/sources", summary="Where page views come from", responses=examples.SOURCES)
async def sources(window: FilteredWindowOf, database: DatabaseOf, limit: Limit = 100) -> Response:
    """By channel, site and UTM parameter (docs/enrichment.md)."""
    async with database.read() as connection:
        return answered({"window": window_answer(window), **await source_rows(connection, window, limit)})


@router.get("/geo", summary="Where people are", responses=examples.GEO)
async def geo(
    window: FilteredWindowOf, database: DatabaseOf, by: Place = "country", limit: Limit = 100
) -> Response:
    """People, page views and events by country, region or city. Null: not known."""
    wanted = {
        "users": persons(),
        "page_views": events(EventType.PAGE_VIEW.value),
        "events": events(),
    }
    async with database.read() as connection:
        found = await table(connection, window, By.path(f"context.{by}"), wanted, limit=limit)
    return answered({"window": window_answer(window), "total": found.all, "places": rows(found, by)})


@router.get("/sessions", summary="Sessions, one by one", responses=examples.SESSIONS)
async def sessions(
    window: FilteredWindowOf, database: DatabaseOf, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Sessions that began in the window, newest first."""
    after = None if cursor is None else _parse_cursor(cursor)
    async with database.read() as connection:
        visits = await sessions_of(connection, window)
        found = await session_page(connection, window, limit + 1, after)
    page = found[:limit]
    return answered(
        {
            "window": window_answer(window),
            "total": visits.sessions,
            "average_session_seconds": session_answer(visits)["average_session_seconds"],
            "bounces": visits.single_page,
            "sessions": [_session(row) for row in page],
            "next_cursor": _cursor(page[-1]) if len(found) > limit else None,
        }
    )


@router.get("/events", summary="Events, one by one", responses=examples.EVENTS)
async def explorer(
    caller: ReadCaller,
    database: DatabaseOf,
    rules: Rules,
    filters: FiltersOf,
    types: EventTypes = [],  # noqa: B006
    person: Annotated[
        str | None, Query(max_length=500, description="User id, anonymous id, or person_id.")
    ] = None,
    since: Annotated[
        datetime | None,
        Query(description="With a zone; default: 30 days ago.", examples=["2026-03-01T00:00:00Z"]),
    ] = None,
    until: Annotated[datetime | None, Query(description="With a zone; excluded.")] = None,
    limit: Limit = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next_cursor` of the page before.")
    ] = None,
    include_bots: IncludeBots = True,
) -> Response:
    """The newest arrivals first, also those that no rollup has counted yet."""
    begins, ends = aware(since, "since") or rules.clock() - DEFAULT_DAYS, aware(until, "until")
    async with database.read() as connection:
        await check_filters(connection, filters)
        ids = None
        if person is not None:
            found = await find_person(connection, caller.project, person)
            ids = [] if found is None else await ids_of(connection, found)
        choice = EventChoice(
            caller.project.id, tuple(types), filters, begins, ends, ids, include_bots=include_bots
        )
        listed = await newest(connection, choice, limit + 1, before=cursor)
    page = listed[:limit]
    return answered(
        {
            "events": [event_answer(row) for row in page],
            "next_cursor": page[-1].seq if len(listed) > limit else None,
        }
    )


@router.get("/api-traffic", summary="Requests and how they went", responses=examples.TRAFFIC)
async def api_traffic(window: UnfilteredWindowOf, database: DatabaseOf) -> Response:
    """From `api_request` events, of this API and of applications with the client's middleware, and from counted requests."""
    async with database.read() as connection:
        return answered(await traffic_answer(connection, window))


def aware(given: datetime | None, name: str) -> datetime | None:
    """A time with a zone. Raises Unprocessable."""
    if given is not None and given.tzinfo is None:
        raise Unprocessable(f"{name}: say the zone, too, as in 2026-03-01T00:00:00Z.")
    try:
        return given and in_utc(given)
    except ValueError as error:
        raise Unprocessable(f"{name}: {error}.") from None


def _session(row: Any) -> dict[str, Any]:
    return {
        "person_id": str(row.person_id),
        "user_id": row.user_id,
        "device": row.device or None,
        "started_at": as_utc(row.started_at),
        "ended_at": as_utc(row.ended_at),
        "seconds": plain((row.ended_at - row.started_at).total_seconds()),
        "events": row.events,
        "page_views": row.page_views,
    }


def _cursor(row: Any) -> str:
    text = orjson.dumps([row.started_at, str(row.person_id), row.device])
    return base64.urlsafe_b64encode(text).decode()


def _parse_cursor(given: str) -> tuple[datetime, UUID, str]:
    try:
        started_at, person, device = orjson.loads(base64.urlsafe_b64decode(given))
        found = datetime.fromisoformat(started_at), UUID(person), str(device)
        if found[0].tzinfo is None or "\0" in device:
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise Unprocessable("cursor: send `next_cursor` of the page before as it is.") from None
    return found

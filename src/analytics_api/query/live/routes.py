"""GET /live, /live/stream and /events/stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import Header, Query, Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response, StreamingResponse

from analytics_api.access.authenticator import Authenticator
from analytics_api.access.caller import Caller
from analytics_api.access.dependencies import DatabaseOf, FiguresCaller, ReadCaller
from analytics_api.errors import AnalyticsError, Unprocessable
from analytics_api.query.filtering import EventTypes, FiltersOf, check_filters
from analytics_api.query.live.hub import LiveHub
from analytics_api.query.live.streams import counter_stream, event_stream
from analytics_api.query.metrics import FigureRules
from analytics_api.query.reports import examples
from analytics_api.query.reports.realtime import live_counters
from analytics_api.query.reports.routes import answered
from analytics_api.query.routes import IncludeBots, Rules
from analytics_api.routes import Routes
from analytics_api.store.engine import Database
from analytics_api.store.event_pages import EventChoice
from analytics_api.store.reports.window import Window

logger = logging.getLogger(__name__)

router = Routes(tags=["live"])

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": "id: 7\nevent: event\ndata: {}\n\n",
            }
        },
    }
}


async def _counters(database: Database, rules: FigureRules, caller: Caller, bots: bool) -> dict[str, Any]:
    window = Window.of_hours(caller.project, 0.5, rules.clock(), include_bots=bots)
    async with database.read() as connection:
        return await live_counters(connection, window)


@router.get("/live", summary="Counters of the last half hour", responses=examples.LIVE)
async def live(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, include_bots: IncludeBots = False
) -> Response:
    """Active now (an active event in the last 5 minutes), by minute, and what they look at, where and from where."""
    return answered(await _counters(database, rules, caller, include_bots))


@router.get("/live/stream", summary="The counters as a stream", responses=_STREAMED)
async def live_stream(
    request: Request,
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    include_bots: IncludeBots = False,
) -> Response:
    """`event: counters` whenever they have changed, at most once a second."""
    hub: LiveHub = request.app.state.live

    async def make() -> bytes:
        return orjson.dumps(await _counters(database, rules, caller, include_bots))

    async def recheck() -> None:
        await _caller(request, caller)

    return _streamed(hub, counter_stream(hub, make, (caller.project.id, include_bots), recheck))


@router.get("/events/stream", summary="Events as they come", responses=_STREAMED)
async def events_stream(
    request: Request,
    caller: ReadCaller,
    database: DatabaseOf,
    filters: FiltersOf,
    types: EventTypes = [],  # noqa: B006
    include_bots: IncludeBots = False,
    after: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="Begin behind this id; default: now.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The last id that was seen: nothing behind it is left out.")
    ] = None,
) -> Response:
    """Each event once, in the order of the log, after it is counted; its `seq` is its id. History that is imported is left out."""
    hub: LiveHub = request.app.state.live
    async with database.read() as connection:
        await check_filters(connection, filters)
    choice = EventChoice(caller.project.id, tuple(types), filters, include_bots=include_bots, live=True)

    async def recheck() -> None:
        await _caller(request, caller)

    begin = after if last_event_id is None else _parse_id(last_event_id)
    return _streamed(hub, event_stream(hub, database, choice, begin, recheck))


def _parse_id(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise Unprocessable("Last-Event-ID: send the id of an event of this stream.")
    return int(given)


async def _caller(request: Request, before: Caller) -> None:
    """Raises when the key or the login has ended meanwhile."""
    authenticator: Authenticator = request.app.state.authenticator
    await authenticator.caller(request, project=before.project.slug)


def _streamed(hub: LiveHub, parts: AsyncIterator[bytes]) -> Response:
    # Before the answer begins: who is one too many is told so with a status.
    hub.check_room()

    async def body() -> AsyncIterator[bytes]:
        try:
            async with hub.listener():
                async for part in parts:
                    yield part
        except AnalyticsError as error:
            yield b"event: end\ndata: %b\n\n" % orjson.dumps(error.problem())
        except (DBAPIError, OSError, TimeoutError) as error:
            # The client comes again with the id of the last event it has.
            logger.warning("a stream ends because the database is away: %s", error)

    return StreamingResponse(
        body(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )

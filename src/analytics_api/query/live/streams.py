"""Server-sent events: each listener reads the log for itself from where it is, so nothing is queued and nothing lost.

One who reads slowly holds a page of events at most; one who does not read at all is dropped by the server and goes on
later with the id of the last event it has (`Last-Event-ID`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson

from analytics_api.query.events import event_answer
from analytics_api.query.live.hub import LiveHub
from analytics_api.store.engine import Database
from analytics_api.store.event_pages import EventChoice, following
from analytics_api.store.metrics.days import rollup_position

PAGE = 200
STRETCH = 200_000
"""Sequence numbers that one query looks through at most."""
BEAT_SECONDS = 15.0
COUNTERS_SECONDS = 5.0
"""Counters also change because time goes on."""
RETRY = b"retry: 2000\n\n"

Recheck = Callable[[], Awaitable[object]]
"""Raises when the caller may not listen any more."""


async def event_stream(
    hub: LiveHub, database: Database, choice: EventChoice, after: int | None, recheck: Recheck
) -> AsyncIterator[bytes]:
    """Events behind `after` in the order of the log, then those that come; None begins now."""
    yield RETRY
    position, beat = after, 0.0
    while not hub.stopping:
        seen, now = hub.wakes, asyncio.get_running_loop().time()
        events, upto, more = await _page(database, choice, position)
        if events:
            yield b"".join(events)
        if now >= beat:
            await recheck()
            # An id without data moves what the client would send as Last-Event-ID.
            yield b"id: %d\n: beat\n\n" % upto
            beat = now + BEAT_SECONDS
        position = upto
        if not more:
            await hub.wait(seen)


async def _page(
    database: Database, choice: EventChoice, position: int | None
) -> tuple[list[bytes], int, bool]:
    """Events, up to where all was seen, and whether there is more to see."""
    async with database.read() as connection:
        counted = await rollup_position(connection, choice.project_id) or 0
        if position is None or position >= counted:
            return [], counted if position is None else position, False
        upto = min(counted, position + STRETCH)
        rows = await following(connection, choice, PAGE, after=position, upto=upto)
    events = [
        b"id: %d\nevent: event\ndata: %b\n\n" % (row.seq, orjson.dumps(event_answer(row))) for row in rows
    ]
    if len(rows) == PAGE:
        return events, rows[-1].seq, True
    return events, upto, upto < counted


async def counter_stream(
    hub: LiveHub, make: Callable[[], Awaitable[bytes]], key: object, recheck: Recheck
) -> AsyncIterator[bytes]:
    """The counters, again when they have changed."""
    yield RETRY
    last, beat = b"", 0.0
    while not hub.stopping:
        seen, now = hub.wakes, asyncio.get_running_loop().time()
        counters = await hub.shared(key, make)
        if counters != last:
            yield b"event: counters\ndata: %b\n\n" % counters
            last = counters
        if now >= beat:
            await recheck()
            yield b": beat\n\n"
            beat = now + BEAT_SECONDS
        await hub.wait(seen, COUNTERS_SECONDS)

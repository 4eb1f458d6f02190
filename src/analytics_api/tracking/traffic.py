"""Where the notes of requests go: product calls become events, the others are counted per minute."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from analytics_api.domain.api_request import ApiRequest
from analytics_api.store.engine import Database
from analytics_api.store.traffic import NO_PROJECT, MinuteCount, MinuteKey, add_requests
from analytics_api.telemetry import Occasionally, observe_request, untracked_requests
from analytics_api.tracking.middleware import Sink

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
WRITE_SECONDS = 5.0
"""A database that takes longer is as good as away; a stopping process waits no longer for it."""

MOST_KEYS = 10_000
"""Distinct counts held while the database is away (measured: 3.2 MB); further ones are dropped and counted as dropped."""

UNKNOWN_CALLER = "(unknown)"


def sort_requests(*, track: Sink | None, count: Sink, intake: Collection[str]) -> Sink:
    """A sink that gives product calls to `track` and the others to `count`.

    Counted are: calls of `intake` (such as `POST /api/v1/analytics/events`), each of which would otherwise write a
    second event; event streams; requests without a known caller, because they belong to no project and anybody may
    send any number of them. Without `track` everything is counted.
    """
    counted = frozenset(intake)

    def sink(request: ApiRequest) -> None:
        observe_request(request.method, request.route, request.status, request.seconds)
        if (
            track is None
            or request.project is None
            or request.streamed
            or f"{request.method} {request.route}" in counted
        ):
            count(request)
        else:
            track(request)

    return sink


class TrafficCounter:
    """Counts requests per minute in memory and adds them to `request_minutes` every few seconds."""

    def __init__(self, *, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._counts: dict[MinuteKey, MinuteCount] = {}
        self._minute = self._next_minute = datetime.min.replace(tzinfo=UTC)
        self._database: Database | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._may_log = Occasionally()

    def add(self, request: ApiRequest) -> None:
        """Count a request."""
        key = MinuteKey(
            request.project.id if request.project is not None else NO_PROJECT,
            self._minute_of(request.at),
            request.method,
            request.route,
            request.status,
            request.caller or UNKNOWN_CALLER,
        )
        held = self._counts.get(key)
        if held is None:
            self._add(key, MinuteCount(1, request.seconds, request.seconds))
            return
        held.requests += 1
        held.seconds += request.seconds
        if request.seconds > held.slowest:
            held.slowest = request.seconds

    def _minute_of(self, moment: datetime) -> datetime:
        # Nearly always that of the request before.
        if not self._minute <= moment < self._next_minute:
            self._minute = moment.replace(second=0, microsecond=0)
            self._next_minute = self._minute + timedelta(minutes=1)
        return self._minute

    def _add(self, key: MinuteKey, count: MinuteCount) -> None:
        held = self._counts.get(key)
        if held is not None:
            held.add(count)
        elif len(self._counts) < self._most_keys:
            self._counts[key] = count
        else:
            untracked_requests.inc(count.requests)

    def start(self, database: Database, *, seconds: float = FLUSH_SECONDS) -> None:
        """Begin to write to an open database."""
        self._database = database
        self._task = asyncio.create_task(self._run(seconds), name="traffic-counter")

    async def stop(self) -> None:
        """Write what is counted, then stop."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def run_once(self) -> int:
        """Write what is counted and return how many rows that were.

        When the database refuses, the counts are kept for the next time. Should it have stored them all the same and
        lost only its answer, they are counted twice: these are figures of operation, not of the product.
        """
        if self._database is None or not self._counts:
            return 0
        counts, self._counts = self._counts, {}
        try:
            async with asyncio.timeout(WRITE_SECONDS), self._database.acquire() as connection:
                await add_requests(connection, counts)
        except BaseException:
            for key, count in counts.items():
                self._add(key, count)
            raise
        return len(counts)

    async def _run(self, seconds: float) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            await self._try()
        # Once more, should it have been stopped before it began.
        await self._try()

    async def _try(self) -> None:
        try:
            await self.run_once()
        except Exception as error:
            if self._may_log():
                logger.warning("requests per minute could not be stored: %s: %s", type(error).__name__, error)

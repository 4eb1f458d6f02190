"""Intake's way into the quarantine: as into the log, arrivals share a transaction and are answered after its commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from analytics_api.domain.plan import HeldEvent
from analytics_api.errors import Unavailable
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY, BAD_DATA, TRY_AGAIN
from analytics_api.store.quarantine import hold

logger = logging.getLogger(__name__)

FULL_GROUP = 500
RETRY_SECONDS = 5.0
"""How long a group waits for a database that is away before its senders are told to come again."""

Outcome = bool | str
"""True: held. False: held or stored already. Text: why the database refused the row."""


@dataclass(slots=True)
class _Submission:
    events: Sequence[HeldEvent]
    size: int
    done: asyncio.Future[list[Outcome]]


class Holder:
    """Puts events into quarantine, one group at a time."""

    def __init__(self, database: Database, *, queue_bytes: int) -> None:
        self._database = database
        self._queue_bytes = queue_bytes
        self._held_bytes = 0
        self._queue: deque[_Submission] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="quarantine-writer")

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def hold(self, events: Sequence[HeldEvent]) -> list[Outcome]:
        """Put events into quarantine; what returns is committed. Raises Unavailable when it was not, or not surely."""
        size = sum(one.event.size for one in events)
        if self._closing or self._task is None or self._task.done():
            raise Unavailable("The server is stopping; send the same request again.")
        if self._held_bytes and self._held_bytes + size > self._queue_bytes:
            raise Unavailable("The intake queue is full; send the same request again.")
        self._held_bytes += size
        submission = _Submission(events, size, asyncio.get_running_loop().create_future())
        self._queue.append(submission)
        self._wake.set()
        return await submission.done

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = self._take()
            try:
                await self._serve(group)
            except Exception as error:
                if not isinstance(error, Unavailable):
                    logger.exception("a group of events could not be put into quarantine")
                    error = Unavailable(f"The events could not be stored: {type(error).__name__}.")
                for submission in group:
                    if not submission.done.done():
                        submission.done.set_exception(error)
            finally:
                self._held_bytes -= sum(submission.size for submission in group)

    def _take(self) -> list[_Submission]:
        group = [self._queue.popleft()]
        rows = len(group[0].events)
        while self._queue and rows + len(self._queue[0].events) <= FULL_GROUP:
            group.append(self._queue.popleft())
            rows += len(group[-1].events)
        return group

    async def _serve(self, group: Sequence[_Submission]) -> None:
        outcomes = await self._write([one for submission in group for one in submission.events])
        at = 0
        for submission in group:
            end = at + len(submission.events)
            if not submission.done.done():
                submission.done.set_result(outcomes[at:end])
            at = end

    async def _write(self, events: Sequence[HeldEvent]) -> list[Outcome]:
        """Write all at once; when a row is bad, halve until it stands alone, so that it fails alone."""
        try:
            return [*await self._write_with_retry(events)]
        except BAD_DATA as error:
            if len(events) == 1:
                return [f"the database refused this event: {str(error)[:200]}"]
        middle = len(events) // 2
        return [*await self._write(events[:middle]), *await self._write(events[middle:])]

    async def _write_with_retry(self, events: Sequence[HeldEvent]) -> list[bool]:
        """One statement, whose repetition is harmless: what the first try stored is then held already.

        Such a repeated row is answered as a duplicate, which says as truly that it is safe.
        """
        give_up = time.monotonic() + RETRY_SECONDS
        wait = 0.02
        while True:
            try:
                async with self._database.acquire() as connection:
                    return await hold(connection, events)
            except asyncpg.InterfaceError as error:
                if isinstance(error, ValueError):
                    raise
                failure: Exception = error
            except (*TRY_AGAIN, *AWAY) as error:
                failure = error
            if time.monotonic() > give_up or self._closing:
                logger.error("the database is away: %s", failure)
                raise Unavailable("The database is away; send the same request again.") from failure
            await asyncio.sleep(wait)
            wait = min(wait * 2, 0.5)

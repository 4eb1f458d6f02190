"""Group commit: while one transaction is being written, arrivals queue; when it commits, all that queued goes in the next.

An idle server adds no latency, a busy one writes thousands of rows per commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from analytics_api.domain.event import NewEvent
from analytics_api.errors import Unavailable
from analytics_api.store.engine import Database
from analytics_api.store.groups import CommitUnknown, ensure_partitions, write_group
from analytics_api.store.partitions import Partitions
from analytics_api.telemetry import intake_queue_bytes, write_group_events, write_group_seconds

logger = logging.getLogger(__name__)

LARGEST_GROUP = 10_000
RETRY_SECONDS = 5.0
"""How long a group waits for a database that is away before its senders are told to come again."""

_TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_BAD_ROW = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    TypeError,
    OverflowError,
)
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresIOError,
    asyncpg.InternalServerError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

Outcome = bool | str
"""True: stored. False: a duplicate. Text: why the database refused the row."""


@dataclass(slots=True)
class _Submission:
    events: Sequence[NewEvent]
    size: int
    done: asyncio.Future[list[Outcome]]


class Writer:
    """The one way into the log of this process."""

    def __init__(self, database: Database, partitions: Partitions, *, queue_bytes: int) -> None:
        self._database = database
        self._partitions = partitions
        self._queue_bytes = queue_bytes
        self._queue: deque[_Submission] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def queued_bytes(self) -> int:
        """Bytes of events that wait or are being written."""
        return self._queued

    @property
    def alive(self) -> bool:
        """Whether the writing task runs."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="log-writer")
        intake_queue_bytes.set_function(lambda: self._queued)

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._disconnect()

    async def write(self, events: Sequence[NewEvent]) -> list[Outcome]:
        """Store events; what returns is committed. Raises Unavailable when they were not, or not surely, stored."""
        if not events:
            return []
        size = sum(event.size for event in events)
        if self._closing or not self.alive:
            raise Unavailable("The server is stopping; send the same request again.")
        if self._queued and self._queued + size > self._queue_bytes:
            raise Unavailable("The intake queue is full; send the same request again.")
        self._queued += size
        submission = _Submission(events, size, asyncio.get_running_loop().create_future())
        self._queue.append(submission)
        self._wake.set()
        # A sender that hangs up cancels only its own answer: its events are in a group with others.
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
                logger.exception("a group of events could not be written")
                _fail(group, Unavailable(f"The events could not be stored: {type(error).__name__}."))
            finally:
                self._queued -= sum(submission.size for submission in group)

    def _take(self) -> list[_Submission]:
        group = [self._queue.popleft()]
        rows = len(group[0].events)
        while self._queue and rows + len(self._queue[0].events) <= LARGEST_GROUP:
            group.append(self._queue.popleft())
            rows += len(group[-1].events)
        return group

    async def _serve(self, group: list[_Submission]) -> None:
        events = [event for submission in group for event in submission.events]
        try:
            outcomes = await self._write_or_bisect(events)
        except Unavailable as error:
            _fail(group, error)
            return
        at = 0
        for submission in group:
            end = at + len(submission.events)
            if not submission.done.done():
                submission.done.set_result(outcomes[at:end])
            at = end

    async def _write_or_bisect(self, events: Sequence[NewEvent]) -> list[Outcome]:
        """Write all at once; when a row is bad, halve until it stands alone, so that it fails alone."""
        try:
            return [*await self._write_with_retry(events)]
        except _BAD_ROW as error:
            if len(events) == 1:
                logger.warning("the database refused an event of type %r: %s", events[0].event_type, error)
                return [f"the database refused this event: {str(error)[:200]}"]
        middle = len(events) // 2
        return [
            *await self._write_or_bisect(events[:middle]),
            *await self._write_or_bisect(events[middle:]),
        ]

    async def _write_with_retry(self, events: Sequence[NewEvent]) -> list[bool]:
        give_up = time.monotonic() + RETRY_SECONDS
        wait = 0.02
        while True:
            try:
                connection = await self._connected()
                await ensure_partitions(connection, self._partitions, events)
                began = time.perf_counter()
                stored = await write_group(connection, self._partitions, events)
                write_group_seconds.observe(time.perf_counter() - began)
                write_group_events.observe(len(events))
                return stored
            except CommitUnknown as error:
                # Perhaps stored, perhaps not: only the sender can decide, with the same event ids.
                await self._disconnect()
                raise Unavailable(
                    "The database went away while committing; send the same request again."
                ) from error
            except asyncpg.CheckViolationError as error:
                # A partition was dropped behind our back: look again, then it is made anew.
                if time.monotonic() > give_up:
                    raise
                logger.info("no partition for a row (%s); looking again", error)
                await self._partitions.load(await self._connected())
            except _TRY_AGAIN:
                if time.monotonic() > give_up:
                    raise Unavailable() from None
            except _AWAY as error:
                await self._disconnect()
                if time.monotonic() > give_up or self._closing:
                    logger.error("the database is away: %s", error)
                    raise Unavailable("The database is away; send the same request again.") from error
            await asyncio.sleep(wait)
            wait = min(wait * 2, 0.5)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            await self._partitions.load(self._connection)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _fail(group: Sequence[_Submission], error: Unavailable) -> None:
    for submission in group:
        if not submission.done.done():
            submission.done.set_exception(error)

"""The rollup reader: counts the log of each project into rollups, exactly once.

Effects and position are one transaction under a lease, so that a crash, a second process or a stopped one can
neither skip nor double an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from analytics_api.domain.backoff import backoff
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost
from analytics_api.store import readers
from analytics_api.store.counting import note_bad_event, prepare, roll_up
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY, BAD_DATA, TRY_AGAIN
from analytics_api.store.live import tell
from analytics_api.store.log import Chunk, next_chunk, safe_position
from analytics_api.store.projects import list_projects
from analytics_api.store.zones import with_current_zone
from analytics_api.telemetry import count_set_aside, set_reader_lag

logger = logging.getLogger(__name__)

READER = "rollups"
LEASE = timedelta(seconds=30)
CHUNK = 50_000
"""Sequence numbers per transaction: less than a second of work, so that a lease is never outlived."""
TELL_SECONDS = 0.25
"""Live listeners are told at most so often that events were counted."""

MOST_SET_ASIDE = 100
"""Bad events in one run. More are no accident of data but a fault of ours: then nothing may move."""


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What one run did for one project."""

    project: str
    events: int
    position: int
    held_elsewhere: bool = False
    error: str | None = None
    """Why the run ended early; the next one tries again."""


class RollupReader:
    """Counts events into rollups. One per process; which process does a project is decided by its lease."""

    def __init__(
        self, database: Database, owner: str, *, clock: Clock = system_clock, chunk: int = CHUNK
    ) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._chunk = chunk
        self._lock = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None
        self._stopping = False
        self._told = 0.0

    def stop(self) -> None:
        """Begin no further chunk, so that a process with a long way to go can end."""
        self._stopping = True

    async def run_once(self, *, wait: bool = True) -> list[RollupReport]:
        """Take every project up to what is safe to read now. None can hold up another.

        A project that failed rests before it is tried again, unless `wait` is false.
        """
        async with self._lock:
            try:
                async with self._database.read() as session:
                    projects = await list_projects(session)
                connection = await self._connected()
                safe = await safe_position(connection)
                known = await readers.states(connection, READER)
                reports = [
                    await self._project(connection, project, safe)
                    for project in projects
                    if self._is_due(known.get(project.id), safe, wait=wait)
                ]
                if any(report.events for report in reports):
                    await self._tell(connection)
                return reports
            except BaseException:
                await self.disconnect()
                raise

    async def _tell(self, connection: asyncpg.Connection) -> None:
        # Who is not told looks within a second.
        now = asyncio.get_running_loop().time()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            await tell(connection)

    def _is_due(self, state: readers.State | None, safe: int, *, wait: bool) -> bool:
        if state is None:
            return True
        # An idle project costs no write.
        resting = wait and state.retry_at is not None and state.retry_at > self._clock()
        return state.position < safe and not resting

    async def _project(self, connection: asyncpg.Connection, project: Project, safe: int) -> RollupReport:
        now = self._clock()
        await readers.ensure_reader(connection, project.id, READER, 0, now)
        lease = await readers.claim(connection, project.id, READER, self._owner, now, LEASE)
        if lease is None:
            return await self._elsewhere(connection, project)
        project = await with_current_zone(connection, project)
        run = _Run(connection, project, lease, safe, self._chunk, self._clock, lambda: self._stopping)
        error: str | None = None
        try:
            await run.drain()
        except LeaseLost:
            logger.warning("the rollups of project %s were taken over by another process", project.slug)
            return await self._elsewhere(connection, project)
        except AWAY:
            raise
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            wait = timedelta(seconds=backoff(run.lease.failures + 1))
            logger.exception("the rollups of project %s stand still", project.slug)
            now = self._clock()
            await readers.note_failure(connection, run.lease, error, now, now + wait)
        await readers.release(connection, run.lease)
        set_reader_lag(project.slug, READER, safe - run.lease.position)
        return RollupReport(project.slug, run.events, run.lease.position, error=error)

    async def _elsewhere(self, connection: asyncpg.Connection, project: Project) -> RollupReport:
        position = await connection.fetchval(
            "SELECT position FROM readers WHERE project_id = $1 AND name = $2", project.id, READER
        )
        return RollupReport(project.slug, 0, position, held_elsewhere=True)

    async def _connected(self) -> asyncpg.Connection:
        """A connection of its own: the temporary table of the chunk lives in it."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            await prepare(self._connection)
        return self._connection

    async def disconnect(self) -> None:
        """Drop the connection; the next run makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


class _Run:
    """One project from its position to what is safe, chunk by chunk."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        project: Project,
        lease: readers.Lease,
        safe: int,
        chunk: int,
        clock: Clock,
        stopping: Callable[[], bool],
    ) -> None:
        self.lease = lease
        self.events = 0
        self._connection = connection
        self._project = project
        self._safe = safe
        self._chunk = chunk
        self._clock = clock
        self._stopping = stopping
        self._set_aside = 0

    async def drain(self) -> None:
        """Count until nothing is left. Raises LeaseLost, and what the database raises."""
        size = self._chunk
        while self.lease.position < self._safe and not self._stopping():
            chunk = await next_chunk(
                self._connection, self._project.id, self.lease.position, self._safe, size
            )
            try:
                await self._count(chunk)
            except TRY_AGAIN:
                # Days were closed meanwhile. Counted again, the chunk sees them and marks those it touches as dirty.
                continue
            except BAD_DATA as error:
                if chunk is None:
                    raise
                size = (chunk.upto - chunk.after) // 2
                if size == 0:
                    await self._set_bad_aside(chunk, error)
                    size = 1
                continue
            # Halves grow again behind the bad event.
            size = min(size * 2, self._chunk)

    async def _count(self, chunk: Chunk | None) -> None:
        """Effects and position in one transaction."""
        now = self._clock()
        async with self._connection.transaction(isolation="repeatable_read"):
            counted = 0 if chunk is None else await roll_up(self._connection, self._project, chunk, now)
            lease = await self._move(self._safe if chunk is None else chunk.upto, now)
        self.lease = lease
        self.events += counted

    async def _move(self, position: int, now: datetime) -> readers.Lease:
        moved = await readers.advance(self._connection, self.lease, position, now)
        return await readers.renew(self._connection, moved, now, LEASE)

    async def _set_bad_aside(self, chunk: Chunk, error: Exception) -> None:
        """Go on without the one event of the chunk. It stays in the log and among those that are told of."""
        self._set_aside += 1
        if self._set_aside > MOST_SET_ASIDE:
            raise RuntimeError(
                f"more than {MOST_SET_ASIDE} events in a row cannot be counted: {error}"
            ) from error
        now = self._clock()
        async with self._connection.transaction():
            if await note_bad_event(self._connection, chunk, f"{type(error).__name__}: {error}", now):
                logger.error(
                    "event %d of project %s cannot be counted and is set aside: %s",
                    chunk.upto,
                    self._project.slug,
                    error,
                )
                count_set_aside(self._project.slug)
            lease = await self._move(chunk.upto, now)
        self.lease = lease

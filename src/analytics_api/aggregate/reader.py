"""The rollup reader: counts the log of each project into rollups, exactly once.

Effects and position are one transaction under a lease, so that a crash, a second process or a stopped one can
neither skip nor double an event.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost
from analytics_api.store import readers
from analytics_api.store.engine import Database
from analytics_api.store.log import next_chunk, safe_position
from analytics_api.store.projects import list_projects
from analytics_api.store.rollups import prepare, roll_up
from analytics_api.telemetry import set_reader_lag

logger = logging.getLogger(__name__)

READER = "rollups"
LEASE = timedelta(seconds=30)
CHUNK = 20_000
"""Sequence numbers per transaction: about half a second of work, so that a lease is never outlived."""


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What one run did for one project."""

    project: str
    events: int
    position: int
    held_elsewhere: bool = False


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

    def stop(self) -> None:
        """Begin no further chunk, so that a process with a long way to go can end."""
        self._stopping = True

    async def run_once(self) -> list[RollupReport]:
        """Take every project up to what is safe to read now."""
        async with self._lock:
            try:
                async with self._database.read() as session:
                    projects = await list_projects(session)
                connection = await self._connected()
                safe = await safe_position(connection)
                positions = await readers.positions(connection, READER)
                return [
                    await self._project(connection, project, safe)
                    for project in projects
                    # An idle project costs no write.
                    if positions.get(project.id, -1) < safe
                ]
            except BaseException:
                await self.disconnect()
                raise

    async def _project(self, connection: asyncpg.Connection, project: Project, safe: int) -> RollupReport:
        now = self._clock()
        await readers.ensure_reader(connection, project.id, READER, 0, now)
        lease = await readers.claim(connection, project.id, READER, self._owner, now, LEASE)
        if lease is None:
            return await self._elsewhere(connection, project)
        try:
            events, lease = await self._drain(connection, project, lease, safe)
        except LeaseLost:
            logger.warning("the rollups of project %s were taken over by another process", project.slug)
            return await self._elsewhere(connection, project)
        await readers.release(connection, lease)
        return RollupReport(project.slug, events, lease.position)

    async def _elsewhere(self, connection: asyncpg.Connection, project: Project) -> RollupReport:
        position = await connection.fetchval(
            "SELECT position FROM readers WHERE project_id = $1 AND name = $2", project.id, READER
        )
        return RollupReport(project.slug, 0, position, held_elsewhere=True)

    async def _drain(
        self, connection: asyncpg.Connection, project: Project, lease: readers.Lease, safe: int
    ) -> tuple[int, readers.Lease]:
        total = 0
        while lease.position < safe and not self._stopping:
            chunk = await next_chunk(connection, project.id, lease.position, safe, self._chunk)
            now = self._clock()
            counted = 0
            try:
                async with connection.transaction(isolation="repeatable_read"):
                    if chunk is not None:
                        counted = await roll_up(connection, project, chunk, now)
                    moved = await readers.advance(connection, lease, chunk.upto if chunk else safe, now)
                    moved = await readers.renew(connection, moved, now, LEASE)
            except asyncpg.SerializationError:
                # Days were closed meanwhile. Counted again, the chunk sees them and marks those it touches as dirty.
                continue
            total += counted
            lease = moved
        set_reader_lag(project.slug, READER, safe - lease.position)
        return total, lease

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

"""Rebuilding: rollups of days that are not sealed are made from the log again, while everything runs.

Each step is one transaction under the rollup reader's lease and leaves rollups that are right by themselves, so that it may
end anywhere. Between steps new events are counted as always.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import TypeVar
from uuid import UUID

import asyncpg

from analytics_api.aggregate.reader import LEASE, READER, RollupReader
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.errors import Conflict, LeaseLost, Unprocessable
from analytics_api.store import readers
from analytics_api.store.counting import prepare
from analytics_api.store.engine import Database
from analytics_api.store.failures import TRY_AGAIN
from analytics_api.store.identity import Pair
from analytics_api.store.rebuild import (
    days_to_rebuild,
    find_persons,
    mark_rebuilt,
    replace_event_days,
    replace_last_active_days,
    replace_ledgers,
    replace_persons,
)
from analytics_api.store.rebuild_identity import replace_links, replace_merges

PERSONS_PER_STEP = 1_000
PAIRS_PER_STEP = 5_000
PATIENCE_SECONDS = 120.0
"""How long to wait for another process that holds the rollups; a chunk takes it a second."""
TURN = timedelta(seconds=1)
"""After this time new events are counted before the next step."""
POLL_SECONDS = 0.05

Shown = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done and of how much."""
T = TypeVar("T")
Step = Callable[..., Awaitable[object]]
"""Called with the connection, the project, and by name `upto` and `now`, in a transaction under the lease."""


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild made, and what was different from what had been counted."""

    first: date
    last: date
    days: int
    sealed_days: int
    """Days within the range that were left alone because their events are gone."""
    persons: int = 0
    different_links: int = 0
    different_days: set[date] = field(default_factory=set)


async def rebuild_project(
    database: Database,
    project: Project,
    owner: str,
    first: date | None = None,
    last: date | None = None,
    *,
    shown: Shown = lambda *_: None,
    clock: Clock = system_clock,
    persons_per_step: int = PERSONS_PER_STEP,
    first_step: Step | None = None,
) -> RebuildReport:
    """Rebuild the local days from `first` (None: the first there is) to `last` (None: today).

    Who is who does not belong to days and is decided again altogether. Closed days are marked and their figures are the
    caller's to make again. With `first_step`, that is done first under the lease, and it is no mistake when there are no days.
    Raises Unprocessable when the range holds no day that can be rebuilt, and Conflict when another process does not let go
    of the rollups.
    """
    reader = RollupReader(database, owner, clock=clock)
    connection = await database.connect()
    try:
        await prepare(connection)
        await reader.run_once(wait=False)
        last = last or local_day(clock(), project.zone)
        work = _Rebuild(connection, project, owner, reader, shown, clock, persons_per_step)
        if first_step is not None:
            await work.step(first_step)
        days, sealed = await days_to_rebuild(connection, project, first, last)
        if not days and first_step is not None:
            return RebuildReport(last, last, 0, sealed)
        if not days:
            raise Unprocessable(
                f"Project {project.slug} has nothing to rebuild up to {last}: "
                + ("its events are gone and the days are sealed." if sealed else "there are no events.")
            )
        report = RebuildReport(days[0], days[-1], len(days), sealed)
        await work.all_steps(days, report)
        await reader.run_once(wait=False)
        return report
    finally:
        await reader.disconnect()
        connection.terminate()


class _Rebuild:
    """One rebuild of one project, step by step."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        project: Project,
        owner: str,
        reader: RollupReader,
        shown: Shown,
        clock: Clock,
        persons_per_step: int,
    ) -> None:
        self._connection = connection
        self._project = project
        self._owner = owner
        self._reader = reader
        self._shown = shown
        self._clock = clock
        self._persons_per_step = persons_per_step
        self._counted_at = clock()
        self._report: RebuildReport

    async def all_steps(self, days: Sequence[date], report: RebuildReport) -> None:
        """Ids come first and persons last, because they are made from what is made before."""
        self._report = report
        await self._identity()
        self._shown("ledgers", 0, 1)
        self._report.different_days |= await self.step(replace_ledgers, days)
        done = 0
        for _, month in groupby(days, key=lambda day: (day.year, day.month)):
            part = list(month)
            self._shown("days", done, len(days))
            self._report.different_days |= await self.step(replace_event_days, part)
            done += len(part)
        await self._persons(days)
        await self.step(replace_last_active_days)
        await self.step(mark_rebuilt, days)

    async def _identity(self) -> None:
        self._shown("ids", 0, 1)
        self._report.different_links = await self.step(replace_links)
        at: Pair | None = None
        while True:
            at = await self.step(replace_merges, at, PAIRS_PER_STEP)
            if at is None:
                return

    async def _persons(self, days: Sequence[date]) -> None:
        total = await find_persons(self._connection, self._project, days)
        at = UUID(int=0)
        while True:
            self._shown("persons", self._report.persons, total)
            at, persons, different = await self.step(replace_persons, at, self._persons_per_step)
            self._report.persons += persons
            self._report.different_days |= different
            if persons < self._persons_per_step:
                self._shown("persons", total, total)
                return

    async def step(self, work: Callable[..., Awaitable[T]], *parameters: object) -> T:
        """Do one step in a transaction under the lease; again when it met another transaction."""
        if self._clock() - self._counted_at > TURN:
            # Meanwhile nobody else counts what comes in.
            await self._reader.run_once(wait=False)
            self._counted_at = self._clock()
        while True:
            lease = await self._claimed()
            try:
                async with self._connection.transaction(isolation="repeatable_read"):
                    # The first statement, so that nobody takes the lease before the end and all is read after it.
                    await readers.advance(
                        self._connection, lease, lease.position, self._clock(), recovered=False
                    )
                    return await work(
                        self._connection, self._project, *parameters, upto=lease.position, now=self._clock()
                    )
            except (*TRY_AGAIN, LeaseLost):
                await asyncio.sleep(POLL_SECONDS)
            finally:
                await readers.release(self._connection, lease)

    async def _claimed(self) -> readers.Lease:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            lease = await readers.claim(
                self._connection, self._project.id, READER, self._owner, self._clock(), LEASE
            )
            if lease is not None:
                return lease
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(
                    f"The rollups of project {self._project.slug} are being counted by another process and it does not "
                    "let go: try again later."
                )
            await asyncio.sleep(POLL_SECONDS)

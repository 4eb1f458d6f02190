"""Retention: raw events go when their project's period is over; figures stay.

Partitions all of whose events are past retention are dropped. What others hold back, types with a shorter period and projects
that share a partition, goes day by day in short transactions with rests in between; a run that is cut off is gone on with
by the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.domain.retention import Cutoffs, Periods
from analytics_api.store import retention as store
from analytics_api.store.alerts import purge_alerts
from analytics_api.store.dead_letters import purge_dead
from analytics_api.store.engine import Database
from analytics_api.store.projects import list_projects
from analytics_api.store.quarantine import purge_quarantine
from analytics_api.store.retention_periods import all_periods
from analytics_api.store.retention_states import begin_run, end_run
from analytics_api.store.traffic import purge_requests
from analytics_api.store.upkeep import Expired, Limits, drop_partition, expired_partitions, purge_keys
from analytics_api.store.warnings import purge_warnings

logger = logging.getLogger(__name__)

REST = 10.0
"""Seconds of rest after each second of work: intake shares processors and the disk with it."""
DROP_ATTEMPTS = 20
DROP_PAUSE = 0.5


@dataclass(slots=True)
class RetentionReport:
    """What one run removed and what it had to leave."""

    dropped: list[str] = field(default_factory=list)
    events: int = 0
    """Removed one by one."""
    blocked: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By project: what had to stay, and why."""
    keys: int = 0
    quarantined: int = 0
    dead_letters: int = 0


async def apply_retention(
    database: Database,
    now: datetime,
    *,
    retention_days: int,
    dedupe_days: int,
    rest: float = REST,
    events_per_step: int = store.EVENTS_PER_STEP,
    drop_attempts: int = DROP_ATTEMPTS,
) -> RetentionReport:
    """Remove what is past retention. What must stay is reported and logged as a warning."""
    async with database.read() as session:
        projects = await list_projects(session)
    async with database.acquire() as connection:
        periods = await all_periods(connection)
        cutoffs = {
            project.id: Cutoffs.at(now, project.zone, periods.get(project.id, Periods()), retention_days)
            for project in projects
        }
        run = _Run(connection, now, projects, cutoffs, _Pace(rest, events_per_step, drop_attempts))
        await run.all(now - timedelta(days=retention_days))
        await _purge_others(connection, run, now - timedelta(days=retention_days), dedupe_days)
    for slug, reasons in run.report.blocked.items():
        for what, reason in reasons.items():
            logger.warning("retention of project %s could not remove %s: %s", slug, what, reason)
    if run.report.dropped or run.report.events:
        logger.info(
            "retention dropped %s and removed %d events",
            ", ".join(run.report.dropped) or "nothing",
            run.report.events,
        )
    return run.report


async def _purge_others(
    connection: asyncpg.Connection, run: _Run, before: datetime, dedupe_days: int
) -> None:
    """What is no event of the log."""
    report = run.report
    report.keys = await purge_keys(connection, run.now - timedelta(days=dedupe_days), run.pace.rest)
    await purge_requests(connection, before)
    for project_id, cutoffs in run.cutoffs.items():
        report.quarantined += await purge_quarantine(
            connection, project_id, cutoffs.others or cutoffs.whole, cutoffs.by_type
        )
    await purge_warnings(connection, before)
    await purge_alerts(connection, before)
    report.dead_letters = await purge_dead(connection, before)


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast it goes."""

    rest: float
    events_per_step: int
    drop_attempts: int


class _Run:
    """One run over all projects."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        now: datetime,
        projects: list[Project],
        cutoffs: Mapping[int, Cutoffs],
        pace: _Pace,
    ) -> None:
        self.now = now
        self.cutoffs = cutoffs
        self.pace = pace
        self.report = RetentionReport()
        self._connection = connection
        self._projects = {project.id: project for project in projects}
        self._waiting: set[tuple[int, str]] = set()
        """Projects and partitions that are dropped when nothing blocks them any more."""

    async def all(self, empty_before: datetime) -> None:
        """Whole partitions first, because that costs nothing; then what others hold back, and the partitions that are empty now."""
        await begin_run(self._connection, list(self._projects), self.now)
        limits = Limits({number: cutoffs.of_all for number, cutoffs in self.cutoffs.items()}, empty_before)
        await self._drop_partitions(limits)
        newest = max((cutoffs.newest for cutoffs in self.cutoffs.values()), default=empty_before)
        for held in await store.held_partitions(self._connection, newest):
            if held.project_id in self._projects and (held.project_id, held.name) not in self._waiting:
                await self._remove_from(held)
        await self._drop_partitions(limits)
        for project in self._projects.values():
            await end_run(self._connection, project.id, self.report.blocked.get(project.slug, {}), self.now)

    async def _drop_partitions(self, limits: Limits) -> None:
        for expired in await expired_partitions(self._connection, limits):
            if any((project_id, expired.name) in self._waiting for project_id in expired.projects):
                continue
            for project_id, reason in expired.blocked.items():
                self._blocked(project_id, expired.name, reason)
                self._waiting.add((project_id, expired.name))
            if not expired.blocked:
                await self._drop(expired, limits)

    async def _drop(self, expired: Expired, limits: Limits) -> None:
        reason: str | None = None
        for attempt in range(self.pace.drop_attempts):
            if attempt:
                await asyncio.sleep(DROP_PAUSE)
            try:
                reason = await drop_partition(self._connection, expired, limits)
                break
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                reason = "it is in use; the next run tries again"
        if reason is None:
            self.report.dropped.append(expired.name)
            return
        for project_id in expired.projects:
            self._blocked(project_id, expired.name, reason)
            self._waiting.add((project_id, expired.name))

    def _blocked(self, project_id: int, what: str, reason: str) -> None:
        self.report.blocked[self._projects[project_id].slug][what] = reason

    async def _remove_from(self, held: store.Held) -> None:
        """Remove what is past retention of a project from a partition that stays."""
        others, by_type = self.cutoffs[held.project_id].within(held.upper)
        cutoffs = dict(by_type)
        if others is not None:
            for event_type in await store.types_before(self._connection, held, others):
                cutoffs.setdefault(event_type, others)
        before = self.report.events
        for event_type, cutoff in cutoffs.items():
            if cutoff > held.lower:
                await self._remove_type(held, event_type, cutoff)
        if self.report.events > before:
            await store.forget_when_empty(self._connection, held)

    async def _remove_type(self, held: store.Held, event_type: str, cutoff: datetime) -> None:
        """Day by day, because a day is sealed as a whole."""
        zone = self._projects[held.project_id].zone
        since = held.lower
        while True:
            first = await store.next_expired(self._connection, held, event_type, since, cutoff)
            if first is None:
                return
            day = local_day(first, zone)
            since = start_of_day(day + timedelta(days=1), zone)
            try:
                reason = await store.seal_day(self._connection, held.project_id, day)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                reason = "its figures are in use; the next run tries again"
            if reason is None:
                reason = await self._remove_day(held, event_type, (first, since), cutoff)
            if reason is not None:
                self._blocked(held.project_id, f"{event_type} of {day}", reason)

    async def _remove_day(
        self, held: store.Held, event_type: str, span: tuple[datetime, datetime], cutoff: datetime
    ) -> str | None:
        """Remove a day's events of a type; the reason why some had to stay, or None."""
        slowest = await store.slowest_reader(self._connection, held.project_id)
        clock = asyncio.get_running_loop().time
        step, unread, parked = store.Step(), 0, 0
        while True:
            began = clock()
            step = await store.remove_step(
                self._connection, held, event_type, span, cutoff, slowest, step, self.pace.events_per_step
            )
            self.report.events += step.gone
            unread, parked = unread + step.unread, parked + step.parked
            if step.seen < self.pace.events_per_step:
                break
            await asyncio.sleep((clock() - began) * self.pace.rest)
        if unread:
            return f"reader {slowest.name} is at {slowest.position} and has not read {unread} of them"
        if parked:
            return f"{parked} of them wait for another attempt at a destination"
        return None

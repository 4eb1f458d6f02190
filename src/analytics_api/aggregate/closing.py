"""Closing of days: figures of days, weeks and months that are over are made, kept, corrected and at last final.

A day is due at 01:00 local time of the next day. It is closed only when the rollup reader has counted all that was
stored when the run began. Every step is one transaction that keeps the rollup reader out and does the same again after
a crash, so that it does not matter how often and how late it runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.aggregate.closing_buckets import buckets_over, last_final_bucket, runs
from analytics_api.domain.metrics import METRICS, Metric
from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.store.custom_metrics import own_metrics
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.log import safe_position
from analytics_api.store.metrics import days
from analytics_api.store.metrics.calculate import calculate
from analytics_api.store.metrics.figure import Span
from analytics_api.store.metrics.reach import touched_buckets
from analytics_api.store.metrics.stored import NewFigure, mark_stale, save_figures, unsettled_buckets
from analytics_api.store.projects import list_projects

logger = logging.getLogger(__name__)

DUE = time(1)
DAYS_PER_STEP = 366
"""So that the rollup reader is kept out for about a second at a time, however long the history is."""
ATTEMPTS = 10
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.1
OWN_DAYS = 92
"""Days of raw events that one statement reads for a project's own metric."""
OWN_TIMEOUT_MS = 60_000
_SERIALIZATION_FAILURE = "40001"
_QUERY_CANCELED = "57014"


@dataclass(slots=True)
class ClosingReport:
    """What one run did for one project."""

    project: str
    closed_days: int = 0
    figures: int = 0
    """Figures made and kept."""
    revisions: int = 0
    """Final figures that changed."""
    corrected_days: int = 0
    behind: bool = False
    """Whether nothing was done because the rollup reader had not caught up; the next run tries again."""


def last_due_day(now: datetime, zone: ZoneInfo) -> date:
    """The newest local day that is due for closing: yesterday, and before 01:00 the day before that."""
    today = local_day(now, zone)
    due = datetime.combine(today, DUE, tzinfo=zone).astimezone(UTC)
    return today - timedelta(days=1 if now >= due else 2)


async def close_due_days(
    database: Database, now: datetime, *, late_days: int, patience_seconds: float = PATIENCE_SECONDS
) -> list[ClosingReport]:
    """Close the due days of all projects, correct those that changed, and make final what is old enough."""
    async with database.acquire() as connection:
        safe = await safe_position(connection)
    async with database.read() as session:
        projects = await list_projects(session)
    closings = [_Closing(database, project, now, late_days, safe) for project in projects]
    for closing in closings:
        with closing.going_on():
            await closing.run(patience_seconds)
    # What may take long comes last.
    for closing in closings:
        with closing.going_on():
            await closing.make_own()
    return [closing.report for closing in closings if not closing.failed]


class _Closing:
    """One run for one project."""

    def __init__(
        self, database: Database, project: Project, now: datetime, late_days: int, safe: int
    ) -> None:
        self._database = database
        self._project = project
        self._now = now
        self._today = local_day(now, project.zone)
        self._late_days = late_days
        self._safe = safe
        self.report = ClosingReport(project.slug)
        self._memory: dict[Any, Any] = {}
        self._sealed: days.SealedDays | None = None
        self.failed = False

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """An error in this project is noted: other projects' days are closed all the same, and this one's at the next run."""
        try:
            yield
        except AWAY:
            raise
        except Exception:
            self.failed = True
            logger.exception("the days of project %s could not be closed", self._project.slug)

    async def run(self, patience_seconds: float) -> None:
        """Step by step until nothing is left."""
        deadline = asyncio.get_running_loop().time() + patience_seconds
        # Looked at from outside first: a step keeps the reader out, so steps must not be what it is waited for with.
        while not await self._caught_up():
            if asyncio.get_running_loop().time() >= deadline:
                self.report.behind = True
                logger.warning(
                    "days of project %s stay open: its rollups are behind the log", self._project.slug
                )
                return
            await asyncio.sleep(POLL_SECONDS)
        while await self._retried(self._step):
            pass

    async def _caught_up(self) -> bool:
        """Whether all events that were stored when the run began are counted."""
        async with self._database.read() as connection:
            position = await days.rollup_position(connection, self._project.id)
            if position is not None and position >= self._safe:
                return True
            waiting = await days.rollup_lag(connection, self._project.id)
            return waiting.events == 0

    async def _retried(self, step: Callable[[AsyncConnection], Awaitable[bool]]) -> bool:
        for attempt in range(1, ATTEMPTS + 1):
            before = replace(self.report)
            try:
                async with days.figures_transaction(self._database) as connection:
                    return await step(connection)
            except DBAPIError as error:
                self.report = before
                if getattr(error.orig, "sqlstate", None) != _SERIALIZATION_FAILURE or attempt == ATTEMPTS:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _step(self, connection: AsyncConnection) -> bool:
        """Close up to a year of days; the last step also corrects. True when there is more to do."""
        project = self._project
        await days.hold_rollups(connection, project.id)
        first = await days.first_day(connection, project.id)
        due = last_due_day(self._now, project.zone)
        if first is None or first > due:
            return False
        final_until = self._today - timedelta(days=self._late_days + 1)
        unclosed = await days.first_unclosed(connection, project.id, first, due)
        closed = due
        more = False
        if unclosed is not None:
            closed = min(due, unclosed + timedelta(days=DAYS_PER_STEP - 1))
            self.report.closed_days += await days.close_days(
                connection, project.id, unclosed, closed, final_until, self._now
            )
            more = await days.first_unclosed(connection, project.id, first, due) is not None
        self._memory, self._sealed = {}, None
        if more:
            # Only what is new; the last step looks at everything.
            await self._make_all(connection, unclosed or first, closed, [])
            return True
        await days.settle_days(connection, project.id, final_until)
        dirty = await days.take_dirty_days(connection, project.id)
        self.report.corrected_days += len({item.day for item in dirty})
        await self._make_all(connection, first, due, dirty)
        return False

    async def _make_all(
        self, connection: AsyncConnection, since: date, closed: date, dirty: list[days.DirtyDay]
    ) -> None:
        for metric in METRICS:
            await self._make(connection, metric, since, closed, dirty)
        if dirty:
            await self._mark_own(connection, since, closed, dirty)

    async def _mark_own(
        self, connection: AsyncConnection, since: date, closed: date, dirty: list[days.DirtyDay]
    ) -> None:
        """Mark what changed of the project's own metrics. It is made again when the rollup reader may go on."""
        for metric in await own_metrics(connection, self._project.id):
            over = buckets_over(metric, since, closed, self._project.week_start)
            touched = touched_buckets(metric, dirty, over, self._project.week_start)
            if touched:
                sealed = await self._sealed_days(connection, closed)
                causes = {b: cause for b, cause in touched.items() if not sealed.touches(metric, b)}
                await mark_stale(connection, self._project, metric, causes)

    async def make_own(self) -> None:
        """Make the figures of the project's own metrics that are missing or stale, once `run` has closed its days.

        They come from raw events and may take long. They need not keep the rollup reader out: what it counts meanwhile of a
        closed day marks that day dirty.
        """
        if self.report.behind or self.failed:
            return
        async with self._database.read() as connection:
            metrics = await own_metrics(connection, self._project.id)
        for metric in metrics:
            try:
                while await self._retried(lambda connection, m=metric: self._own_step(connection, m)):  # type: ignore[misc]
                    pass
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _QUERY_CANCELED:
                    raise
                logger.warning(
                    "metric %s (%s) of project %s takes longer than %d s; no figures of it are kept",
                    metric.name,
                    metric.period.value,
                    self._project.slug,
                    OWN_TIMEOUT_MS // 1000,
                )

    async def _own_step(self, connection: AsyncConnection, metric: Metric) -> bool:
        """Make the next stretch of a metric's figures. True when there may be more."""
        await connection.execute(text(f"SET LOCAL statement_timeout = {OWN_TIMEOUT_MS}"))
        first = await days.first_day(connection, self._project.id)
        over = (
            []
            if first is None
            else buckets_over(
                metric, first, last_due_day(self._now, self._project.zone), self._project.week_start
            )
        )
        if not over:
            return False
        causes = await unsettled_buckets(
            connection,
            self._project,
            metric,
            over[0],
            over[-1],
            last_final_bucket(metric, self._today, self._late_days, self._project.week_start),
        )
        if days.TIME_ZONE in causes.values():
            sealed = await days.sealed_days(connection, self._project.id, date.min, over[-1])
            causes = {
                bucket: cause
                for bucket, cause in causes.items()
                if cause != days.TIME_ZONE or not sealed.touches(metric, bucket)
            }
        if not causes:
            return False
        begin = min(causes)
        stretch = [bucket for bucket in sorted(causes) if (bucket - begin).days < OWN_DAYS]
        await self._make_run(
            connection, metric, begin, stretch[-1], {bucket: causes[bucket] for bucket in stretch}
        )
        return True

    async def _make(
        self,
        connection: AsyncConnection,
        metric: Metric,
        since: date,
        closed: date,
        dirty: list[days.DirtyDay],
    ) -> None:
        """Make the figures of a metric that are missing, unsettled or touched, from one closed day to another."""
        over = buckets_over(metric, since, closed, self._project.week_start)
        if not over:
            return
        causes = await unsettled_buckets(
            connection,
            self._project,
            metric,
            over[0],
            over[-1],
            last_final_bucket(metric, self._today, self._late_days, self._project.week_start),
        )
        moved = {bucket for bucket, cause in causes.items() if cause == days.TIME_ZONE}
        touched = touched_buckets(metric, dirty, over, self._project.week_start)
        if touched or moved:
            # Of sealed days only figures are left; whatever rollups say of them now, they stay.
            sealed = await self._sealed_days(connection, closed)
            open_ = {bucket for bucket in (*touched, *moved) if not sealed.holds(metric, bucket)}
            causes = {
                bucket: cause for bucket, cause in causes.items() if bucket not in moved or bucket in open_
            }
            causes |= {bucket: touched[bucket] for bucket in open_ - moved}
        for first_bucket, last_bucket in runs(metric, sorted(causes)):
            await self._make_run(connection, metric, first_bucket, last_bucket, causes)

    async def _sealed_days(self, connection: AsyncConnection, last: date) -> days.SealedDays:
        """Looked up once in a step."""
        if self._sealed is None:
            self._sealed = await days.sealed_days(connection, self._project.id, date.min, last)
        return self._sealed

    async def _make_run(
        self, connection: AsyncConnection, metric: Metric, first: date, last: date, causes: Mapping[date, str]
    ) -> None:
        span = Span(self._project, metric.period, first, last, self._now, memory=self._memory)
        made = await calculate(connection, metric, span)
        figures = [
            NewFigure(bucket, figure, metric.state(bucket, self._today, self._late_days), causes[bucket])
            for bucket, figure in made.items()
            if bucket in causes
        ]
        self.report.revisions += await save_figures(connection, self._project, metric, figures, self._now)
        self.report.figures += len(figures)

"""The figures of one project at one moment: kept ones where they are still true, else made from rollups now.

Cards, charts and exports all ask here, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import METRICS_BY_NAME, Metric, State
from analytics_api.domain.period import bucket_of, buckets, local_day, next_bucket
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.store.metrics.beginning import KeptStretch, Settled, first_day_in, look_up
from analytics_api.store.metrics.calculate import calculate
from analytics_api.store.metrics.conversion import paid_later
from analytics_api.store.metrics.days import DirtyDay, Lag, SealedDays, lag_asked, lag_in, sealed_days
from analytics_api.store.metrics.figure import READ_AHEAD, Figure, Span, rows_of
from analytics_api.store.metrics.ltv import acquired_in, ratio_to_cost
from analytics_api.store.metrics.reach import touched_buckets
from analytics_api.store.metrics.stored import (
    StoredFigure,
    stored_asked,
    stored_figures,
    stored_in,
    stored_version,
)
from analytics_api.store.metrics.view import first_answerable
from analytics_api.store.statements import Asked, fetch_together

_CONVERSION = METRICS_BY_NAME["signup_to_payment_conversion"]
_LTV, _RATIO = METRICS_BY_NAME["ltv"], METRICS_BY_NAME["ltv_cac_ratio"]
_PAYERS = METRICS_BY_NAME["monthly_new_payers"]


@dataclass(frozen=True, slots=True)
class Point:
    """The figure of one bucket with what is needed to explain it."""

    metric: Metric
    bucket: date
    figure: Figure
    state: State
    calculated_at: datetime
    partial: bool
    """Whether its window begins before the project's first event."""
    sealed: bool = False
    """Whether the raw events of all its days are gone, so that nothing changes it any more."""
    late_unapplied: int = 0
    """Events that came for its days when those were sealed."""
    zone: str | None = None
    """In whose days it was counted, when that is not the project's zone any more: a sealed figure."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Answers for one project from one snapshot of the database."""

    connection: AsyncConnection
    project: Project
    now: datetime
    late_days: int
    first_day: date | None
    """Local day of the project's first event."""
    changed: list[DirtyDay]
    sealed_until: date | None = None
    """The last day whose raw events are gone."""
    raw: bool = False
    """Whether the answer is for another zone than the project's, so that it is made from raw events."""
    ahead: dict[str, KeptStretch] = field(default_factory=dict)
    """Kept figures that were read ahead, by metric."""
    memory: dict[Any, Any] = field(default_factory=dict)
    """What several metrics share."""

    @classmethod
    async def of(
        cls,
        connection: AsyncConnection,
        project: Project,
        now: datetime,
        late_days: int,
        zone: ZoneInfo | None = None,
    ) -> Self:
        """Look up once what every answer needs. `zone` is whose days are counted; None: the project's."""
        beginning = await look_up(connection, project)
        if zone is not None and zone.key != project.zone.key:
            first_day = await first_day_in(connection, project, beginning.first_day, zone)
            elsewhere = replace(project, zone=zone)
            return cls(connection, elsewhere, now, late_days, first_day, [], beginning.sealed_until, raw=True)
        return cls(
            connection,
            project,
            now,
            late_days,
            beginning.first_day,
            beginning.changed,
            beginning.sealed_until,
        )

    async def read_ahead(self, wanted: Mapping[str, tuple[date, date]], asked: Sequence[Asked]) -> None:
        """Read the kept figures of several metrics, each from a first to a last bucket, and what statements give, at once."""
        if self.raw:
            return
        stretches = {METRICS_BY_NAME[name]: stretch for name, stretch in wanted.items()}
        kept, *rows = await fetch_together(self.connection, [stored_asked(self.project, stretches), *asked])
        found = stored_in(stretches, kept)
        for metric, (first, last) in stretches.items():
            self.ahead[metric.name] = KeptStretch(first, last, found[metric.name])
        self.memory[READ_AHEAD] = list(zip(asked, rows, strict=True))

    async def lag(self) -> Lag:
        """How far the figures are behind the log."""
        [row] = await rows_of(self.connection, self.memory, lag_asked(self.project.id))
        return lag_in(row)

    def span(self, metric: Metric, first: date, last: date, *, include_bots: bool = False) -> Span:
        """The buckets of a metric that touch the days from `first` to `last`."""
        return Span(
            self.project,
            metric.period,
            bucket_of(first, metric.period, self.project.week_start),
            bucket_of(last, metric.period, self.project.week_start),
            self.now,
            include_bots and metric.takes_bots,
            memory=self.memory,
            raw=self.raw,
        )

    @property
    def today(self) -> date:
        """The project's local day."""
        return local_day(self.now, self.project.zone)

    async def points(
        self,
        metric: Metric,
        first: date,
        last: date,
        *,
        include_bots: bool = False,
        with_later: bool = True,
    ) -> list[Point]:
        """One point for every bucket that touches the days from `first` to `last`; none for buckets yet to begin.

        Without `with_later` those of conversion do not say who paid later, which takes as long as there are customers.
        """
        last = min(last, self.today)
        if first > last:
            return []
        span = self.span(metric, first, last, include_bots=include_bots)
        buckets = span.buckets()
        if self.raw and self.sealed_until is not None and buckets[0] < first_answerable(self.sealed_until):
            raise Unprocessable(
                f"zone: raw events up to {self.sealed_until} are gone, so {self.project.zone.key} can be answered from "
                f"{first_answerable(self.sealed_until)} on only; leave zone out for earlier days."
            )
        sealed = SealedDays()
        if self.sealed_until is not None and buckets[0] <= self.sealed_until:
            sealed = await sealed_days(self.connection, self.project.id, buckets[0], self.sealed_until)
        kept = {} if span.include_bots or self.raw else await self._kept(metric, buckets, sealed)
        missing = [bucket for bucket in buckets if bucket not in kept]
        made: dict[date, Figure] = {}
        if missing:
            made = await self._make(metric, replace(span, first=missing[0], last=missing[-1]))
        found = {
            bucket: (kept[bucket].figure, kept[bucket].calculated_at)
            if bucket in kept
            else (made[bucket], self.now)
            for bucket in buckets
        }
        if metric is _CONVERSION and with_later:
            later = await paid_later(self.connection, span)
            found = {
                bucket: (figure.explained(paid_later=later.get(bucket, 0)), calculated_at)
                for bucket, (figure, calculated_at) in found.items()
            }
        here = self.project.zone.key
        return [
            self._point(
                metric,
                bucket,
                *found[bucket],
                sealed,
                kept[bucket].zone if bucket in kept and kept[bucket].zone != here else None,
            )
            for bucket in buckets
        ]

    async def point(self, metric: Metric, day: date, *, include_bots: bool = False) -> Point:
        """The point of the bucket that holds a day, which must not lie in the future."""
        [point] = await self.points(metric, day, day, include_bots=include_bots)
        return point

    async def settled(self, metric: Metric, first: date, last: date) -> Settled | None:
        """The buckets from `first` on, as many as there are, whose points come from kept figures alone."""
        if self.raw or metric.matures_after_days:
            return None
        week_start = self.project.week_start
        closed = min(last, bucket_of(self.today, metric.period, week_start) - timedelta(days=1))
        over = list(buckets(first, closed, metric.period, week_start))
        if not over or (self.sealed_until is not None and over[0] <= self.sealed_until):
            return None
        touched = touched_buckets(metric, self.changed, over, week_start)
        over = [bucket for bucket in over if not touched or bucket < min(touched)]
        if not over:
            return None
        figures, version = await stored_version(self.connection, self.project, metric, over[0], over[-1])
        if figures < len(over):
            return None
        made_of = (
            self.project,
            metric,
            over[0],
            over[-1],
            self.today,
            self.late_days,
            self.first_day,
            version,
        )
        return Settled(over[0], over[-1], made_of)

    async def _make(self, metric: Metric, span: Span) -> dict[date, Figure]:
        if metric is not _RATIO:
            return await calculate(self.connection, metric, span)
        # It is live for 30 days, but its dear parts, the lifetime value and all who have ever paid for the first time, are kept
        # as soon as a month is over.
        lifetimes = await self.points(_LTV, span.from_earlier(1).first, span.last)
        payers = await self.points(_PAYERS, acquired_in(span).first, span.last)
        return await ratio_to_cost(
            self.connection,
            span,
            {point.bucket: point.figure for point in lifetimes},
            {point.bucket: int(point.figure.value or 0) for point in payers},
        )

    async def _kept(
        self, metric: Metric, buckets: list[date], sealed: SealedDays
    ) -> dict[date, StoredFigure]:
        """Kept figures that are still true: sealed, or no changed day touches them and their own window is over."""
        if next_bucket(buckets[0], metric.period) > self.today:
            # Nothing is kept of a bucket that is not over.
            return {}
        stored = await self._stored(metric, buckets[0], buckets[-1])
        if not stored:
            return {}
        touched = touched_buckets(metric, self.changed, buckets, self.project.week_start)
        return {
            bucket: kept
            for bucket, kept in stored.items()
            if (bucket not in touched or sealed.holds(metric, bucket))
            and (kept.zone == self.project.zone.key or sealed.holds(metric, bucket))
            and (not metric.matures_after_days or kept.state is State.FINAL)
        }

    async def _stored(self, metric: Metric, first: date, last: date) -> dict[date, StoredFigure]:
        ahead = self.ahead.get(metric.name)
        if ahead is None or first < ahead.first or last > ahead.last:
            found = await stored_figures(self.connection, self.project, {metric: (first, last)})
            return found[metric.name]
        return {bucket: kept for bucket, kept in ahead.figures.items() if first <= bucket <= last}

    def _point(
        self,
        metric: Metric,
        bucket: date,
        figure: Figure,
        calculated_at: datetime,
        sealed: SealedDays,
        zone: str | None,
    ) -> Point:
        partial = False
        if metric.trailing and metric.window_days and self.first_day is not None:
            begins = bucket - timedelta(days=metric.window_days - 1)
            partial = begins < self.first_day <= bucket
        state = metric.state(bucket, self.today, self.late_days)
        return Point(
            metric,
            bucket,
            figure,
            state,
            calculated_at,
            partial,
            sealed.holds(metric, bucket),
            sealed.late_in(metric, bucket),
            zone,
        )

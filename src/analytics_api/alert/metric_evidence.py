"""The figures that rules on metrics look at: the newest that is over and wholly counted, and those it is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from analytics_api.alert.rule_kind import Parameters
from analytics_api.domain.measures import Measured
from analytics_api.domain.metric_watch import Sample
from analytics_api.domain.metrics import Metric, State
from analytics_api.domain.period import Period, bucket_of, local_day, next_bucket, start_of_day
from analytics_api.errors import Unprocessable
from analytics_api.store.custom_metrics import metric_called
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.metrics.custom import measured_between
from analytics_api.store.metrics.days import rollup_lag
from analytics_api.store.metrics.figure import Figure

GRACE, GRACE_OF_HOURS = timedelta(hours=1), timedelta(minutes=10)
"""After a bucket's end, as for closing: phones send a little late."""
HOUR = timedelta(hours=1)
_FARTHEST_HOURS = 48
"""An hour that is not counted after so long is for a rule on the backlog."""


class OfMetric(Parameters):
    """What rules on metrics have in common."""

    metric: str = Field(min_length=1, max_length=63, description="A name from GET /metrics/definitions.")
    period: Period | Literal["hourly"] | None = Field(
        None, description="Of a metric of the project's own: hourly, daily (the default), weekly or monthly."
    )
    state: Literal["over", "final"] = Field(
        "over", description="`final`: look only at figures that late events do not change any more."
    )
    at_least: int = Field(
        0,
        ge=0,
        le=1_000_000_000,
        description="Smaller samples say nothing: the denominator of a ratio, else the larger figure.",
    )

    @model_validator(mode="after")
    def _hours_are_not_final(self) -> Self:
        if self.period == "hourly" and self.state == "final":
            raise ValueError("state: hours are looked at when they are over; leave it out")
        return self


@dataclass(frozen=True, slots=True)
class Past:
    """Which earlier figures are asked for."""

    count: int
    alike: bool = False
    """Of days only those of the same weekday, of hours also of the same hour; without the project's first bucket."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A figure that a rule looks at."""

    label: str
    """The first day of its bucket, or its hour."""
    figure: Figure
    state: str
    alike: str
    """What earlier ones like it are called, with {} for their number."""

    @property
    def sample(self) -> Sample | None:
        """None when there is no value."""
        value = self.figure.value
        return None if value is None else Sample(value, self.figure.denominator)


async def newest_figures(figures: Figures, parameters: OfMetric, past: Past) -> tuple[Metric, list[Seen]]:
    """The newest figure that may be looked at, last, and those before it. None at all while nothing may be looked at.

    Raises Unprocessable when the metric is no more, or has no hours.
    """
    name, hourly = parameters.metric, parameters.period == "hourly"
    period = None if hourly or parameters.period is None else Period(parameters.period)
    metric = await metric_called(figures.connection, figures.project.id, name, period)
    if metric is None:
        raise Unprocessable(f"there is no metric {name}")
    if figures.first_day is None:
        return metric, []
    waiting = (await rollup_lag(figures.connection, figures.project.id)).since
    if hourly:
        return metric, await _hours(figures, metric, figures.first_day, waiting, past)
    return metric, await _buckets(figures, metric, figures.first_day, waiting, past, parameters.state)


async def _buckets(
    figures: Figures, metric: Metric, first_day: date, waiting: datetime | None, past: Past, state: str
) -> list[Seen]:
    newest = _newest_bucket(figures, metric, first_day, waiting, state)
    if newest is None:
        return []
    daily = metric.period is Period.DAILY
    step = {Period.DAILY: 7 if past.alike else 1, Period.WEEKLY: 7, Period.MONTHLY: 31}[metric.period]
    points = await figures.points(metric, newest - timedelta(days=step * past.count), newest)
    if past.alike:
        points = [
            point
            for point in points
            if point.bucket == newest
            or (point.bucket > first_day and (not daily or point.bucket.weekday() == newest.weekday()))
        ]
    alike = f"the last {{}} {newest:%A}s" if daily else "the last {}"
    return [
        Seen(point.bucket.isoformat(), point.figure, point.state.value, alike)
        for point in points[-past.count - 1 :]
    ]


def _newest_bucket(
    figures: Figures, metric: Metric, first_day: date, waiting: datetime | None, state: str
) -> date | None:
    """The newest bucket that is over for an hour, with all that arrived before its end counted; None before there is one."""
    zone, week_start = figures.project.zone, figures.project.week_start
    over = local_day(figures.now - GRACE, zone)
    bucket = bucket_of(over, metric.period, week_start)
    while bucket >= bucket_of(first_day, metric.period, week_start):
        end = next_bucket(bucket, metric.period)
        counted = waiting is None or start_of_day(end, zone) <= waiting
        settled = state == "over" or metric.state(bucket, figures.today, figures.late_days) is State.FINAL
        if end <= over and counted and settled:
            return bucket
        bucket = bucket_of(bucket - timedelta(days=1), metric.period, week_start)
    return None


async def _hours(
    figures: Figures, metric: Metric, first_day: date, waiting: datetime | None, past: Past
) -> list[Seen]:
    if metric.measure is None:
        raise Unprocessable(f"{metric.name} has no hours; only a metric of the project's own has")
    newest = _newest_hour(figures, waiting)
    if newest is None:
        return []
    zone = figures.project.zone
    hours = [
        hour
        for hour in _hours_before(figures, newest, past)
        if local_day(hour, zone) > first_day or (not past.alike and local_day(hour, zone) == first_day)
    ]
    return [await _hour(figures, metric.measure, hour) for hour in (*reversed(hours), newest)]


def _newest_hour(figures: Figures, waiting: datetime | None) -> datetime | None:
    """The beginning of the newest local hour that is over for ten minutes and wholly counted."""
    at = figures.now - GRACE_OF_HOURS
    local = at.astimezone(figures.project.zone)
    end = at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    for _ in range(_FARTHEST_HOURS):
        if waiting is None or end <= waiting:
            return end - HOUR
        end -= HOUR
    return None


def _hours_before(figures: Figures, newest: datetime, past: Past) -> Iterator[datetime]:
    """The hours before it, or the same ones of the weeks before by the local clock; the newest first."""
    local = newest.astimezone(figures.project.zone)
    for number in range(1, past.count + 1):
        if past.alike:
            yield (local - timedelta(days=7 * number)).astimezone(UTC)
        else:
            yield newest - number * HOUR


async def _hour(figures: Figures, measure: Measured, begin: datetime) -> Seen:
    figure = await measured_between(figures.connection, measure, figures.project, begin, begin + HOUR)
    local = begin.astimezone(figures.project.zone)
    return Seen(
        f"{local:%Y-%m-%d %H:%M}", figure, State.SETTLING.value, f"the last {{}} {local:%A}s at {local:%H:%M}"
    )

"""Alert rules on metrics, of the product or a project's own: a limit, a change, an anomaly.

A rule looks at the newest figure whose bucket is over for an hour and wholly counted; one that is still open never fires.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from analytics_api.alert.rule_kind import Parameters, RuleKind, Scene
from analytics_api.domain.alert import Finding
from analytics_api.domain.metric_watch import Sample, Side, change_percent, enough, outlier
from analytics_api.domain.metrics import Metric, State, Unit
from analytics_api.domain.period import Period, bucket_of, local_day, next_bucket, start_of_day
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.store.custom_metrics import metric_called
from analytics_api.store.metrics.answer import Figures, Point
from analytics_api.store.metrics.days import rollup_lag

GRACE = timedelta(hours=1)
"""After a bucket's end, as for closing: phones send a little late."""
LEAST_PAST = 4
"""Earlier figures that an anomaly needs to be told from."""


class OfMetric(Parameters):
    """What rules on metrics have in common."""

    metric: str = Field(min_length=1, max_length=63, description="A name from GET /metrics/definitions.")
    period: Period | None = Field(
        None, description="Of a metric of the project's own: daily (the default), weekly or monthly."
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


class Threshold(OfMetric):
    """Of `metric_threshold`."""

    above: float | None = Field(None, description="Alert above this.")
    below: float | None = Field(None, description="Alert below this.")

    @model_validator(mode="after")
    def _limit(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("give above, below or both")
        return self


async def _threshold(scene: Scene, parameters: Threshold) -> list[Finding]:
    async with scene.figures() as figures:
        points = await _points(figures, parameters, 0)
        if not points or (sample := _sample(points[0])) is None:
            return []
        # Of a count the figure itself is no sample: few may be what the rule is about.
        if sample.denominator is not None and not enough([sample], parameters.at_least):
            return []
        above, below = (
            None if limit is None else Decimal(str(limit)) for limit in (parameters.above, parameters.below)
        )
        if above is not None and sample.value > above:
            passed = f"above {_shown(above, points[0].metric, figures.project)}"
        elif below is not None and sample.value < below:
            passed = f"below {_shown(below, points[0].metric, figures.project)}"
        else:
            return []
        return [_finding(figures, points[0], float(sample.value), passed)]


class Change(OfMetric):
    """Of `metric_change`."""

    percent: float | None = Field(None, gt=0, le=1_000_000, description="Alert at a change of this or more.")
    absolute: float | None = Field(
        None, gt=0, description="Alert at a change of this or more, in the metric's unit."
    )
    side: Side = Field(Side.ANY, description="Which moves matter.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.percent is None) == (self.absolute is None):
            raise ValueError("give percent or absolute, not both")
        return self


async def _change(scene: Scene, parameters: Change) -> list[Finding]:
    async with scene.figures() as figures:
        points = (await _points(figures, parameters, 1))[-2:]
        samples = [sample for point in points if (sample := _sample(point)) is not None]
        if len(samples) < 2 or not enough(samples, parameters.at_least):
            return []
        before, newest = (sample.value for sample in samples)
        if not parameters.side.takes(newest - before):
            return []
        if parameters.absolute is not None:
            value = newest - before
            found = abs(value) >= Decimal(str(parameters.absolute))
        else:
            percent = change_percent(newest, before)
            found = percent is not None and abs(percent) >= Decimal(str(parameters.percent))
            value = percent or Decimal(0)
        if not found:
            return []
        shown = _shown(before, points[0].metric, figures.project)
        by = f"{value:+.1f} %" if parameters.absolute is None else f"{value:+f}"
        text = f"{by} against {shown} of {points[0].bucket}"
        return [_finding(figures, points[1], round(float(value), 4), text)]


class Anomaly(OfMetric):
    """Of `metric_anomaly`."""

    periods: int = Field(
        8,
        ge=LEAST_PAST,
        le=52,
        description="Earlier figures to compare with: of days those of the same weekday.",
    )
    z: float = Field(3.5, gt=0, le=100, description="Alert at a robust z-score of this or more.")
    side: Side = Field(Side.ANY, description="Which moves matter.")


async def _anomaly(scene: Scene, parameters: Anomaly) -> list[Finding]:
    async with scene.figures() as figures:
        points = await _points(figures, parameters, parameters.periods)
        if not points or (newest := _sample(points[-1])) is None:
            return []
        past = [
            sample
            for point in _alike(points)[-parameters.periods :]
            if figures.first_day is not None and point.bucket > figures.first_day
            if (sample := _sample(point)) is not None
        ]
        if len(past) < LEAST_PAST or not enough([newest, *past], parameters.at_least):
            return []
        found = outlier(newest.value, [sample.value for sample in past])
        if not parameters.side.takes(float(newest.value) - found.median):
            return []
        if found.z is not None and abs(found.z) < parameters.z:
            return []
        alike = (
            f"the last {len(past)} {points[-1].bucket:%A}s"
            if _is_daily(points[-1])
            else f"the last {len(past)}"
        )
        usual = _shown(Decimal(str(found.median)), points[-1].metric, figures.project)
        text = f"unlike {alike}: their median is {usual}"
        if found.z is not None:
            text += f", the robust z-score {found.z:+.1f}"
        return [_finding(figures, points[-1], None if found.z is None else round(found.z, 2), text)]


def _is_daily(point: Point) -> bool:
    return point.metric.period is Period.DAILY


def _alike(points: Sequence[Point]) -> list[Point]:
    """Those before the newest one that are held against it: the same weekday, or every earlier week or month."""
    *earlier, newest = points
    if not _is_daily(newest):
        return earlier
    return [point for point in earlier if point.bucket.weekday() == newest.bucket.weekday()]


async def _points(figures: Figures, parameters: OfMetric, before: int) -> list[Point]:
    """The newest figure that may be looked at, last, and so many periods (of days: weeks when more than one) before it.

    Raises Unprocessable when the metric is no more. Empty while nothing may be looked at.
    """
    project = figures.project
    metric = await metric_called(figures.connection, project.id, parameters.metric, parameters.period)
    if metric is None:
        raise Unprocessable(f"there is no metric {parameters.metric}")
    newest = await _newest(figures, metric, parameters.state)
    if newest is None:
        return []
    days = {Period.DAILY: 1 if before < 2 else 7, Period.WEEKLY: 7, Period.MONTHLY: 31}[metric.period]
    return await figures.points(metric, newest - timedelta(days=days * before), newest)


async def _newest(figures: Figures, metric: Metric, state: str) -> date | None:
    """The newest bucket that is over for an hour, with all that arrived before its end counted; None before there is one."""
    project, week_start = figures.project, figures.project.week_start
    waiting = (await rollup_lag(figures.connection, project.id)).since
    over = local_day(figures.now - GRACE, project.zone)
    bucket = bucket_of(over, metric.period, week_start)
    while figures.first_day is not None and bucket >= bucket_of(figures.first_day, metric.period, week_start):
        end = next_bucket(bucket, metric.period)
        counted = waiting is None or start_of_day(end, project.zone) <= waiting
        settled = state == "over" or metric.state(bucket, figures.today, figures.late_days) is State.FINAL
        if end <= over and counted and settled:
            return bucket
        bucket = bucket_of(bucket - timedelta(days=1), metric.period, week_start)
    return None


def _sample(point: Point) -> Sample | None:
    """None when there is no value."""
    figure = point.figure
    return None if figure.value is None else Sample(figure.value, figure.denominator)


def _finding(figures: Figures, point: Point, value: float | None, what: str) -> Finding:
    metric, figure = point.metric, point.figure
    number = _shown(figure.value or Decimal(0), metric, figures.project)
    if figure.denominator and figure.numerator is not None:
        number += f" ({figure.numerator:f} of {figure.denominator:f})"
    text = (
        f"{metric.name} ({metric.period}) of {point.bucket} is {number}: {what}. "
        f"State: {point.state}, days in {figures.project.zone.key}."
    )
    return Finding(f"metric:{metric.name}:{metric.period}", value, text)


def _shown(value: Decimal, metric: Metric, project: Project) -> str:
    """A value with its unit, for people."""
    if metric.unit == Unit.FRACTION:
        return f"{value * 100:.2f} %"
    number = f"{value:.4f}".rstrip("0").rstrip(".")
    unit = project.currency if metric.unit == Unit.CURRENCY else metric.unit
    return number if unit in (Unit.COUNT, Unit.RATIO) else f"{number} {unit}"


KINDS: dict[str, RuleKind] = {
    "metric_threshold": RuleKind("a metric is past a limit", "as the metric", Threshold, _threshold),
    "metric_change": RuleKind(
        "a metric has changed against the period before", "percent, or as the metric", Change, _change
    ),
    "metric_anomaly": RuleKind(
        "a metric is unlike its own past: the same weekday of the last weeks, or the last weeks or months",
        "robust z-score",
        Anomaly,
        _anomaly,
    ),
}

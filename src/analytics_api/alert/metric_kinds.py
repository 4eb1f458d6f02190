"""Alert rules on metrics, of the product or a project's own: a limit, a change, an anomaly.

A rule looks at the newest figure whose bucket is over for an hour and wholly counted; one that is still open never fires.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from analytics_api.alert.metric_evidence import OfMetric, Past, Seen, newest_figures
from analytics_api.alert.rule_kind import RuleKind, Scene
from analytics_api.domain.alert import Finding
from analytics_api.domain.metric_watch import Side, change_percent, enough, outlier
from analytics_api.domain.metrics import Metric, Unit
from analytics_api.domain.project import Project
from analytics_api.store.metrics.answer import Figures

LEAST_PAST = 4
"""Earlier figures that an anomaly needs to be told from."""


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
        metric, seen = await newest_figures(figures, parameters, Past(0))
    if not seen or (sample := seen[0].sample) is None:
        return []
    # Of a count the figure itself is no sample: few may be what the rule is about.
    if sample.denominator is not None and not enough([sample], parameters.at_least):
        return []
    above, below = (
        None if limit is None else Decimal(str(limit)) for limit in (parameters.above, parameters.below)
    )
    if above is not None and sample.value > above:
        passed = f"above {_shown(above, metric, figures.project)}"
    elif below is not None and sample.value < below:
        passed = f"below {_shown(below, metric, figures.project)}"
    else:
        return []
    return [_finding(figures, parameters, metric, seen[0], float(sample.value), passed)]


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
        metric, seen = await newest_figures(figures, parameters, Past(1))
    samples = [each.sample for each in seen if each.sample is not None]
    if len(samples) < 2 or not enough(samples, parameters.at_least):
        return []
    before, newest = (sample.value for sample in samples)
    change: Decimal | None = newest - before
    limit, unit = parameters.absolute, ""
    if limit is None:
        change, limit, unit = change_percent(newest, before), parameters.percent, " %"
    if change is None or not parameters.side.takes(change) or abs(change) < Decimal(str(limit)):
        return []
    by = f"{change:+.2f}".rstrip("0").rstrip(".")
    text = f"{by}{unit} against {_shown(before, metric, figures.project)} of {seen[0].label}"
    return [_finding(figures, parameters, metric, seen[1], round(float(change), 4), text)]


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
        metric, seen = await newest_figures(figures, parameters, Past(parameters.periods, alike=True))
    if not seen or (newest := seen[-1].sample) is None:
        return []
    past = [each.sample for each in seen[:-1] if each.sample is not None]
    if len(past) < LEAST_PAST or not enough([newest, *past], parameters.at_least):
        return []
    found = outlier(newest.value, [sample.value for sample in past])
    if not parameters.side.takes(float(newest.value) - found.median):
        return []
    if found.z is not None and abs(found.z) < parameters.z:
        return []
    usual = _shown(Decimal(str(found.median)), metric, figures.project)
    text = f"unlike {seen[-1].alike.format(len(past))}: their median is {usual}"
    if found.z is not None:
        text += f", the robust z-score {found.z:+.1f}"
    return [
        _finding(figures, parameters, metric, seen[-1], None if found.z is None else round(found.z, 2), text)
    ]


def _finding(
    figures: Figures, parameters: OfMetric, metric: Metric, seen: Seen, value: float | None, what: str
) -> Finding:
    figure, period = seen.figure, parameters.period or metric.period
    number = _shown(figure.value or Decimal(0), metric, figures.project)
    if figure.denominator and figure.numerator is not None:
        number += f" ({figure.numerator:f} of {figure.denominator:f})"
    text = (
        f"{metric.name} ({period}) of {seen.label} is {number}: {what}. "
        f"State: {seen.state}, times in {figures.project.zone.key}."
    )
    return Finding(f"metric:{metric.name}:{period}", value, text)


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
        "a metric is unlike its own past: the same weekday (and hour) of the last weeks, or the last weeks or months",
        "robust z-score",
        Anomaly,
        _anomaly,
    ),
}

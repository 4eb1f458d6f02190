"""Figures as the API answers them: which are asked for, and each with what explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha1
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.metrics import METRICS, SMALL_SAMPLE, Metric, Unit, metric_names
from analytics_api.domain.period import Period, next_bucket
from analytics_api.domain.project import Project
from analytics_api.domain.statistics import CONFIDENCE, wilson_interval
from analytics_api.domain.zones import zone_names
from analytics_api.errors import Unprocessable
from analytics_api.query.chart_memory import ChartMemory
from analytics_api.store.custom_metrics import custom_metrics, metric_called, own_metrics
from analytics_api.store.metrics.answer import Point

MOST_BUCKETS = 4000
DEFAULT_DAYS = 30
EARLIEST = date(1970, 1, 1)
"""No event is older than 1971; a date before this is a slip."""
LATEST = date(2999, 12, 31)
"""A later one is taken for this, so that what is added to it is a date, too."""


@dataclass(frozen=True, slots=True)
class FigureRules:
    """What the composition root decides about figures."""

    late_days: int
    clock: Clock = system_clock
    charts: ChartMemory = field(default_factory=ChartMemory, compare=False)


async def wanted_metric(
    connection: AsyncConnection, project: Project, name: str, period: Period | None
) -> Metric:
    """The metric that is asked for; the project's own by day when no period is given. Raises Unprocessable listing all."""
    metric = await metric_called(connection, project.id, name, period)
    if metric is None:
        own = [stored.metric.name for stored in await custom_metrics(connection, project.id)]
        known = [*metric_names(period), *own]
        whose = "" if period is None else f" with period={period}"
        raise Unprocessable(
            f"metric_type {name!r} is not known{whose}: use one of {', '.join(known)}.", known_metrics=known
        )
    return metric


def wanted_range(metric: Metric, start: date | None, end: date | None, today: date) -> tuple[date, date]:
    """First and last day that are asked for; the last 30 days when nothing is said. Raises Unprocessable."""
    last = min(max(end or today, EARLIEST - timedelta(days=1)), LATEST)
    first = start or min(last, today) - timedelta(days=DEFAULT_DAYS - 1)
    if first < EARLIEST or last < EARLIEST:
        raise Unprocessable(f"start_date and end_date must not be before {EARLIEST}.")
    if last < first:
        raise Unprocessable(f"end_date {last} is before start_date {first}: swap them.")
    shortest = {Period.DAILY: 1, Period.WEEKLY: 7, Period.MONTHLY: 28}[metric.period]
    if (min(last, today) - first).days // shortest >= MOST_BUCKETS:
        raise Unprocessable(
            f"start_date to end_date is too long: at most {MOST_BUCKETS} {metric.period} figures at a time."
        )
    return first, last


def wanted_zone(name: str | None) -> ZoneInfo | None:
    """The zone whose days are asked for; None is the project's. Raises Unprocessable."""
    if name is None:
        return None
    if name not in zone_names():
        raise Unprocessable(f"zone {name!r} is no IANA time zone such as Europe/Berlin.")
    return ZoneInfo(name)


def as_number(value: Decimal | None) -> float | None:
    """A figure as JSON has it; exact until here."""
    return None if value is None else float(value)


def json_default(value: object) -> float:
    """Decimals in details, for orjson. Raises TypeError for anything else."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


@lru_cache(1024)
def as_utc(moment: datetime) -> str:
    """An instant as S1 writes it: 2024-01-02T00:00:00Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def point_answer(point: Point, project: Project, *, include_bots: bool, raw: bool = False) -> dict[str, Any]:
    """One element of GET /metrics/aggregated, in S1's shape. `raw`: in another zone than the project's."""
    metric = point.metric
    bots = include_bots and metric.takes_bots
    key = f"{metric.name}:{metric.period}:{point.bucket}" + (":bots" if bots else "")
    if raw:
        key += f":{project.zone.key}"
    return {
        "id": _uuid5(project.namespace, key),
        "metric_date": point.bucket.isoformat(),
        "metric_type": metric.name,
        "period": metric.period.value,
        "value": as_number(point.figure.value),
        "metadata": {
            "calculated_at": as_utc(point.calculated_at),
            **explanation(point, project),
            "include_bots": bots,
            "source": "events" if raw or metric.measure is not None else "rollups",
        },
    }


def _uuid5(namespace: UUID, name: str) -> str:
    """As str(uuid.uuid5(...)), in a fifth of the time; a chart has hundreds of points (RFC 9562, section 5.5)."""
    digest = bytearray(sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def explanation(point: Point, project: Project) -> dict[str, Any]:
    """What a figure means and how far it can be trusted."""
    metric, figure = point.metric, point.figure
    explained: dict[str, Any] = {
        "definition": metric.definition,
        "definition_version": metric.version,
        "unit": str(metric.unit),
        "numerator": as_number(figure.numerator),
        "denominator": as_number(figure.denominator),
        "window": _window(metric, point.bucket),
        "zone": point.zone or project.zone.key,
        "state": point.state.value,
    }
    if metric.unit is Unit.CURRENCY:
        explained["currency"] = project.currency
    if metric.trailing:
        explained["partial"] = point.partial
    if metric.counts_people and (people := _counted_as(project, explained["window"])):
        explained["counted_as"] = people
    if point.sealed or point.late_unapplied:
        explained |= {"sealed": point.sealed, "late_unapplied": point.late_unapplied}
    return {**explained, **certainty(metric, figure.numerator, figure.denominator), **figure.details}


def _window(metric: Metric, bucket: date) -> dict[str, Any]:
    """The local days that a figure looks at, first and last included."""
    last = next_bucket(bucket, metric.period) - timedelta(days=1)
    if metric.window_days is None:
        return {"start": bucket.isoformat(), "end": last.isoformat()}
    if metric.trailing:
        start, end = last - timedelta(days=metric.window_days - 1), last
    else:
        start, end = bucket, last + timedelta(days=metric.window_days)
    return {"start": start.isoformat(), "end": end.isoformat(), "days": metric.window_days}


def _counted_as(project: Project, window: dict[str, Any]) -> str | None:
    # Asked only of projects that have such visitors, because a chart has hundreds of points.
    if project.visitor_days is None:
        return None
    return project.counted_as(date.fromisoformat(window["start"]), date.fromisoformat(window["end"]))


def certainty(metric: Metric, numerator: Decimal | None, denominator: Decimal | None) -> dict[str, Any]:
    """The warning about a small sample, and the 95 % interval of a proportion."""
    answer: dict[str, Any] = {}
    if metric.sampled and denominator is not None:
        answer["small_sample"] = denominator < SMALL_SAMPLE
    if metric.proportion and denominator and numerator is not None:
        low, high = wilson_interval(float(numerator), float(denominator))
        answer["interval"] = {"low": low, "high": high, "confidence": CONFIDENCE}
    return answer


def definition_answer(metric: Metric, project: Project, late_days: int) -> dict[str, Any]:
    """One element of GET /metrics/definitions."""
    return {
        "metric_type": metric.name,
        "period": metric.period.value,
        "unit": str(metric.unit),
        "currency": project.currency if metric.unit is Unit.CURRENCY else None,
        "title": metric.title or None,
        "definition": metric.definition,
        "custom": metric.measure is not None,
        "version": metric.version,
        "window_days": metric.window_days,
        "settles_after_days": metric.settles_after(late_days),
        "counts_people": metric.counts_people,
        "include_bots": metric.takes_bots,
    }


async def definition_answers(
    connection: AsyncConnection, project: Project, late_days: int
) -> list[dict[str, Any]]:
    """The catalogue, the project's own metrics last."""
    metrics = [*METRICS, *await own_metrics(connection, project.id)]
    return [definition_answer(metric, project, late_days) for metric in metrics]


def revision_answer(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One element of GET /metrics/revisions."""
    return {
        "id": row["id"],
        "metric_date": row["metric_date"].isoformat(),
        "metric_type": row["metric_type"],
        "period": row["period"],
        "old_value": as_number(row["old_value"]),
        "new_value": as_number(row["new_value"]),
        "cause": row["cause"],
        "changed_at": as_utc(row["changed_at"]),
    }

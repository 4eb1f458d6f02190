"""Figures of a project's own metrics, from the raw events that the rollups have counted, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import asks_person
from analytics_api.domain.measures import Measure, Measured, Of, Ratio
from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.filter_sql import Binds, filter_sql, number_sql
from analytics_api.store.metrics.days import sealed_days
from analytics_api.store.metrics.figure import Figure, Span, ratio
from analytics_api.store.metrics.stored import stored_figures
from analytics_api.store.statements import fetch

_AGGREGATES = {
    Of.EVENTS: "count(*)",
    Of.PERSONS: "count(DISTINCT person_id) FILTER (WHERE has_person)",
    Of.SUM: "coalesce(sum(number), 0)",
    Of.AVERAGE: "sum(number)",
    Of.MINIMUM: "min(number)",
    Of.MAXIMUM: "max(number)",
    Of.PERCENTILE: "percentile_disc(CAST(:share AS double precision)) WITHIN GROUP (ORDER BY number)",
}


_UNKNOWN = Figure(None, None, None, {"raw_events_gone": True})


async def measured(
    connection: AsyncConnection, metric: Metric, measure: Measured, span: Span
) -> dict[date, Figure]:
    """The figures of every bucket. Of one with sealed days what is kept stays; when nothing is, its value is unknown."""
    gone = await _gone(connection, metric, span)
    made: dict[date, Figure] = {}
    if len(gone) < len(span.buckets()):
        made = await _made(connection, measure, _Window.of(span))
    return {bucket: gone.get(bucket) or made[bucket] for bucket in span.buckets()}


async def _gone(connection: AsyncConnection, metric: Metric, span: Span) -> Mapping[date, Figure]:
    """Figures of the buckets that raw events are missing from."""
    sealed = await sealed_days(connection, span.project.id, span.first, span.after - timedelta(days=1))
    touched = [bucket for bucket in span.buckets() if sealed.touches(metric, bucket)]
    if not touched:
        return {}
    kept = {}
    if not (span.raw or span.include_bots):
        kept = (await stored_figures(connection, span.project, {metric: (touched[0], touched[-1])}))[
            metric.name
        ]
    return {bucket: kept[bucket].figure if bucket in kept else _UNKNOWN for bucket in touched}


async def measured_between(
    connection: AsyncConnection, measure: Measured, project: Project, begin: datetime, end: datetime
) -> Figure:
    """One figure of the time from `begin` up to `end`; unknown when raw events of some of its days are gone."""
    last = local_day(end - timedelta(microseconds=1), project.zone)
    if (await sealed_days(connection, project.id, local_day(begin, project.zone), last)).days:
        return _UNKNOWN
    made = await _made(connection, measure, _Window(project, begin, end, False, "date 'epoch'", [_EPOCH]))
    return made[_EPOCH]


_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class _Window:
    """Which events are read, and which buckets they go into."""

    project: Project
    begin: datetime
    end: datetime
    include_bots: bool
    bucket_sql: str
    """The bucket of the local date `day`."""
    buckets: list[date]

    @classmethod
    def of(cls, span: Span) -> Self:
        """The whole of a span."""
        zone = span.project.zone
        return cls(
            span.project,
            start_of_day(span.first, zone),
            start_of_day(span.after, zone),
            span.include_bots,
            span.bucket_sql(),
            span.buckets(),
        )


async def _made(connection: AsyncConnection, measure: Measured, window: _Window) -> dict[date, Figure]:
    if not isinstance(measure, Ratio):
        return await _numbers(connection, measure, window)
    above = await _numbers(connection, measure.numerator, window)
    below = await _numbers(connection, measure.denominator, window)
    return {bucket: ratio(above[bucket].value, below[bucket].value) for bucket in window.buckets}


async def _numbers(connection: AsyncConnection, measure: Measure, window: _Window) -> dict[date, Figure]:
    binds = Binds()
    parts = [filter_sql(measure.filters, binds)]
    if measure.events:
        parts.append("e.event_type = ANY (CAST(:types AS text[]))")
    number = "NULL::numeric" if measure.path is None else number_sql(measure.path, binds)
    asks = asks_person(measure.filters) or (measure.path is not None and measure.path.of_person)
    person = "LEFT JOIN persons p ON p.person_id = coalesce(m.canonical_id, e.person_id)" if asks else ""
    sql = f"""
        WITH chosen AS (
            SELECT (e.occurred_at AT TIME ZONE :zone)::date AS day, e.has_person,
                   coalesce(m.canonical_id, e.person_id) AS person_id, {number} AS number
            FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id {person}
            WHERE e.project_id = :project AND e.occurred_at >= :begin AND e.occurred_at < :end
              AND e.seq <= (SELECT position FROM readers WHERE project_id = :project AND name = 'rollups')
              AND e.seq NOT IN (SELECT seq FROM rollup_failures WHERE project_id = :project)
              AND (:bots OR NOT e.is_bot) AND {" AND ".join(parts)}
        )
        SELECT {window.bucket_sql} AS bucket, {_AGGREGATES[measure.of]} AS value, count(*) AS events, count(number) AS numbers
        FROM chosen GROUP BY 1
    """
    parameters = {
        "project": window.project.id,
        "zone": window.project.zone.key,
        "begin": window.begin,
        "end": window.end,
        "bots": window.include_bots,
        **binds.parameters,
    }
    if measure.events:
        parameters["types"] = list(measure.events)
    if measure.percentile is not None:
        parameters["share"] = float(measure.percentile / 100)
    found = {row.bucket: row for row in await fetch(connection, sql, parameters)}
    return {
        bucket: _figure(measure, row.value, row.events, row.numbers)
        if (row := found.get(bucket)) is not None
        else _figure(measure, None, 0, 0)
        for bucket in window.buckets
    }


def _figure(measure: Measure, value: int | Decimal | None, events: int, numbers: int) -> Figure:
    """`value` is what SQL makes of the bucket's events, None without any."""
    details = {} if measure.path is None else {"without_number": events - numbers}
    if measure.of is Of.AVERAGE:
        return ratio(value or 0, numbers, **details)
    if measure.of in (Of.EVENTS, Of.PERSONS, Of.SUM):
        value = value or 0
    known = None if value is None else Decimal(value)
    if measure.of in (Of.MINIMUM, Of.MAXIMUM, Of.PERCENTILE):
        return Figure(known, None, Decimal(numbers), details)
    return Figure(known, known, None, details)

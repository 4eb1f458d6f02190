"""Figures of a project's own metrics, from the raw events that the rollups have counted, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import asks_person
from analytics_api.domain.measures import Measure, Measured, Of, Ratio
from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import Period, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.filter_sql import Binds, filter_sql, number_sql
from analytics_api.store.metrics.days import sealed_days
from analytics_api.store.metrics.figure import Figure, Span, fetch, ratio
from analytics_api.store.metrics.stored import stored_figures

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
        made = await _made(connection, measure, span)
    return {bucket: gone.get(bucket) or made[bucket] for bucket in span.buckets()}


async def _gone(connection: AsyncConnection, metric: Metric, span: Span) -> Mapping[date, Figure]:
    """Figures of the buckets that raw events are missing from."""
    sealed = await sealed_days(connection, span.project.id, span.first, span.after - timedelta(days=1))
    touched = [bucket for bucket in span.buckets() if sealed.touches(metric, bucket)]
    if not touched:
        return {}
    kept = {}
    if not (span.raw or span.include_bots):
        kept = await stored_figures(connection, span.project, metric, touched[0], touched[-1])
    return {bucket: kept[bucket].figure if bucket in kept else _UNKNOWN for bucket in touched}


async def measured_range(
    connection: AsyncConnection, measure: Measured, project: Project, first: date, last: date, now: datetime
) -> Figure:
    """One figure of the days from `first` to `last`; unknown when raw events of some are gone."""
    if (await sealed_days(connection, project.id, first, last)).days:
        return _UNKNOWN
    span = _Stretch(project, Period.DAILY, first, last, now)
    return (await _made(connection, measure, span))[first]


class _Stretch(Span):
    """Its days as one bucket."""

    def buckets(self) -> list[date]:
        return [self.first]

    def bucket_sql(self, day: str = "day") -> str:
        return f"least({day}, CAST('{self.first.isoformat()}' AS date))"


async def _made(connection: AsyncConnection, measure: Measured, span: Span) -> dict[date, Figure]:
    if not isinstance(measure, Ratio):
        return await _numbers(connection, measure, span)
    above = await _numbers(connection, measure.numerator, span)
    below = await _numbers(connection, measure.denominator, span)
    return {bucket: ratio(above[bucket].value, below[bucket].value) for bucket in span.buckets()}


async def _numbers(connection: AsyncConnection, measure: Measure, span: Span) -> dict[date, Figure]:
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
            WHERE e.project_id = :project AND e.occurred_at >= :from AND e.occurred_at < :to
              AND e.seq <= (SELECT position FROM readers WHERE project_id = :project AND name = 'rollups')
              AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = e.project_id AND f.seq = e.seq)
              AND (:bots OR NOT e.is_bot) AND {" AND ".join(parts)}
        )
        SELECT {span.bucket_sql()} AS bucket, {_AGGREGATES[measure.of]} AS value, count(*) AS events, count(number) AS numbers
        FROM chosen GROUP BY 1
    """
    rows = await fetch(
        connection,
        sql,
        {
            "project": span.project.id,
            "zone": span.project.zone.key,
            "from": start_of_day(span.first, span.project.zone),
            "to": start_of_day(span.after, span.project.zone),
            "bots": span.include_bots,
            **({"types": list(measure.events)} if measure.events else {}),
            **({} if measure.percentile is None else {"share": float(measure.percentile / 100)}),
            **binds.parameters,
        },
    )
    found = {row.bucket: row for row in rows}
    return {
        bucket: _figure(measure, row.value, row.events, row.numbers)
        if (row := found.get(bucket)) is not None
        else _figure(measure, None, 0, 0)
        for bucket in span.buckets()
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

"""Numbers of events by bucket and value of a property."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from analytics_api.domain.analysis.calendar import Step
from analytics_api.domain.filters import Path
from analytics_api.domain.measures import ADDITIVE, Of
from analytics_api.store.analysis.labels import number_of, property_sql
from analytics_api.store.analysis.scope import Kind, Scope, Statement
from analytics_api.store.statements import fetch

_AGGREGATES = {
    Of.EVENTS: "count(*)",
    Of.SUM: "coalesce(sum(number), 0)",
    Of.AVERAGE: "avg(number)",
    Of.MINIMUM: "min(number)",
    Of.MAXIMUM: "max(number)",
    Of.PERCENTILE: "percentile_disc(CAST(:share AS double precision)) WITHIN GROUP (ORDER BY number)",
}


@dataclass(frozen=True, slots=True)
class Series:
    """What is measured."""

    of: Of
    kinds: Sequence[Kind]
    number: Path | None = None
    percentile: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """By which property is broken down, and the values that are told apart; all others are one."""

    path: Path
    values: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From an instant up to another, in buckets."""

    since: datetime
    until: datetime
    step: Step


Key = tuple[date | datetime | None, int | None]
"""First day of the bucket, or instant at which its hour begins; None for all of them at once. And the place of the value in the split:
len(values) for all others, None for all values at once."""


def _statement(scope: Scope, series: Series, stretch: Stretch) -> Statement:
    statement = Statement(scope, stretch.since, stretch.until, with_person=series.of is Of.PERSONS)
    statement.only_types_of(series.kinds)
    statement.only(statement.any_kind(series.kinds))
    return statement


async def numbers(
    scope: Scope, series: Series, stretch: Stretch, split: Split | None = None
) -> dict[Key, Decimal | None]:
    """The numbers of all buckets and values that have any event, each by itself and together. Reads the events once."""
    statement = _statement(scope, series, stretch)
    columns = {
        "bucket": _bucket(scope, statement, stretch.step),
        "place": "0" if split is None else _place(statement, split),
        "number": "NULL::numeric" if series.number is None else number_of(statement, series.number),
    }
    if series.of is Of.PERSONS:
        columns = {"person": statement.PERSON, **columns}
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    distinct = "DISTINCT" if series.of is Of.PERSONS else ""
    share = {} if series.percentile is None else {"share": series.percentile / 100}
    ways = [["bucket", "place"], ["place"], ["bucket"], []] if split is not None else [["bucket"], []]
    rows = await fetch(
        scope.connection,
        f"""
        WITH chosen AS MATERIALIZED (SELECT {distinct} {listed} {statement.source()})
        {" UNION ALL ".join(_aggregated(series.of, way) for way in ways)}
        """,
        statement.parameters(**share),
    )
    return {(row.bucket, row.place): None if row.value is None else Decimal(row.value) for row in rows}


def _aggregated(of: Of, way: Sequence[str]) -> str:
    """Numbers of what was chosen, by bucket, by place, by both or by neither."""
    names = ", ".join(name if name in way else f"NULL AS {name}" for name in ("bucket", "place"))
    by = ", ".join(way) or "()"
    if of is not Of.PERSONS:
        return f"SELECT {names}, {_AGGREGATES[of]} AS value FROM chosen GROUP BY {by}"
    persons = ", ".join((*way, "person"))
    return f"SELECT {names}, count(*) AS value FROM (SELECT DISTINCT {persons} FROM chosen) AS once GROUP BY {by}"


def nothing(series: Series) -> Decimal | None:
    """The number of no event."""
    return Decimal(0) if series.of in ADDITIVE else None


def _bucket(scope: Scope, statement: Statement, step: Step) -> str:
    zone = statement.binds.bind(scope.zone.key, "text")
    if step is Step.HOURLY:
        return f"date_trunc('hour', e.occurred_at, {zone})"
    day = f"(e.occurred_at AT TIME ZONE {zone})::date"
    if step is Step.WEEKLY:
        start = int(scope.project.week_start)
        day = f"{day} - (extract(isodow FROM {day})::integer + 7 - {start}) % 7"
    elif step is Step.MONTHLY:
        day = f"date_trunc('month', {day}::timestamp)::date"
    return day


def _place(statement: Statement, split: Split) -> str:
    """The place of an event's value among those that are told apart."""
    value = property_sql(statement, split.path)
    cases = [
        f"WHEN {'value IS NULL' if wanted is None else 'value = ' + statement.binds.bind(wanted, 'text')} THEN {place}"
        for place, wanted in enumerate(split.values)
    ]
    if not cases:
        return "0"
    return f"(SELECT CASE {' '.join(cases)} ELSE {len(split.values)} END FROM (SELECT {value} AS value) AS found)"


async def top_values(
    scope: Scope, series: Series, stretch: Stretch, path: Path, most: int
) -> list[str | None]:
    """The values that the most events, or persons, have."""
    statement = _statement(scope, series, stretch)
    value = property_sql(statement, path)
    found = f"SELECT {value} AS value {statement.source()}"
    if series.of is Of.PERSONS:
        found = f"SELECT DISTINCT {value} AS value, {statement.PERSON} AS person {statement.source()}"
    rows = await fetch(
        scope.connection,
        f"SELECT value FROM ({found}) AS found GROUP BY 1 ORDER BY count(*) DESC, 1 NULLS LAST LIMIT :most",
        statement.parameters(most=most),
    )
    return [row.value for row in rows]

"""Measures of the events in a window, in all or by a property: the one statement that most reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import EVERY_EVENT, AllOf, Path, asks_person
from analytics_api.domain.measures import Measure, Of
from analytics_api.store.filter_sql import Binds, filter_sql, number_sql, text_sql
from analytics_api.store.reports.window import Window
from analytics_api.store.statements import fetch

_AGGREGATES = {
    Of.EVENTS: "count(*)",
    Of.PERSONS: "count(DISTINCT person)",
    Of.SUM: "coalesce(sum({number}), 0)",
    Of.AVERAGE: "avg({number})",
    Of.MINIMUM: "min({number})",
    Of.MAXIMUM: "max({number})",
    Of.PERCENTILE: "percentile_disc({share}) WITHIN GROUP (ORDER BY {number})",
}
Number = int | Decimal | None


@dataclass(frozen=True, slots=True)
class By:
    """What events are grouped by."""

    paths: tuple[Path, ...] = ()
    """The text at the first of these that holds one."""
    sql: str = ""
    """Instead of paths: an expression of this package's own, never of a caller's."""
    known: bool = False
    """Whether events without a value are left out; else they are a group whose key is None."""

    @classmethod
    def path(cls, *paths: str, known: bool = False) -> By:
        """By the text at the first of some paths that holds one."""
        return cls(tuple(Path.parse(path) for path in paths), known=known)


DAY = By(sql="CAST((e.occurred_at AT TIME ZONE CAST(:zone AS text))::date AS text)")
"""By local day, as 2026-03-01."""
PERSON = By(
    sql="CASE WHEN e.has_person THEN CAST(coalesce(m.canonical_id, e.person_id) AS text) END", known=True
)


@dataclass(frozen=True, slots=True)
class Row:
    """One group: its key and its measures by name."""

    key: str | None
    values: dict[str, Number]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups asked for, most of the first measure first, and how many there are in all."""

    rows: list[Row]
    all: int


async def totals(
    connection: AsyncConnection,
    window: Window,
    measures: Mapping[str, Measure],
    *,
    filters: AllOf = EVERY_EVENT,
    persons: Sequence[UUID] | None = None,
) -> dict[str, Number]:
    """The measures of all events in the window. `persons`: only theirs, by the ids that events carry."""
    found = await _tabulate(connection, window, measures, By(sql="NULL::text"), filters, persons, 1, None)
    return found.rows[0].values if found.rows else _nothing(measures)


async def table(
    connection: AsyncConnection,
    window: Window,
    by: By,
    measures: Mapping[str, Measure],
    *,
    filters: AllOf = EVERY_EVENT,
    persons: Sequence[UUID] | None = None,
    limit: int = 10,
    after: tuple[Decimal, str] | None = None,
) -> Groups:
    """The measures by group. `after`: first measure and key of the last row of the page before."""
    return await _tabulate(connection, window, measures, by, filters, persons, limit, after)


def _nothing(measures: Mapping[str, Measure]) -> dict[str, Number]:
    return {
        name: 0 if measure.of in (Of.EVENTS, Of.PERSONS, Of.SUM) else None
        for name, measure in measures.items()
    }


async def _tabulate(
    connection: AsyncConnection,
    window: Window,
    measures: Mapping[str, Measure],
    by: By,
    filters: AllOf,
    persons: Sequence[UUID] | None,
    limit: int,
    after: tuple[Decimal, str] | None,
) -> Groups:
    binds = Binds()
    key = by.sql or f"coalesce({', '.join(text_sql(path, binds) for path in by.paths)})"
    columns, wanted = [], []
    for number, measure in enumerate(measures.values()):
        parts = [filter_sql(measure.filters, binds)] if measure.filters.parts else []
        if measure.events:
            parts.append(f"e.event_type = ANY ({binds.bind(list(measure.events), 'text[]')})")
        columns.append(f"({' AND '.join(parts) or 'true'}) AS c{number}")
        if measure.path is not None:
            columns.append(f"{number_sql(measure.path, binds)} AS n{number}")
        wanted.append(_aggregate(measure, number, binds))
    conditions = [window.chosen(binds), filter_sql(filters, binds)]
    types = sorted({kind for measure in measures.values() for kind in measure.events})
    if all(measure.events for measure in measures.values()):
        conditions.append(f"e.event_type = ANY ({binds.bind(types, 'text[]')})")
    if persons is not None:
        conditions.append(f"e.person_id = ANY ({binds.bind(list(persons), 'uuid[]')})")
    asks = [window.filters, filters, *(measure.filters for measure in measures.values())]
    person = "LEFT JOIN persons p ON p.person_id = coalesce(m.canonical_id, e.person_id)"
    sql = f"""
        WITH chosen AS (
            SELECT {key} AS key, CASE WHEN e.has_person THEN coalesce(m.canonical_id, e.person_id) END AS person,
                   {", ".join(columns)}
            FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
            {person if any(map(asks_person, asks)) else ""}
            WHERE {" AND ".join(f"({part})" for part in conditions)}
        ), grouped AS (
            SELECT key, {", ".join(wanted)} FROM chosen {"WHERE key IS NOT NULL" if by.known else ""} GROUP BY key
        ), counted AS (SELECT *, count(*) OVER () AS groups FROM grouped)
        SELECT * FROM counted {_behind(after, binds)} ORDER BY v0 DESC NULLS LAST, key COLLATE "C" LIMIT :limit
    """
    found = await fetch(
        connection, sql, window.parameters(zone=window.project.zone.key, limit=limit, **binds.parameters)
    )
    rows = [
        Row(row.key, {name: getattr(row, f"v{number}") for number, name in enumerate(measures)})
        for row in found
    ]
    return Groups(rows, found[0].groups if found else 0)


def _behind(after: tuple[Decimal, str] | None, binds: Binds) -> str:
    if after is None:
        return ""
    value, key = binds.bind(after[0], "numeric"), binds.bind(after[1], "text")
    return f'WHERE v0 < {value} OR (v0 = {value} AND key COLLATE "C" > {key})'


def _aggregate(measure: Measure, number: int, binds: Binds) -> str:
    share = ""
    if measure.percentile is not None:
        share = binds.bind(float(measure.percentile / 100), "double precision")
    made = _AGGREGATES[measure.of].format(number=f"n{number}", share=share)
    if measure.of is Of.SUM:
        return f"coalesce(sum(n{number}) FILTER (WHERE c{number}), 0) AS v{number}"
    return f"{made} FILTER (WHERE c{number}) AS v{number}"

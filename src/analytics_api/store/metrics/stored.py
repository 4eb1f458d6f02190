"""Figures kept of closed buckets, and what became of final ones that changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import Metric, State
from analytics_api.domain.project import Project
from analytics_api.store.metrics.days import TIME_ZONE
from analytics_api.store.metrics.figure import Figure
from analytics_api.store.statements import Asked, fetch
from analytics_api.store.tables.figures import metric_revisions


@dataclass(frozen=True, slots=True)
class StoredFigure:
    """A kept figure, the state it had and when it was made."""

    figure: Figure
    state: State
    calculated_at: datetime
    zone: str
    """In whose days it was counted."""


def stored_asked(project: Project, wanted: Mapping[Metric, tuple[date, date]]) -> Asked:
    """The statement behind `stored_figures`."""
    return Asked(
        """
        SELECT metric_type, metric_date, value, numerator, denominator, kept.state, details::text, calculated_at, time_zone
        FROM unnest(CAST(:metrics AS text[]), CAST(:periods AS text[]), CAST(:versions AS integer[]), CAST(:firsts AS date[]),
                    CAST(:lasts AS date[])) AS wanted (metric, period, version, first, last)
        JOIN aggregated_metrics kept ON kept.project_id = :project AND kept.metric_type = wanted.metric
            AND kept.period = wanted.period AND kept.metric_date >= wanted.first AND kept.metric_date <= wanted.last
        WHERE kept.definition_version = wanted.version AND kept.stale IS NULL
        """,
        {
            "project": project.id,
            "metrics": [metric.name for metric in wanted],
            "periods": [metric.period.value for metric in wanted],
            "versions": [metric.version for metric in wanted],
            "firsts": [first for first, _ in wanted.values()],
            "lasts": [last for _, last in wanted.values()],
        },
        ("metric", "day", "value", "numerator", "denominator", "state", "details", "calculated_at", "zone"),
    )


async def stored_figures(
    connection: AsyncConnection, project: Project, wanted: Mapping[Metric, tuple[date, date]]
) -> dict[str, dict[date, StoredFigure]]:
    """Kept figures of each metric from a first to a last bucket that were made by today's definition, by name and bucket."""
    asked = stored_asked(project, wanted)
    return stored_in(wanted, await fetch(connection, asked.sql, asked.parameters))


def stored_in(wanted: Iterable[Metric], rows: Iterable[Any]) -> dict[str, dict[date, StoredFigure]]:
    """The figures in the rows of `stored_asked`."""
    found: dict[str, dict[date, StoredFigure]] = {metric.name: {} for metric in wanted}
    # A chart has hundreds of these: unpacked at once, and what most of them share is made once.
    for name, day, value, top, bottom, state, details, calculated_at, zone in rows:
        figure = Figure(value, top, bottom, orjson.loads(details) if details != "{}" else {})
        found[name][day] = StoredFigure(figure, _STATES[state], calculated_at, zone)
    return found


async def stored_version(
    connection: AsyncConnection, project: Project, metric: Metric, first: date, last: date
) -> tuple[int, str]:
    """How many such figures there are, made in the project's zone, and a text that is another one after any change of them.

    A transaction's number is never given twice, and of the rows that one has written fewer and fewer are left: the same numbers
    are the same rows (PostgreSQL, "System Columns": xmin).
    """
    [row] = await fetch(
        connection,
        """
        SELECT count(*) AS figures, md5(string_agg(xmin::text, ' ' ORDER BY metric_date)) AS version FROM aggregated_metrics
        WHERE project_id = :project AND metric_type = :metric AND period = :period
          AND metric_date >= :first AND metric_date <= :last
          AND definition_version = :version AND stale IS NULL AND time_zone = :zone
        """,
        {**_key(project, metric), "first": first, "last": last},
    )
    return row.figures, row.version


_STATES = {state.value: state for state in State}


@dataclass(frozen=True, slots=True)
class NewFigure:
    """A figure to keep. `cause` says why, should it change a final one."""

    bucket: date
    figure: Figure
    state: State
    cause: str


_SAVE = """
    WITH made AS (
        SELECT metric_date, value, numerator, denominator, state, details::jsonb, cause
        FROM unnest(CAST(:dates AS date[]), CAST(:values AS numeric[]), CAST(:numerators AS numeric[]),
                    CAST(:denominators AS numeric[]), CAST(:states AS text[]), CAST(:details AS text[]),
                    CAST(:causes AS text[]))
            AS m (metric_date, value, numerator, denominator, state, details, cause)
    ), revised AS (
        INSERT INTO metric_revisions
            (project_id, metric_type, period, metric_date, old_value, new_value, cause, changed_at)
        SELECT :project, :metric, :period, made.metric_date, old.value, made.value, made.cause, :now
        FROM made JOIN aggregated_metrics old ON old.project_id = :project AND old.metric_type = :metric
            AND old.period = :period AND old.metric_date = made.metric_date
        WHERE old.state = 'final' AND old.value IS DISTINCT FROM made.value
        ORDER BY made.metric_date
        RETURNING 1
    ), written AS (
        INSERT INTO aggregated_metrics (project_id, metric_type, period, metric_date, value, numerator, denominator,
                                        state, definition_version, time_zone, details, calculated_at)
        SELECT :project, :metric, :period, metric_date, value, numerator, denominator, state, :version, :zone,
               details, :now
        FROM made
        ON CONFLICT (project_id, metric_type, period, metric_date) DO UPDATE SET
            value = excluded.value, numerator = excluded.numerator, denominator = excluded.denominator,
            state = excluded.state, definition_version = excluded.definition_version,
            time_zone = excluded.time_zone, details = excluded.details, calculated_at = excluded.calculated_at,
            stale = NULL
    )
    SELECT count(*) FROM revised
"""


async def save_figures(
    connection: AsyncConnection, project: Project, metric: Metric, figures: Sequence[NewFigure], now: datetime
) -> int:
    """Replace the kept figures of some buckets. Returns how many final values changed; each left a revision."""
    parameters = {
        **_key(project, metric),
        "now": now,
        "dates": [new.bucket for new in figures],
        "values": [new.figure.value for new in figures],
        "numerators": [new.figure.numerator for new in figures],
        "denominators": [new.figure.denominator for new in figures],
        "states": [new.state.value for new in figures],
        "details": [orjson.dumps(new.figure.details, default=_number).decode() for new in figures],
        "causes": [new.cause for new in figures],
    }
    return int((await connection.execute(text(_SAVE), parameters)).scalar_one())


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _key(project: Project, metric: Metric) -> dict[str, Any]:
    return {
        "project": project.id,
        "metric": metric.name,
        "period": metric.period.value,
        "version": metric.version,
        "zone": project.zone.key,
    }


_SERIES_STEP = {"daily": "1 day", "weekly": "7 days", "monthly": "1 month"}


async def unsettled_buckets(
    connection: AsyncConnection,
    project: Project,
    metric: Metric,
    first: date,
    last: date,
    final_until: date,
) -> dict[date, str]:
    """Buckets from `first` to `last` whose figure is missing, stale, made by another definition or in another zone, or due to become final; why.

    `final_until` is the last bucket that is final by now.
    """
    rows = await fetch(
        connection,
        f"""
        SELECT due.bucket::date AS bucket,
               coalesce(kept.stale, CASE WHEN kept.time_zone <> :zone THEN '{TIME_ZONE}' END, 'definition') AS cause
        FROM generate_series(CAST(:first AS date)::timestamp, CAST(:last AS date)::timestamp,
                             interval '{_SERIES_STEP[metric.period.value]}') AS due (bucket)
        LEFT JOIN aggregated_metrics kept ON kept.project_id = :project AND kept.metric_type = :metric
            AND kept.period = :period AND kept.metric_date = due.bucket::date
        WHERE kept.metric_date IS NULL OR kept.definition_version <> :version OR kept.time_zone <> :zone
           OR (kept.state <> 'final' AND kept.metric_date <= :final_until) OR kept.stale IS NOT NULL
        ORDER BY 1
        """,
        {**_key(project, metric), "first": first, "last": last, "final_until": final_until},
    )
    return {row.bucket: row.cause for row in rows}


async def mark_stale(
    connection: AsyncConnection, project: Project, metric: Metric, causes: Mapping[date, str]
) -> None:
    """Kept figures of some buckets are no longer true, and why. What is stale already keeps its first cause."""
    await connection.execute(
        text(
            """
            UPDATE aggregated_metrics kept SET stale = coalesce(kept.stale, touched.cause)
            FROM unnest(CAST(:buckets AS date[]), CAST(:causes AS text[])) AS touched (bucket, cause)
            WHERE kept.project_id = :project AND kept.metric_type = :metric AND kept.period = :period
              AND kept.metric_date = touched.bucket
            """
        ),
        {
            "project": project.id,
            "metric": metric.name,
            "period": metric.period.value,
            "buckets": list(causes),
            "causes": list(causes.values()),
        },
    )


@dataclass(frozen=True, slots=True)
class RevisionFilter:
    """Which revisions are asked for; None leaves a condition out."""

    metric: str | None = None
    period: str | None = None
    first: date | None = None
    last: date | None = None
    before_id: int | None = None
    """Only revisions older than this one: the last of the page before."""


async def revisions(
    connection: AsyncConnection, project_id: int, wanted: RevisionFilter, limit: int
) -> list[RowMapping]:
    """Changes of final figures, newest first."""
    table = metric_revisions.c
    query = select(metric_revisions).where(table.project_id == project_id)
    for column, value in ((table.metric_type, wanted.metric), (table.period, wanted.period)):
        if value is not None:
            query = query.where(column == value)
    if wanted.first is not None:
        query = query.where(table.metric_date >= wanted.first)
    if wanted.last is not None:
        query = query.where(table.metric_date <= wanted.last)
    if wanted.before_id is not None:
        query = query.where(table.id < wanted.before_id)
    rows = await connection.execute(query.order_by(table.id.desc()).limit(limit))
    return [row._mapping for row in rows]

"""Metrics that projects define for themselves. Every change is a row of its own, so that nothing of the past is lost."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.custom_metrics import CustomMetric, parse_custom_metric
from analytics_api.domain.metrics import METRICS_BY_NAME, Metric, find_metric
from analytics_api.domain.period import Period
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.store.statements import fetch

MOST_METRICS = 100
"""Of one project: closing a day makes the figures of each."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredMetric:
    """A definition as it is now."""

    metric: CustomMetric
    revision: int
    changed_at: datetime


_CURRENT = """
    SELECT DISTINCT ON (name) name, revision, version, definition::text, changed_at FROM custom_metrics
    WHERE project_id = :project AND (CAST(:name AS text) IS NULL OR name = :name) ORDER BY name, revision DESC
"""


async def custom_metrics(connection: AsyncConnection, project_id: int) -> list[StoredMetric]:
    """The definitions of a project, by name. One that this version of the program cannot read is left out."""
    found = []
    for row in await fetch(connection, _CURRENT, {"project": project_id, "name": None}):
        if row.definition is not None:
            try:
                found.append(_stored(row))
            except ValueError as error:
                logger.error("metric %s of project %d cannot be read: %s", row.name, project_id, error)
    return found


async def find_custom_metric(connection: AsyncConnection, project_id: int, name: str) -> StoredMetric | None:
    """The definition of that name."""
    rows = await fetch(connection, _CURRENT, {"project": project_id, "name": name})
    return _stored(rows[0]) if rows and rows[0].definition is not None else None


async def metric_called(
    connection: AsyncConnection, project_id: int, name: str, period: Period | None = None
) -> Metric | None:
    """The metric of that name, of the product or the project's own; the latter by day when no period is given."""
    found = find_metric(name, period)
    if found is not None or name in METRICS_BY_NAME:
        return found
    own = await find_custom_metric(connection, project_id, name)
    return None if own is None else own.metric.metric(period or Period.DAILY)


async def is_custom_metric(connection: asyncpg.Connection, project_id: int, name: str) -> bool:
    """Whether the project has defined a metric of that name."""
    return bool(
        await connection.fetchval(
            """
            SELECT definition IS NOT NULL FROM custom_metrics WHERE project_id = $1 AND name = $2
            ORDER BY revision DESC LIMIT 1
            """,
            project_id,
            name,
        )
    )


async def metric_history(
    connection: AsyncConnection, project_id: int, name: str
) -> list[tuple[int, int, datetime, dict[str, Any] | None]]:
    """Revision, version, time and definition (None: removed) of every change, the newest first."""
    rows = await fetch(
        connection,
        """
        SELECT revision, version, changed_at, definition::text FROM custom_metrics
        WHERE project_id = :project AND name = :name ORDER BY revision DESC
        """,
        {"project": project_id, "name": name},
    )
    return [
        (row.revision, row.version, row.changed_at, row.definition and json.loads(row.definition))
        for row in rows
    ]


async def add_custom_metric(
    connection: AsyncConnection, project_id: int, metric: CustomMetric, now: datetime
) -> StoredMetric:
    """Store a new definition. Raises Conflict when there is one of that name, Unprocessable when there are too many."""
    await _lock(connection, project_id)
    last = await _last(connection, project_id, metric.name)
    if last is not None and last.definition is not None:
        raise Conflict(f"There is a metric {metric.name}: change it, or use another name.")
    if len(await custom_metrics(connection, project_id)) >= MOST_METRICS:
        raise Unprocessable(f"There are {MOST_METRICS} metrics already: remove one first.")
    revision, version = (1, 1) if last is None else (last.revision + 1, last.version + 1)
    return await _write(connection, project_id, metric, revision, version, now)


async def replace_custom_metric(
    connection: AsyncConnection, project_id: int, metric: CustomMetric, now: datetime
) -> StoredMetric:
    """Put another definition in its place; the version is raised when it measures something else. Raises NotFound."""
    await _lock(connection, project_id)
    last = await find_custom_metric(connection, project_id, metric.name)
    if last is None:
        raise NotFound(f"There is no metric {metric.name} of the project's own.")
    if last.metric.as_json() == metric.as_json():
        return last
    version = last.metric.version + (last.metric.measure != metric.measure)
    return await _write(connection, project_id, metric, last.revision + 1, version, now)


async def remove_custom_metric(
    connection: AsyncConnection, project_id: int, name: str, now: datetime
) -> None:
    """Take a metric away; its revisions stay. One made later under its name is another version. Raises NotFound."""
    await _lock(connection, project_id)
    last = await find_custom_metric(connection, project_id, name)
    if last is None:
        raise NotFound(f"There is no metric {name} of the project's own.")
    await _insert(connection, project_id, name, last.revision + 1, last.metric.version, None, now)
    await connection.execute(
        text("DELETE FROM aggregated_metrics WHERE project_id = :project AND metric_type = :name"),
        {"project": project_id, "name": name},
    )


async def own_metrics(connection: AsyncConnection, project_id: int) -> list[Metric]:
    """The project's own metrics as the catalogue has them: each by day, week and month."""
    return [
        stored.metric.metric(period)
        for stored in await custom_metrics(connection, project_id)
        for period in Period
    ]


def _stored(row: Any) -> StoredMetric:
    return StoredMetric(
        parse_custom_metric(json.loads(row.definition), row.version), row.revision, row.changed_at
    )


async def _lock(connection: AsyncConnection, project_id: int) -> None:
    """One change of a project's definitions at a time."""
    await connection.execute(
        text("SELECT 1 FROM projects WHERE id = :project FOR NO KEY UPDATE"), {"project": project_id}
    )


async def _last(connection: AsyncConnection, project_id: int, name: str) -> Any:
    rows = await fetch(connection, _CURRENT, {"project": project_id, "name": name})
    return rows[0] if rows else None


async def _write(
    connection: AsyncConnection,
    project_id: int,
    metric: CustomMetric,
    revision: int,
    version: int,
    now: datetime,
) -> StoredMetric:
    definition = json.dumps(metric.as_json())
    await _insert(connection, project_id, metric.name, revision, version, definition, now)
    return StoredMetric(parse_custom_metric(metric.as_json(), version), revision, now)


async def _insert(
    connection: AsyncConnection,
    project_id: int,
    name: str,
    revision: int,
    version: int,
    definition: str | None,
    now: datetime,
) -> None:
    await connection.execute(
        text(
            """
            INSERT INTO custom_metrics (project_id, name, revision, version, definition, changed_at)
            VALUES (:project, :name, :revision, :version, CAST(:definition AS jsonb), :now)
            """
        ),
        {
            "project": project_id,
            "name": name,
            "revision": revision,
            "version": version,
            "definition": definition,
            "now": now,
        },
    )

"""Adding, changing and removing a project's own metrics: what the API and the command line do, and the same errors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.custom_metrics import CustomMetric, parse_custom_metric
from analytics_api.domain.measures import Ratio
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.store import custom_metrics as store
from analytics_api.store.custom_metrics import StoredMetric
from analytics_api.store.engine import Database
from analytics_api.store.filter_sql import check_patterns


async def add_metric(
    database: Database, project: Project, definition: dict[str, Any], now: datetime
) -> StoredMetric:
    """Add a metric. Raises Unprocessable naming the field, and Conflict."""
    metric = _parsed(definition)
    async with database.write() as connection:
        await _check(connection, metric)
        return await store.add_custom_metric(connection, project.id, metric, now)


async def replace_metric(
    database: Database, project: Project, definition: dict[str, Any], now: datetime
) -> StoredMetric:
    """Put another definition in place of that of its name. Raises Unprocessable naming the field, and NotFound."""
    metric = _parsed(definition)
    async with database.write() as connection:
        await _check(connection, metric)
        return await store.replace_custom_metric(connection, project.id, metric, now)


async def remove_metric(database: Database, project: Project, name: str, now: datetime) -> None:
    """Remove a metric. Raises NotFound."""
    async with database.write() as connection:
        await store.remove_custom_metric(connection, project.id, name, now)


def _parsed(definition: dict[str, Any]) -> CustomMetric:
    try:
        return parse_custom_metric(definition)
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None


async def _check(connection: AsyncConnection, metric: CustomMetric) -> None:
    measure = metric.measure
    parts = [measure.numerator, measure.denominator] if isinstance(measure, Ratio) else [measure]
    for part in parts:
        try:
            await check_patterns(connection, part.filters)
        except ValueError as error:
            raise Unprocessable(f"measure.filters: {error}.") from None

"""What there is for tools that bring their own questions: event types, their properties, and views in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.statements import fetch

SCHEMA = "bi"
MOST_TYPES = 1_000
SAMPLE = 2_000
"""The newest events whose properties are looked at."""


async def event_types(connection: AsyncConnection, project_id: int) -> list[Any]:
    """(event_type, events, first_day, last_day), most first; bots included."""
    sql = """
        SELECT event_type, sum(events) AS events, min(day) AS first_day, max(day) AS last_day
        FROM event_days WHERE project_id = :project GROUP BY event_type ORDER BY 2 DESC, 1 LIMIT :most
    """
    return await fetch(connection, sql, {"project": project_id, "most": MOST_TYPES})


async def properties(connection: AsyncConnection, project_id: int) -> list[Any]:
    """(event_type, name, types) of the properties in the newest events."""
    sql = """
        SELECT e.event_type, d.key AS name, array_agg(DISTINCT jsonb_typeof(d.value)) AS types
        FROM (SELECT event_type, event_data FROM events WHERE project_id = :project
              ORDER BY seq DESC LIMIT :sample) AS e
        CROSS JOIN LATERAL jsonb_each(e.event_data) AS d
        GROUP BY 1, 2 ORDER BY 1, 2
    """
    return await fetch(connection, sql, {"project": project_id, "sample": SAMPLE})


async def views(connection: AsyncConnection) -> list[Any]:
    """(view, name, type) of the columns of the views, in their order."""
    sql = """
        SELECT table_name AS view, column_name AS name, data_type AS type FROM information_schema.columns
        WHERE table_schema = :schema ORDER BY table_name, ordinal_position
    """
    return await fetch(connection, sql, {"schema": SCHEMA})

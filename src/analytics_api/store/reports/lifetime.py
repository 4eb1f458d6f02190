"""What a project has counted since its first day, from rollups that stay when raw events go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Events by type, and distinct persons with a page view; bots are left out."""

    events: dict[str, int]
    visitors: int


async def lifetime(connection: AsyncConnection, project_id: int, types: Sequence[str]) -> Lifetime:
    """Counts of some types; 0 for those that never came."""
    sql = """
        SELECT event_type, sum(events) AS events FROM event_days
        WHERE project_id = :project AND event_type = ANY (CAST(:types AS text[])) AND NOT is_bot GROUP BY event_type
    """
    counted = await fetch(connection, sql, {"project": project_id, "types": list(types)})
    seen = """
        SELECT count(DISTINCT person_id) AS persons FROM sessions
        WHERE project_id = :project AND page_views > 0 AND NOT is_bot
    """
    [visitors] = await fetch(connection, seen, {"project": project_id})
    return Lifetime(
        {**dict.fromkeys(types, 0), **{row.event_type: int(row.events) for row in counted}}, visitors.persons
    )

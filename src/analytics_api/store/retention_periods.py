"""How long each project keeps its raw events: rows in, rows out."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import asyncpg

from analytics_api.domain.retention import Periods

_OTHERS = ""
"""In place of a type: all types without a row of their own."""


async def all_periods(connection: asyncpg.Connection) -> dict[int, Periods]:
    """By project; those that have decided nothing are left out."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch("SELECT project_id, event_type, days FROM retention_periods"):
        found[row["project_id"]][row["event_type"]] = row["days"]
    return {project_id: _periods(days) for project_id, days in found.items()}


async def find_periods(connection: asyncpg.Connection, project_id: int) -> Periods:
    """What a project has decided."""
    rows = await connection.fetch(
        "SELECT event_type, days FROM retention_periods WHERE project_id = $1", project_id
    )
    return _periods({row["event_type"]: row["days"] for row in rows})


async def save_periods(
    connection: asyncpg.Connection, project_id: int, periods: Periods, now: datetime
) -> None:
    """Decide for a project, in place of what was decided before."""
    days = dict(periods.event_types)
    if periods.days is not None:
        days[_OTHERS] = periods.days
    async with connection.transaction():
        await connection.execute("DELETE FROM retention_periods WHERE project_id = $1", project_id)
        await connection.executemany(
            """
            INSERT INTO retention_periods (project_id, event_type, days, updated_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (project_id, event_type) DO UPDATE SET days = excluded.days, updated_at = excluded.updated_at
            """,
            [(project_id, event_type, number, now) for event_type, number in days.items()],
        )


def _periods(days: dict[str, int]) -> Periods:
    return Periods(
        days.get(_OTHERS), {event_type: days[event_type] for event_type in sorted(days) if event_type}
    )

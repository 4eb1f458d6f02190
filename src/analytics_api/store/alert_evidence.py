"""What alert rules look at beside the overview of deliveries: the figures' backlog, last events, last runs. Reads only."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from analytics_api.store.delivery_standing import OLDEST_PENDING
from analytics_api.store.metrics.days import ROLLUP_READER


async def oldest_uncounted(connection: asyncpg.Connection, project_id: int) -> datetime | None:
    """The arrival of the oldest event that the figures of a project do not hold yet; None when they hold all."""
    moment: datetime | None = await connection.fetchval(
        f"SELECT {OLDEST_PENDING} FROM readers r WHERE r.project_id = $1 AND r.name = $2",
        project_id,
        ROLLUP_READER,
    )
    return moment


async def last_event_at(
    connection: asyncpg.Connection, project_id: int, event_type: str, now: datetime
) -> datetime | None:
    """When an event of a type last happened, up to now; None when there is none in the log."""
    moment: datetime | None = await connection.fetchval(
        """
        SELECT occurred_at FROM events WHERE project_id = $1 AND event_type = $2 AND occurred_at <= $3
        ORDER BY occurred_at DESC LIMIT 1
        """,
        project_id,
        event_type,
        now,
    )
    return moment


async def last_successes(connection: asyncpg.Connection) -> dict[str, datetime]:
    """When each periodic job last ran to its end."""
    rows = await connection.fetch(
        "SELECT name, last_succeeded_at FROM jobs WHERE last_succeeded_at IS NOT NULL"
    )
    return {row["name"]: row["last_succeeded_at"] for row in rows}

"""The planner's statistics after much was written at once."""

from __future__ import annotations

import asyncpg

_TABLES = (
    "events",
    "persons",
    "person_days",
    "person_firsts",
    "sessions",
    "payments",
    "subscription_changes",
)


async def refresh_statistics(connection: asyncpg.Connection) -> None:
    """Look at the tables that figures join.

    PostgreSQL does so by itself a minute later at the earliest. Until then it takes 70,000 rows for a handful, and joins them row
    by row: churn after the import of a small shop took more than 30 s instead of 0.1.
    """
    for table in _TABLES:
        await connection.execute(f"ANALYZE {table}")

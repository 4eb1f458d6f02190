"""What the last run of retention did in each project. Removed events are counted in the transaction that removes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class RetentionState:
    """Of one project."""

    started_at: datetime
    finished_at: datetime | None
    """None while the run goes on, or when it was cut off: the next one goes on where it was."""
    events: int
    """Removed one by one; those of dropped partitions are not counted."""
    partitions: Sequence[str]
    blocked: Mapping[str, str]
    """What had to stay, and why."""
    blocked_since: datetime | None
    """First of the runs in a row that had to leave something."""


async def begin_run(connection: asyncpg.Connection, project_ids: Sequence[int], now: datetime) -> None:
    """A run begins; what blocked the last one is known until this one ends."""
    await connection.execute(
        """
        INSERT INTO retention_states (project_id, started_at) SELECT id, $2 FROM unnest($1::int[]) AS of (id)
        ON CONFLICT (project_id) DO UPDATE SET
            started_at = excluded.started_at, finished_at = NULL, events = 0, partitions = '{}'
        """,
        list(project_ids),
        now,
    )


async def add_events(connection: asyncpg.Connection, project_id: int, events: int) -> None:
    """So many more were removed."""
    await connection.execute(
        "UPDATE retention_states SET events = events + $2 WHERE project_id = $1", project_id, events
    )


async def add_partition(connection: asyncpg.Connection, project_ids: Sequence[int], name: str) -> None:
    """A partition was dropped that held events of these projects."""
    await connection.execute(
        "UPDATE retention_states SET partitions = partitions || $2::text WHERE project_id = ANY ($1)",
        list(project_ids),
        name,
    )


async def end_run(
    connection: asyncpg.Connection, project_id: int, blocked: Mapping[str, str], now: datetime
) -> None:
    """A run has ended, and had to leave what is `blocked`."""
    await connection.execute(
        """
        UPDATE retention_states SET finished_at = $2, blocked = $3::jsonb,
            blocked_since = CASE WHEN $4 THEN coalesce(blocked_since, $2) END
        WHERE project_id = $1
        """,
        project_id,
        now,
        json.dumps(dict(list(blocked.items())[:MOST_REASONS])),
        bool(blocked),
    )


async def find_state(connection: asyncpg.Connection, project_id: int) -> RetentionState | None:
    """Of a project; None before the first run."""
    row = await connection.fetchrow(
        """
        SELECT started_at, finished_at, events, partitions, blocked::text, blocked_since
        FROM retention_states WHERE project_id = $1
        """,
        project_id,
    )
    if row is None:
        return None
    return RetentionState(**{**row, "blocked": json.loads(row["blocked"])})

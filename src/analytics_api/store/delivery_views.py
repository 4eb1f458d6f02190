"""How the destinations stand, and the sandbox's payloads, as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.store.deliveries import PREFIX
from analytics_api.store.engine import QUERY_TIMEOUT_MS

MOST_PENDING = 1_000_000
"""Pending events are counted up to here (about 0.2 s); a backlog beyond is shown as this number."""


@dataclass(frozen=True, slots=True)
class Overview:
    """How a destination stands, in one snapshot."""

    destination: str
    position: int
    paused: bool
    reason: str | None
    failures: int
    retry_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    pending: int
    parked: int
    oldest_received_at: datetime | None
    counts: dict[tuple[str, str, str], int]
    """(event type, outcome, reason): events."""


@dataclass(frozen=True, slots=True)
class SandboxPayload:
    """A payload that was logged instead of sent. `payload` is JSON text."""

    id: int
    event_id: UUID
    event_type: str
    payload: str
    logged_at: datetime


async def overviews(connection: asyncpg.Connection, project_id: int) -> list[Overview]:
    """All destinations of a project that have a reader, by name."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
        rows = await connection.fetch(
            """
            SELECT substr(name, length($2) + 1) AS destination, position, state = 'paused' AS paused, reason, failures,
                retry_at, last_error, last_error_at
            FROM readers WHERE project_id = $1 AND starts_with(name, $2) ORDER BY name
            """,
            project_id,
            PREFIX,
        )
        return [await _overview(connection, project_id, row) for row in rows]


async def _overview(connection: asyncpg.Connection, project_id: int, row: asyncpg.Record) -> Overview:
    backlog = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM (
                    SELECT 1 FROM events WHERE project_id = $1 AND seq > $2 LIMIT $4) AS waiting) AS pending,
            (SELECT received_at FROM events WHERE project_id = $1 AND seq > $2 ORDER BY seq LIMIT 1) AS oldest,
            (SELECT count(*) FROM parked_events WHERE project_id = $1 AND destination = $3) AS parked,
            (SELECT min(received_at) FROM parked_events WHERE project_id = $1 AND destination = $3) AS oldest_parked
        """,
        project_id,
        row["position"],
        row["destination"],
        MOST_PENDING,
    )
    counts = await connection.fetch(
        """
        SELECT event_type, outcome, reason, sum(events)::bigint AS events FROM delivery_counts
        WHERE project_id = $1 AND destination = $2 GROUP BY event_type, outcome, reason HAVING sum(events) <> 0
        """,
        project_id,
        row["destination"],
    )
    if backlog is None:
        raise RuntimeError("a SELECT without FROM gave no row")
    waiting = [moment for moment in (backlog["oldest"], backlog["oldest_parked"]) if moment is not None]
    return Overview(
        **dict(row),
        pending=backlog["pending"],
        parked=backlog["parked"],
        oldest_received_at=min(waiting, default=None),
        counts={
            (count["event_type"], count["outcome"], count["reason"]): count["events"] for count in counts
        },
    )


async def sandbox_payloads(
    connection: asyncpg.Connection, project_id: int, *, before: int | None, limit: int
) -> list[SandboxPayload]:
    """The last payloads, newest first; `before` is the id of the last one seen."""
    rows = await connection.fetch(
        """
        SELECT id, event_id, event_type, payload, logged_at FROM sandbox_payloads
        WHERE project_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
        """,
        project_id,
        before,
        limit,
    )
    return [SandboxPayload(*row.values()) for row in rows]

"""Where the readers of destinations stand: one reading for the overview and for alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.store.deliveries import PREFIX

OLDEST_PENDING = """
    (SELECT e.received_at FROM events e WHERE e.project_id = r.project_id AND e.seq > r.position ORDER BY e.seq LIMIT 1)
"""
"""SQL for the arrival of the first event that a reader `r` has not read; NULL when there is none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The reader of a destination's live events."""

    destination: str
    position: int
    paused: bool
    reason: str | None
    """Why it is paused, for people."""
    failures: int
    """In a row."""
    retry_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    oldest_received_at: datetime | None
    """The arrival of the oldest event that is pending or parked."""


async def standings(
    connection: asyncpg.Connection, project_id: int, destination: str | None = None
) -> list[Standing]:
    """All destinations of a project that have a reader, or the one named, by name. Replays are left out."""
    rows = await connection.fetch(
        f"""
        SELECT d.destination, r.position, r.state = 'paused' AS paused, r.reason, r.failures, r.retry_at, r.last_error,
            r.last_error_at,
            least({OLDEST_PENDING},
                  (SELECT min(p.received_at) FROM parked_events p
                   WHERE p.project_id = r.project_id AND p.destination = d.destination)) AS oldest_received_at
        FROM readers r CROSS JOIN LATERAL (SELECT substr(r.name, length($2) + 1) AS destination) d
        WHERE r.project_id = $1 AND starts_with(r.name, $2) AND ($3::text IS NULL OR d.destination = $3)
        ORDER BY d.destination
        """,
        project_id,
        PREFIX,
        destination,
    )
    return [Standing(*row.values()) for row in rows]

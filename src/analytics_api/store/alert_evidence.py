"""What alert rules look at: backlogs, outcomes, pauses, last events, last runs. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.domain.outcome import EndState
from analytics_api.store.deliveries import PREFIX, reader_name
from analytics_api.store.metrics.days import ROLLUP_READER
from analytics_api.store.replays import MARK


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reader of the log and the oldest event that it is not done with."""

    reader: str
    oldest: datetime


async def oldest_waiting(
    connection: asyncpg.Connection, project_id: int, destination: str | None
) -> list[Waiting]:
    """Destinations and the rollups of a project, or the destination named, that are not done; by time of arrival.

    Replays are left out: they begin with old events.
    """
    rows = await connection.fetch(
        """
        SELECT r.name, least(
            (SELECT e.received_at FROM events e WHERE e.project_id = $1 AND e.seq > r.position ORDER BY e.seq LIMIT 1),
            (SELECT min(p.received_at) FROM parked_events p
             WHERE p.project_id = $1 AND p.destination = substr(r.name, length($3) + 1) AND starts_with(r.name, $3))
        ) AS oldest
        FROM readers r
        WHERE r.project_id = $1
          AND CASE WHEN $2::text IS NULL THEN starts_with(r.name, $3) OR r.name = $4 ELSE r.name = $2 END
        ORDER BY r.name
        """,
        project_id,
        None if destination is None else reader_name(destination),
        PREFIX,
        ROLLUP_READER,
    )
    return [Waiting(row["name"], row["oldest"]) for row in rows if row["oldest"] is not None]


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused destination. `reason` is for people."""

    destination: str
    reason: str | None


async def paused_destinations(
    connection: asyncpg.Connection, project_id: int, destination: str | None
) -> list[Pause]:
    """Those of a project, or the one named if it is paused."""
    rows = await connection.fetch(
        """
        SELECT substr(name, length($3) + 1) AS destination, reason FROM readers
        WHERE project_id = $1 AND state = 'paused' AND starts_with(name, $3) AND ($2::text IS NULL OR name = $2)
        ORDER BY name
        """,
        project_id,
        None if destination is None else reader_name(destination),
        PREFIX,
    )
    return [Pause(row["destination"], row["reason"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Ends:
    """How the attempts of a destination ended."""

    destination: str
    failed: int
    """Dead, or of unknown fate."""
    total: int
    """These and those that were delivered."""


async def ends_since(
    connection: asyncpg.Connection, project_id: int, destination: str | None, hour: datetime
) -> list[Ends]:
    """Outcomes of the events that arrived in `hour` (a full one) or later, by destination; replays left out."""
    rows = await connection.fetch(
        """
        SELECT destination, coalesce(sum(events) FILTER (WHERE outcome <> $4), 0)::bigint AS failed,
            sum(events)::bigint AS total
        FROM delivery_counts
        WHERE project_id = $1 AND hour >= $2 AND ($3::text IS NULL OR destination = $3) AND outcome = ANY ($5)
          AND strpos(destination, $6) = 0
        GROUP BY destination ORDER BY destination
        """,
        project_id,
        hour,
        destination,
        EndState.DELIVERED,
        [EndState.DELIVERED, EndState.DEAD, EndState.UNKNOWN],
        MARK,
    )
    return [Ends(**row) for row in rows]


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

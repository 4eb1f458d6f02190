"""Housekeeping of the log: old dedupe keys, drained notes, partitions past retention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

KEYS_PER_ROUND = 50_000
"""Deleted in one transaction; a million at once would hold the vacuum back for minutes."""


async def purge_keys(connection: asyncpg.Connection, before: datetime) -> int:
    """Forget dedupe keys that arrived before a time. Returns how many."""
    total = 0
    while True:
        deleted = await connection.fetch(
            """
            DELETE FROM event_keys WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM event_keys WHERE received_at < $1 LIMIT $2))
            RETURNING 1
            """,
            before,
            KEYS_PER_ROUND,
        )
        total += len(deleted)
        if len(deleted) < KEYS_PER_ROUND:
            return total


@dataclass(frozen=True, slots=True)
class Expired:
    """A partition past retention and, if it must stay, why."""

    name: str
    lower: datetime
    upper: datetime
    blocked_by: str | None


async def expired_partitions(
    connection: asyncpg.Connection, before: datetime, name: str | None = None
) -> list[Expired]:
    """Partitions whose events all occurred *and* arrived before a time, oldest first; or the one named.

    One is blocked while a reader has not read it, an event of it waits for delivery or one of its days is not final:
    nothing undelivered and nothing uncounted goes silently.
    """
    rows = await connection.fetch(
        """
        WITH notes AS (
            SELECT project_id, lower, last_seq, received_at FROM event_groups
            UNION ALL
            SELECT project_id, lower, last_seq, last_received_at FROM partition_ranges
        ), held AS (
            SELECT project_id, lower, max(last_seq) AS last_seq, max(received_at) AS received_at
            FROM notes GROUP BY project_id, lower
        )
        SELECT p.name, p.lower, p.upper,
            (SELECT format('reader %s of project %s is at %s and the partition goes to %s',
                           r.name, r.project_id, r.position, h.last_seq)
             FROM held h JOIN readers r USING (project_id)
             WHERE h.lower = p.lower AND r.position < h.last_seq ORDER BY r.position LIMIT 1) AS unread,
            (SELECT format('%s events of project %s wait for another attempt at %s',
                           count(*), e.project_id, e.destination)
             FROM parked_events e WHERE e.occurred_at >= p.lower AND e.occurred_at < p.upper
             GROUP BY e.project_id, e.destination ORDER BY count(*) DESC LIMIT 1) AS parked,
            (SELECT format('project %s has no final figures for %s', h.project_id, d.day)
             FROM held h
             JOIN projects pr ON pr.id = h.project_id
             JOIN LATERAL (SELECT DISTINCT day FROM event_days e
                           WHERE e.project_id = h.project_id
                             AND e.day BETWEEN (p.lower AT TIME ZONE pr.time_zone)::date
                                           AND ((p.upper - interval '1 microsecond') AT TIME ZONE pr.time_zone)::date
                          ) d ON true
             LEFT JOIN project_days closed ON closed.project_id = h.project_id AND closed.day = d.day
             WHERE h.lower = p.lower AND coalesce(closed.state, 'open') NOT IN ('final', 'sealed')
             ORDER BY d.day LIMIT 1) AS unclosed
        FROM partitions p
        WHERE p.upper <= $1 AND ($2::text IS NULL OR p.name = $2) AND NOT EXISTS (
            SELECT 1 FROM held h WHERE h.lower = p.lower AND h.received_at >= $1)
        ORDER BY p.lower
        """,
        before,
        name,
    )
    return [
        Expired(row["name"], row["lower"], row["upper"], row["unread"] or row["parked"] or row["unclosed"])
        for row in rows
    ]


async def drop_partition(connection: asyncpg.Connection, expired: Expired, before: datetime) -> str | None:
    """Drop a partition with its events and seal its days; or leave it and say what has come in between.

    Raises LockNotAvailableError when a query or a writer is using it.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '3s'")
        # In the order in which all others take them, or a query that has `events` and wants the partition would wait for this
        # transaction while that waits for `events`: makers of partitions begin with the first, queries and writers with the second.
        await connection.execute("LOCK TABLE partitions IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute("LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE")
        # From here on nobody reads or writes the log, and what was written before is seen. Who has let go of it is about to let
        # go of its partitions; for others (a vacuum) nobody shall wait.
        await connection.execute("SET LOCAL lock_timeout = '100ms'")
        await connection.execute(f"LOCK TABLE {expired.name} IN ACCESS EXCLUSIVE MODE")
        again = await expired_partitions(connection, before, expired.name)
        if not again:
            return "new events have arrived for it"
        if again[0].blocked_by is not None:
            return again[0].blocked_by
        await connection.execute(
            """
            UPDATE project_days SET state = 'sealed' FROM projects p
            WHERE p.id = project_days.project_id
              AND day BETWEEN ($1::timestamptz AT TIME ZONE p.time_zone)::date
                          AND (($2::timestamptz - interval '1 microsecond') AT TIME ZONE p.time_zone)::date
            """,
            expired.lower,
            expired.upper,
        )
        await connection.execute("DELETE FROM partition_ranges WHERE lower = $1", expired.lower)
        await connection.execute("DELETE FROM event_groups WHERE lower = $1", expired.lower)
        await connection.execute("DELETE FROM partitions WHERE name = $1", expired.name)
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {expired.name}")
        await connection.execute(f"DROP TABLE {expired.name}")
    return None

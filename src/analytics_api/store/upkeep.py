"""Housekeeping of the log: old dedupe keys, drained notes, partitions past retention."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import asyncpg

from analytics_api.store.metrics.days import ROLLUP_READER
from analytics_api.store.retention import hold_rollups
from analytics_api.store.retention_states import add_partition

KEYS_PER_ROUND = 50_000
"""Deleted in one transaction; a million at once would hold the vacuum back for minutes."""
LOCK_MS = 200
"""How long dropping a partition waits for those who are using it."""


async def purge_keys(connection: asyncpg.Connection, before: datetime, rest: float = 0) -> int:
    """Forget dedupe keys that arrived before a time, with so many seconds of rest for each of work. Returns how many."""
    clock = asyncio.get_running_loop().time
    total = 0
    while True:
        began = clock()
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
        await asyncio.sleep((clock() - began) * rest)


@dataclass(frozen=True, slots=True)
class Expired:
    """A partition past retention, and why it must stay by the projects of which something in it is still needed."""

    name: str
    lower: datetime
    upper: datetime
    projects: tuple[int, ...]
    """Those that it held events of."""
    blocked: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Until when all events of each project are past retention."""

    by_project: Mapping[int, datetime]
    empty: datetime
    """A partition without events goes when it ends before."""


_EXPIRED = """
    WITH limits AS (
        SELECT project_id, before FROM unnest($1::int[], $2::timestamptz[]) AS given (project_id, before)
    ), notes AS (
        SELECT project_id, lower, last_seq, received_at FROM event_groups
        UNION ALL
        SELECT project_id, lower, last_seq, last_received_at FROM partition_ranges
    ), held AS (
        SELECT project_id, lower, max(last_seq) AS last_seq, max(received_at) AS received_at
        FROM notes GROUP BY project_id, lower
    ), expired AS (
        SELECT p.name, p.lower, p.upper FROM partitions p
        WHERE p.upper <= $3 AND ($5::text IS NULL OR p.name = $5) AND NOT EXISTS (
            SELECT 1 FROM held h LEFT JOIN limits l USING (project_id)
            WHERE h.lower = p.lower AND (l.before IS NULL OR l.before < p.upper OR l.before <= h.received_at))
    )
    SELECT p.name, p.lower, p.upper, h.project_id,
        (SELECT format('reader %s of project %s is at %s and the partition goes to %s',
                       r.name, r.project_id, r.position, h.last_seq)
         FROM readers r WHERE r.project_id = h.project_id AND r.position < h.last_seq ORDER BY r.position LIMIT 1) AS unread,
        (SELECT format('events of project %s have never been counted', h.project_id)
         WHERE h.project_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM readers r WHERE r.project_id = h.project_id AND r.name = $4)) AS uncounted,
        (SELECT format('%s events of project %s wait for another attempt at %s', count(*), h.project_id, e.destination)
         FROM parked_events e
         WHERE e.project_id = h.project_id AND e.occurred_at >= p.lower AND e.occurred_at < p.upper
         GROUP BY e.destination ORDER BY count(*) DESC LIMIT 1) AS parked,
        (SELECT format('project %s has no final figures for %s', h.project_id, d.day)
         FROM projects pr
         JOIN LATERAL (SELECT DISTINCT day FROM event_days e
                       WHERE e.project_id = h.project_id
                         AND e.day BETWEEN (p.lower AT TIME ZONE pr.time_zone)::date
                                       AND ((p.upper - interval '1 microsecond') AT TIME ZONE pr.time_zone)::date
                      ) d ON true
         LEFT JOIN project_days closed ON closed.project_id = h.project_id AND closed.day = d.day
         WHERE pr.id = h.project_id AND coalesce(closed.state, 'open') NOT IN ('final', 'sealed')
         ORDER BY d.day LIMIT 1) AS unclosed,
        (SELECT format('figures of project %s for %s are to be made again (%s)', h.project_id, d.day, d.cause)
         FROM projects pr JOIN dirty_days d ON d.project_id = pr.id
         JOIN project_days closed ON closed.project_id = d.project_id AND closed.day = d.day
         WHERE pr.id = h.project_id AND closed.state <> 'sealed'
           AND d.day BETWEEN (p.lower AT TIME ZONE pr.time_zone)::date
                         AND ((p.upper - interval '1 microsecond') AT TIME ZONE pr.time_zone)::date
         ORDER BY d.day LIMIT 1) AS dirty
    FROM expired p LEFT JOIN held h USING (lower)
    ORDER BY p.lower, h.project_id
"""


async def expired_partitions(
    connection: asyncpg.Connection, limits: Limits, name: str | None = None
) -> list[Expired]:
    """Partitions all of whose events are past retention, by their time *and* their arrival, oldest first; or the one named.

    One is blocked while a reader has not read it, an event of it waits for delivery or one of its days is not final:
    nothing undelivered and nothing uncounted goes silently.
    """
    rows = await connection.fetch(
        _EXPIRED,
        list(limits.by_project),
        list(limits.by_project.values()),
        max([limits.empty, *limits.by_project.values()]),
        ROLLUP_READER,
        name,
    )
    found = []
    for (name, lower, upper), group in groupby(
        rows, key=lambda row: (row["name"], row["lower"], row["upper"])
    ):
        parts = [row for row in group if row["project_id"] is not None]
        blocked = {row["project_id"]: reason for row in parts if (reason := _first(row)) is not None}
        found.append(Expired(name, lower, upper, tuple(row["project_id"] for row in parts), blocked))
    return found


def _first(row: asyncpg.Record) -> str | None:
    return next(
        (row[name] for name in ("unread", "parked", "uncounted", "unclosed", "dirty") if row[name]), None
    )


async def drop_partition(connection: asyncpg.Connection, expired: Expired, limits: Limits) -> str | None:
    """Drop a partition with its events and seal its days; or leave it and say what has come in between.

    Raises LockNotAvailableError when a query or a writer is using it.
    """
    async with connection.transaction():
        # While this waits for a long query, everybody else waits behind it: better soon again than long.
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
        # In the order in which all others take them, or a query that has `events` and wants the partition would wait for this
        # transaction while that waits for `events`: makers of partitions begin with the first, queries and writers with the second.
        await connection.execute("LOCK TABLE partitions IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute("LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE")
        # From here on nobody reads or writes the log, and what was written before is seen. Who has let go of it is about to let
        # go of its partitions; for others (a vacuum) nobody shall wait.
        await connection.execute(f"LOCK TABLE {expired.name} IN ACCESS EXCLUSIVE MODE")
        await hold_rollups(connection, expired.projects)
        again = await expired_partitions(connection, limits, expired.name)
        if not again:
            return "new events have arrived for it"
        if again[0].blocked:
            return next(iter(again[0].blocked.values()))
        await connection.execute(
            """
            UPDATE project_days SET state = 'sealed' FROM projects p
            WHERE p.id = project_days.project_id AND p.id = ANY ($3)
              AND day BETWEEN ($1::timestamptz AT TIME ZONE p.time_zone)::date
                          AND (($2::timestamptz - interval '1 microsecond') AT TIME ZONE p.time_zone)::date
            """,
            expired.lower,
            expired.upper,
            list(expired.projects),
        )
        await connection.execute("DELETE FROM partition_ranges WHERE lower = $1", expired.lower)
        await connection.execute("DELETE FROM event_groups WHERE lower = $1", expired.lower)
        await connection.execute("DELETE FROM partitions WHERE name = $1", expired.name)
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {expired.name}")
        await connection.execute(f"DROP TABLE {expired.name}")
        await add_partition(connection, expired.projects, expired.name)
    return None

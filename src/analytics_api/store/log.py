"""The log, read: positions that skip nothing, and chunks.

Sequence numbers become visible out of order, because a slow transaction commits after a fast one. Writers therefore
hold a *shared* advisory lock from before their first `nextval` until commit (store/groups.py), and a reader that wants to
know how far it may go reads the sequence, lists those who hold the lock at that moment and waits until they are gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.event import StoredEvent
from analytics_api.errors import WriterBusy
from analytics_api.store.groups import LAST_SEQ, WRITERS_LOCK

PATIENCE = 5.0
"""Seconds. A group is written in 20 ms; who takes this long is stopped, and the readers have other things to do."""


async def safe_position(connection: asyncpg.Connection, poll_seconds: float = 0.005) -> int:
    """The highest sequence number up to which every event that will ever exist is visible.

    Waits for the transactions that are writing at this moment, and only for them. Not to be called inside a
    transaction: the caller's snapshot must be taken afterwards. Raises WriterBusy when one of them does not end.
    """
    last = await connection.fetchval(LAST_SEQ)
    waiting = await _writers(connection)
    give_up = time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > give_up:
            raise WriterBusy(
                f"A transaction that writes events has been open for more than {PATIENCE:.0f} s; see pg_stat_activity."
            )
        await asyncio.sleep(poll_seconds)
        waiting &= await _writers(connection)
        poll_seconds = min(poll_seconds * 1.5, 0.25)
    return int(last)


async def _writers(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        """
        SELECT virtualtransaction FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND classid = ($1::bigint >> 32)::oid AND objid = ($1::bigint & 4294967295)::oid AND granted
        """,
        WRITERS_LOCK,
    )
    return {row["virtualtransaction"] for row in rows}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the log of one project: sequence numbers in (after, upto] and times in [lower, upper)."""

    project_id: int
    after: int
    upto: int
    lower: datetime
    upper: datetime


_LAST = 2**63 - 1

_SPAN = """
    SELECT min(r.lower) AS lower, max(p.upper) AS upper, min(r.after_seq) AS after_seq
    FROM (
        SELECT lower, after_seq FROM event_groups
        WHERE project_id = $1 AND last_seq > $2 AND after_seq < $3
        UNION ALL
        SELECT lower, after_seq FROM partition_ranges
        WHERE project_id = $1 AND last_seq > $2 AND after_seq < $3
    ) r JOIN partitions p USING (lower)
"""


async def next_chunk(
    connection: asyncpg.Connection, project_id: int, after: int, safe: int, size: int
) -> Chunk | None:
    """The next stretch of at most `size` sequence numbers that may hold events of the project; None when none is left.

    A stretch without events of the project is skipped, so the caller may move to `safe` on None.
    """
    while after < safe:
        # First anything at all between here and there, then the partitions of the stretch that is taken.
        ahead = await connection.fetchrow(_SPAN, project_id, after, safe)
        if ahead is None or ahead["lower"] is None:
            return None
        after = max(after, ahead["after_seq"])
        upto = min(safe, after + size)
        span = await connection.fetchrow(_SPAN, project_id, after, upto)
        if span is not None and span["lower"] is not None:
            return Chunk(project_id, after, upto, span["lower"], span["upper"])
        after = upto
    return None


async def tail(connection: asyncpg.Connection, project_id: int, after: int) -> Chunk | None:
    """All that is visible beyond a position; None when there is nothing."""
    span = await connection.fetchrow(_SPAN, project_id, after, _LAST)
    if span is None or span["lower"] is None:
        return None
    return Chunk(project_id, after, _LAST, span["lower"], span["upper"])


async def read_chunk(
    connection: asyncpg.Connection, chunk: Chunk, limit: int | None = None
) -> list[StoredEvent]:
    """The events of a stretch in the order of the log."""
    rows = await connection.fetch(
        f"""
        SELECT seq, {", ".join(STORED[1:])} FROM events
        WHERE project_id = $1 AND seq > $2 AND seq <= $3 AND occurred_at >= $4 AND occurred_at < $5
        ORDER BY seq LIMIT $6
        """,
        chunk.project_id,
        chunk.after,
        chunk.upto,
        chunk.lower,
        chunk.upper,
        limit,
    )
    return [StoredEvent(*row.values()) for row in rows]


async def read_events(
    connection: asyncpg.Connection, keys: Sequence[tuple[UUID, datetime, int]]
) -> list[StoredEvent]:
    """Single events by (person_id, occurred_at, seq), in the order of the log; those that are gone are left out."""
    rows = await connection.fetch(
        f"""
        SELECT e.seq, {", ".join("e." + name for name in STORED[1:])}
        FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) AS wanted (person_id, occurred_at, seq)
        JOIN events e USING (person_id, occurred_at, seq)
        WHERE e.occurred_at >= $4 AND e.occurred_at <= $5
        ORDER BY e.seq
        """,
        [person for person, _, _ in keys],
        [moment for _, moment, _ in keys],
        [seq for _, _, seq in keys],
        min(moment for _, moment, _ in keys),
        max(moment for _, moment, _ in keys),
    )
    return [StoredEvent(*row.values()) for row in rows]


async def newest_events(
    connection: asyncpg.Connection, project_id: int, limit: int, event_type: str | None = None
) -> list[StoredEvent]:
    """The events of a project that arrived last, or those of a type that occurred last; the newest first."""
    chosen, order = ("", "seq") if event_type is None else ("AND event_type = $3", "occurred_at")
    rows = await connection.fetch(
        f"""
        SELECT seq, {", ".join(STORED[1:])} FROM events WHERE project_id = $1 {chosen}
        ORDER BY {order} DESC LIMIT $2
        """,
        *[project_id, limit, event_type][: 2 if event_type is None else 3],
    )
    return [StoredEvent(*row.values()) for row in rows]


STORED = tuple(StoredEvent.__slots__)
"""The columns of an event, in the order of its fields."""


async def fold_groups(connection: asyncpg.Connection, safe: int) -> int:
    """Sum up the notes of committed groups into one row per project and partition. Returns how many were folded."""
    async with connection.transaction():
        folded = await connection.fetch(
            """
            WITH gone AS (
                DELETE FROM event_groups WHERE last_seq <= $1
                RETURNING project_id, lower, after_seq, last_seq, events, received_at
            )
            INSERT INTO partition_ranges AS range (project_id, lower, after_seq, last_seq, events, last_received_at)
            SELECT project_id, lower, min(after_seq), max(last_seq), sum(events), max(received_at)
            FROM gone GROUP BY project_id, lower ORDER BY project_id, lower
            ON CONFLICT (project_id, lower) DO UPDATE SET
                after_seq = least(range.after_seq, excluded.after_seq),
                last_seq = greatest(range.last_seq, excluded.last_seq),
                events = range.events + excluded.events,
                last_received_at = greatest(range.last_received_at, excluded.last_received_at)
            RETURNING 1
            """,
            safe,
        )
    return len(folded)

"""What the API shows of deliveries, and the two things an operator does with them: retry and resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.outcome import EndState
from analytics_api.store.deliveries import PREFIX, CountKey
from analytics_api.store.delivery_settling import add_counts
from analytics_api.store.engine import QUERY_TIMEOUT_MS

MOST_PENDING = 1_000_000
"""Pending events are counted up to here (about 0.2 s); a backlog beyond is shown as this number."""
RETRIED_AT_A_TIME = 10_000


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
class DeadLetter:
    """A dead event as it is shown."""

    destination: str
    seq: int
    event_id: UUID
    event_type: str
    occurred_at: datetime
    died_at: datetime
    attempts: int
    reason: str


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


async def dead_letters(
    connection: asyncpg.Connection,
    project_id: int,
    *,
    destination: str | None,
    before: tuple[datetime, int, str] | None,
    limit: int,
) -> list[DeadLetter]:
    """Dead events, newest first; `before` is (died_at, seq, destination) of the last one seen."""
    died_at, seq, last = before or (None, None, None)
    rows = await connection.fetch(
        """
        SELECT destination, seq, event_id, event_type, occurred_at, died_at, attempts, reason FROM dead_events
        WHERE project_id = $1 AND ($2::text IS NULL OR destination = $2)
          AND ($3::timestamptz IS NULL OR (died_at, seq, destination) < ($3, $4::bigint, $5::text))
        ORDER BY died_at DESC, seq DESC, destination DESC LIMIT $6
        """,
        project_id,
        destination,
        died_at,
        seq,
        last,
        limit,
    )
    return [DeadLetter(*row.values()) for row in rows]


async def retry_dead(
    connection: asyncpg.Connection,
    project_id: int,
    destination: str,
    now: datetime,
    event_ids: Sequence[UUID] | None = None,
) -> int:
    """Park dead events, all or those named, so that the next run tries them again. Returns how many."""
    total = 0
    while True:
        async with connection.transaction():
            rows = await connection.fetch(_REVIVE, project_id, destination, now, event_ids, RETRIED_AT_A_TIME)
            if rows:
                await add_counts(connection, project_id, destination, _uncounted(rows))
        total += len(rows)
        if len(rows) < RETRIED_AT_A_TIME:
            return total


_REVIVE = """
    WITH chosen AS (
        SELECT person_id, seq FROM dead_events
        WHERE project_id = $1 AND destination = $2 AND ($4::uuid[] IS NULL OR event_id = ANY ($4))
        ORDER BY seq LIMIT $5
    ), revived AS (
        DELETE FROM dead_events d USING chosen c
        WHERE d.project_id = $1 AND d.destination = $2 AND d.person_id = c.person_id AND d.seq = c.seq
        RETURNING d.person_id, d.seq, d.event_type, d.occurred_at, d.received_at, d.attempts
    )
    INSERT INTO parked_events (project_id, destination, person_id, seq, event_type, occurred_at, received_at, attempts,
        reason, parked_at, retry_at)
    SELECT $1, $2, r.person_id, r.seq, r.event_type, r.occurred_at, r.received_at, r.attempts, 'retried by hand', $3,
        -- A person's parked events share one time.
        greatest($3, (SELECT max(p.retry_at) FROM parked_events p
                      WHERE p.project_id = $1 AND p.destination = $2 AND p.person_id = r.person_id))
    FROM revived r
    RETURNING event_type, received_at
"""


def _uncounted(rows: Sequence[asyncpg.Record]) -> Counter[CountKey]:
    """The counts that take revived events back from the dead."""
    counts: Counter[CountKey] = Counter()
    for row in rows:
        counts[CountKey.of(row["received_at"], row["event_type"], EndState.DEAD)] -= 1
    return counts


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

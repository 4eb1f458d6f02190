"""Writing what became of a piece of delivery: counts, parked and dead events and the position, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import asyncpg

from analytics_api.store import readers
from analytics_api.store.deliveries import CountKey, DeadEvent, ParkedEvent, Settlement
from analytics_api.store.delivery_answers import add_answers
from analytics_api.store.readers import Lease


async def settle(
    connection: asyncpg.Connection, destination: str, lease: Lease, work: Settlement, now: datetime
) -> Lease:
    """Commit what became of a piece of work, with the reader's position. Raises LeaseLost; then nothing is written."""
    async with connection.transaction():
        # First of all what can lose the lease: it locks the reader's row against a claim until the commit.
        recovered = work.progress or work.failure is None
        lease = await readers.advance(connection, lease, work.position, now, recovered=recovered)
        if work.failure is not None:
            lease = await readers.note_failure(
                connection, lease, work.failure.words, now, work.failure.retry_at
            )
        await _write(connection, lease.project_id, destination, work, now)
        if work.pause is not None:
            await readers.pause(connection, lease, work.pause, now, credentials=work.credentials)
    return lease


async def _write(
    connection: asyncpg.Connection, project_id: int, destination: str, work: Settlement, now: datetime
) -> None:
    where = (project_id, destination)
    if work.counts or work.read:
        await add_counts(connection, project_id, destination, {**work.counts, **work.read})
    if work.answers.requests:
        await add_answers(connection, project_id, destination, work.answers, now)
    if work.unparked:
        await connection.executemany(
            "DELETE FROM parked_events WHERE project_id = $1 AND destination = $2 AND person_id = $3 AND seq = $4",
            [(*where, person, seq) for person, seq in work.unparked],
        )
    if work.parked:
        await connection.executemany(_PARK, [(*where, *_parked_row(event), now) for event in work.parked])
    if work.postponed:
        await connection.executemany(
            """
            UPDATE parked_events SET retry_at = $4
            WHERE project_id = $1 AND destination = $2 AND person_id = $3 AND retry_at < $4
            """,
            [(*where, person, until) for person, until in sorted(work.postponed.items())],
        )
    if work.dead:
        await connection.executemany(_BURY, [(*where, *_dead_row(event), now) for event in work.dead])
    if work.begun:
        await connection.executemany(
            "DELETE FROM single_attempts WHERE project_id = $1 AND destination = $2 AND person_id = $3 AND seq = $4",
            [(*where, person, seq) for person, seq in work.begun],
        )
    if work.kept:
        await _keep(connection, project_id, work, now)


_PARK = """
    INSERT INTO parked_events (project_id, destination, person_id, seq, event_type, occurred_at, received_at,
        attempts, reason, retry_at, uncertain_since, sent_as, parked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (project_id, destination, person_id, seq) DO UPDATE SET
        attempts = excluded.attempts, reason = excluded.reason, retry_at = excluded.retry_at,
        uncertain_since = coalesce(parked_events.uncertain_since, excluded.uncertain_since),
        sent_as = CASE WHEN parked_events.uncertain_since IS NULL THEN excluded.sent_as ELSE parked_events.sent_as END
"""

_BURY = """
    INSERT INTO dead_events (project_id, destination, person_id, seq, event_id, event_type, occurred_at, received_at,
        reason, attempts, kind, died_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (project_id, destination, person_id, seq) DO UPDATE SET
        reason = excluded.reason, attempts = excluded.attempts, kind = excluded.kind, died_at = excluded.died_at
"""


def _parked_row(event: ParkedEvent) -> tuple[object, ...]:
    return (
        event.person_id,
        event.seq,
        event.event_type,
        event.occurred_at,
        event.received_at,
        event.attempts,
        event.reason[:2000],
        event.retry_at,
        event.uncertain_since,
        event.sent_as,
    )


def _dead_row(event: DeadEvent) -> tuple[object, ...]:
    return (
        event.person_id,
        event.seq,
        event.event_id,
        event.event_type,
        event.occurred_at,
        event.received_at,
        event.reason[:2000],
        event.attempts,
        event.kind.value,
    )


async def add_counts(
    connection: asyncpg.Connection, project_id: int, destination: str, counts: Mapping[CountKey, int]
) -> None:
    """Add to the counts of a destination, in the caller's transaction; in one order, so that none deadlock."""
    keys = sorted(counts, key=lambda key: (key.hour, key.event_type, key.outcome, key.reason))
    await connection.execute(
        """
        INSERT INTO delivery_counts AS held (project_id, destination, hour, event_type, outcome, reason, events)
        SELECT $1, $2, * FROM unnest($3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[])
        ON CONFLICT (project_id, destination, hour, event_type, outcome, reason)
        DO UPDATE SET events = held.events + excluded.events
        """,
        project_id,
        destination,
        [key.hour for key in keys],
        [key.event_type for key in keys],
        [str(key.outcome) for key in keys],
        [key.reason for key in keys],
        [counts[key] for key in keys],
    )


async def _keep(connection: asyncpg.Connection, project_id: int, work: Settlement, now: datetime) -> None:
    """Keep the newest payloads and forget those beyond."""
    await connection.executemany(
        """
        INSERT INTO sandbox_payloads (project_id, person_id, event_id, event_type, payload, logged_at)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6)
        """,
        [
            (project_id, kept.person_id, kept.event_id, kept.event_type, kept.payload, now)
            for kept in work.kept[-work.keep :]
        ],
    )
    await connection.execute(
        """
        DELETE FROM sandbox_payloads WHERE project_id = $1 AND id <= (
            SELECT id FROM sandbox_payloads WHERE project_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
        """,
        project_id,
        work.keep,
    )

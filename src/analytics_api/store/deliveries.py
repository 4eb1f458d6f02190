"""What the destination readers keep: parked and dead events, counts, begun single attempts, the sandbox's payloads.

A parked person's rows share one `retry_at`, so that what is due is always a beginning of that person's queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.outcome import EndState
from analytics_api.errors import LeaseLost
from analytics_api.store import readers
from analytics_api.store.readers import Lease

PREFIX = "deliver:"
"""Readers of destinations are told from others by their name."""


def reader_name(destination: str) -> str:
    """The name of a destination's reader."""
    return PREFIX + destination


@dataclass(frozen=True, slots=True)
class ReaderState:
    """Where a destination's reader is, without its lease."""

    position: int
    paused: bool
    reason: str | None
    credentials: str | None
    """Fingerprint of the credentials that it was paused with."""
    failures: int
    retry_at: datetime | None
    waiting_until: datetime | None
    """When the first parked event is due."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that waits for another attempt, or behind one of the same person that does."""

    person_id: UUID
    seq: int
    event_type: str
    occurred_at: datetime
    received_at: datetime
    attempts: int
    reason: str
    retry_at: datetime
    uncertain_since: datetime | None
    """Since when it may already be at the provider."""


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """An event that the provider refuses for good, with its words."""

    person_id: UUID
    seq: int
    event_id: UUID
    event_type: str
    occurred_at: datetime
    received_at: datetime
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class KeptPayload:
    """A payload that stays readable over the API."""

    person_id: UUID
    event_id: UUID
    event_type: str
    payload: str


@dataclass(frozen=True, slots=True)
class CountKey:
    """What events are counted by. `hour` is that of their arrival, so that the sum closes hour by hour."""

    hour: datetime
    event_type: str
    outcome: EndState
    reason: str = ""

    @classmethod
    def of(cls, received_at: datetime, event_type: str, outcome: EndState, reason: str = "") -> CountKey:
        """The key of an event that came to an end."""
        hour = received_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(hour, event_type, outcome, reason)


@dataclass(frozen=True, slots=True)
class Failure:
    """The destination as a whole does not take events: why, and when to probe it."""

    words: str
    retry_at: datetime


@dataclass(slots=True)
class Settlement:
    """All that one piece of work changes, committed at once."""

    position: int
    progress: bool
    """Whether the provider has settled anything: then its failures are counted from the beginning again."""
    counts: Counter[CountKey] = field(default_factory=Counter)
    parked: list[ParkedEvent] = field(default_factory=list)
    unparked: list[tuple[UUID, int]] = field(default_factory=list)
    postponed: dict[UUID, datetime] = field(default_factory=dict)
    """Until when each of these persons' queues waits."""
    dead: list[DeadEvent] = field(default_factory=list)
    begun: list[tuple[UUID, int]] = field(default_factory=list)
    """Single attempts whose end is known now."""
    kept: list[KeptPayload] = field(default_factory=list)
    keep: int = 0
    failure: Failure | None = None
    pause: str | None = None
    credentials: str = ""


async def reader_state(
    connection: asyncpg.Connection, project_id: int, destination: str
) -> ReaderState | None:
    """The state of a destination's reader; None when it has not been made."""
    row = await connection.fetchrow(
        """
        SELECT position, state = 'paused' AS paused, reason, credentials, failures, retry_at,
            (SELECT min(retry_at) FROM parked_events WHERE project_id = $1 AND destination = $3) AS waiting_until
        FROM readers WHERE project_id = $1 AND name = $2
        """,
        project_id,
        reader_name(destination),
        destination,
    )
    return ReaderState(*row.values()) if row is not None else None


async def forget_reader(connection: asyncpg.Connection, destination: str) -> None:
    """Forget where a destination's readers are, in all projects."""
    await connection.execute("DELETE FROM readers WHERE name = $1", reader_name(destination))


async def due_parked(
    connection: asyncpg.Connection, project_id: int, destination: str, now: datetime, limit: int
) -> list[ParkedEvent]:
    """Parked events whose time has come, in the order of the log."""
    rows = await connection.fetch(
        """
        SELECT person_id, seq, event_type, occurred_at, received_at, attempts, reason, retry_at, uncertain_since
        FROM parked_events WHERE project_id = $1 AND destination = $2 AND retry_at <= $3
        ORDER BY seq LIMIT $4
        """,
        project_id,
        destination,
        now,
        limit,
    )
    return [ParkedEvent(*row.values()) for row in rows]


async def parked_persons(
    connection: asyncpg.Connection, project_id: int, destination: str, persons: Iterable[UUID]
) -> dict[UUID, datetime]:
    """Those of the persons who have parked events, and until when these wait."""
    rows = await connection.fetch(
        """
        SELECT person_id, max(retry_at) AS until FROM parked_events
        WHERE project_id = $1 AND destination = $2 AND person_id = ANY ($3::uuid[]) GROUP BY person_id
        """,
        project_id,
        destination,
        list(persons),
    )
    return {row["person_id"]: row["until"] for row in rows}


async def begun_attempts(
    connection: asyncpg.Connection, project_id: int, destination: str, keys: Sequence[tuple[UUID, int]]
) -> set[int]:
    """Sequence numbers of events whose single attempt began in a run that did not live to tell its end."""
    rows = await connection.fetch(
        """
        SELECT seq FROM single_attempts JOIN unnest($3::uuid[], $4::bigint[]) AS asked (person_id, seq)
            USING (person_id, seq)
        WHERE project_id = $1 AND destination = $2
        """,
        project_id,
        destination,
        [person for person, _ in keys],
        [seq for _, seq in keys],
    )
    return {row["seq"] for row in rows}


async def begin_attempts(
    connection: asyncpg.Connection,
    destination: str,
    lease: Lease,
    keys: Sequence[tuple[UUID, int]],
    now: datetime,
) -> None:
    """Note, before it is made, an attempt that must not be repeated. Raises LeaseLost."""
    async with connection.transaction():
        held = await connection.fetchval(
            "SELECT 1 FROM readers WHERE project_id = $1 AND name = $2 AND lease_epoch = $3 FOR SHARE",
            lease.project_id,
            lease.name,
            lease.epoch,
        )
        if held is None:
            raise LeaseLost(f"reader {lease.name} of project {lease.project_id} has been taken over")
        await connection.executemany(
            "INSERT INTO single_attempts VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            [(lease.project_id, destination, person, seq, now) for person, seq in keys],
        )


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
    if work.counts:
        await add_counts(connection, project_id, destination, work.counts)
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
        attempts, reason, retry_at, uncertain_since, parked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (project_id, destination, person_id, seq) DO UPDATE SET
        attempts = excluded.attempts, reason = excluded.reason, retry_at = excluded.retry_at,
        uncertain_since = coalesce(parked_events.uncertain_since, excluded.uncertain_since)
"""

_BURY = """
    INSERT INTO dead_events (project_id, destination, person_id, seq, event_id, event_type, occurred_at, received_at,
        reason, attempts, died_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (project_id, destination, person_id, seq) DO UPDATE SET
        reason = excluded.reason, attempts = excluded.attempts, died_at = excluded.died_at
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
        [key.outcome.value for key in keys],
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

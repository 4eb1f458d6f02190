"""What the destination readers keep: parked and dead events, counts, begun single attempts, the sandbox's payloads.

A parked person's rows share one `retry_at`, so that what is due is always a beginning of that person's queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from analytics_api.domain.outcome import DeadKind
from analytics_api.errors import LeaseLost
from analytics_api.store.delivery_window import hour_of
from analytics_api.store.readers import Lease

Key = tuple[int, str]
"""Project and name of a destination."""

KEPT = ("parked_events", "dead_events", "single_attempts", "delivery_counts", "delivery_answers")
"""Tables with what is kept of a stream, by project and destination."""

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
    sent_as: str | None = None
    """The event type under which it may be there; None: the stored one."""


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
    kind: DeadKind = DeadKind.REFUSED


@dataclass(frozen=True, slots=True)
class KeptPayload:
    """A payload that stays readable over the API."""

    person_id: UUID
    event_id: UUID
    event_type: str
    payload: str


READ = "read"
"""Counted beside the ends: events that the reader has passed. Those that ended and those that are parked add up to it."""


class CountKey(NamedTuple):
    """What events are counted by. `hour` is that of their arrival, so that the sum closes hour by hour."""

    hour: datetime
    event_type: str
    outcome: str
    """An EndState, or READ."""
    reason: str = ""

    @classmethod
    def of(cls, received_at: datetime, event_type: str, outcome: str, reason: str = "") -> CountKey:
        """The key of an event."""
        return cls(hour_of(received_at), event_type, str(outcome), reason)


@dataclass(slots=True)
class Answers:
    """Counts of one hour, or of one piece of work."""

    requests: int = 0
    sent: int = 0
    """Records in these requests."""
    unanswered: int = 0
    """Of them, those whose answer was lost or unreadable: the provider may have them."""
    acknowledged: int = 0
    """Records that the provider says it took: by a number in its answer, or by a status that means all of them."""
    counted: int = 0
    """Of them, those that it named as a number."""
    events: int = 0
    """Events that are held as delivered."""
    records: int = 0
    """The records that these events consist of."""
    repeated: int = 0
    """Acknowledged, and sent once more: something else of the event, or of its request, had not arrived."""
    dead: int = 0
    """Acknowledged, of events that died of another of their records."""
    unknown: int = 0
    """Acknowledged, of events that ended as unknown."""
    duplicates: int = 0
    """Taken without an error and left out of the provider's number, where as many were sent before."""
    uncounted: int = 0
    """Taken without an error and left out of the provider's number for no known reason; negative: it says more."""


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
    """By end."""
    read: Counter[CountKey] = field(default_factory=Counter)
    """Events that the position passes."""
    answers: Answers = field(default_factory=Answers)
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
    connection: asyncpg.Connection, project_id: int, destination: str, *, reader: str | None = None
) -> ReaderState | None:
    """The state of a destination's reader, or of the `reader` whose parked events are under `destination`; None when it has not
    been made.
    """
    row = await connection.fetchrow(
        """
        SELECT position, state = 'paused' AS paused, reason, credentials, failures, retry_at,
            (SELECT min(retry_at) FROM parked_events WHERE project_id = $1 AND destination = $3) AS waiting_until
        FROM readers WHERE project_id = $1 AND name = $2
        """,
        project_id,
        reader or reader_name(destination),
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
        SELECT person_id, seq, event_type, occurred_at, received_at, attempts, reason, retry_at, uncertain_since,
            sent_as
        FROM parked_events WHERE project_id = $1 AND destination = $2 AND retry_at <= $3
        ORDER BY seq LIMIT $4
        """,
        project_id,
        destination,
        now,
        limit,
    )
    return [ParkedEvent(*row.values()) for row in rows]


class HeldBack(NamedTuple):
    """Whether there is anything that the next events have to be compared with."""

    parked: bool
    begun: bool
    """Single attempts whose end is not known."""


async def held_back(connection: asyncpg.Connection, project_id: int, destination: str) -> HeldBack:
    """What is held back of a destination; mostly nothing, and then nobody needs to be looked for."""
    rows = await connection.fetch(
        """
        SELECT EXISTS (SELECT 1 FROM parked_events WHERE project_id = $1 AND destination = $2),
            EXISTS (SELECT 1 FROM single_attempts WHERE project_id = $1 AND destination = $2)
        """,
        project_id,
        destination,
    )
    return HeldBack(*rows[0])


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

"""The quarantine: events that broke their project's plan, kept whole until they are released, discarded or too old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.event import NewEvent
from analytics_api.domain.plan import HeldEvent
from analytics_api.store.groups import write_group
from analytics_api.store.partitions import Partitions

_TYPES = {
    "person_id": "uuid",
    "event_id": "uuid",
    "project_id": "int",
    "has_person": "bool",
    "is_bot": "bool",
    "trusted": "bool",
    "user_id": "text",
    "anonymous_id": "text",
    "session_id": "text",
    "event_type": "text",
    "event_data": "jsonb",
    "user_properties": "jsonb",
    "context": "jsonb",
    "revenue": "numeric",
    "currency": "text",
    "occurred_at": "timestamptz",
    "received_at": "timestamptz",
}
"""Columns that an event fills."""
_COLUMNS = ", ".join([*_TYPES, "kind", "path", "reason"])
_ARRAYS = ", ".join(
    f"${number}::{kind}[]" for number, kind in enumerate([*_TYPES.values(), "text", "text", "text"], start=1)
)

_HOLD = f"""
    INSERT INTO quarantined_events ({_COLUMNS})
    SELECT {_COLUMNS} FROM unnest({_ARRAYS}) WITH ORDINALITY AS sent ({_COLUMNS}, place)
    WHERE NOT EXISTS (
        SELECT FROM event_keys k WHERE k.person_id = sent.person_id AND k.event_id = sent.event_id)
      AND NOT EXISTS (SELECT FROM suppressed_persons s WHERE s.person_id = sent.person_id)
    ORDER BY person_id, event_id, place
    ON CONFLICT DO NOTHING
    RETURNING person_id, event_id
"""
"""An event that is in the log already is a duplicate, as is one that is held already."""

ROWS_PER_ROUND = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a project's quarantine: those of a type, those of some ids, or all."""

    project_id: int
    event_type: str | None = None
    event_ids: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the quarantine's order of arrival."""

    received_at: datetime
    event_id: UUID
    person_id: UUID


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """A row of the quarantine. `event_data` is JSON text."""

    person_id: UUID
    event_id: UUID
    event_type: str
    event_data: str
    occurred_at: datetime
    received_at: datetime
    kind: str
    path: str
    reason: str

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.received_at, self.event_id, self.person_id)


_LISTED = ", ".join(field.name for field in fields(QuarantinedEvent))
_CHOSEN = """
    project_id = $1 AND ($2::text IS NULL OR event_type = $2) AND ($3::uuid[] IS NULL OR event_id = ANY ($3))
"""


async def hold(connection: asyncpg.Connection, held: Sequence[HeldEvent]) -> list[bool]:
    """Put events into quarantine; committed when this returns. False: held already, or in the log."""
    records = [
        (
            *(getattr(one.event, name) for name in _TYPES),
            one.finding.kind,
            one.finding.path,
            one.finding.reason,
        )
        for one in held
    ]
    new = {tuple(row) for row in await connection.fetch(_HOLD, *zip(*records, strict=True))}
    outcomes = []
    for one in held:
        key = (one.event.person_id, one.event.event_id)
        outcomes.append(key in new)
        new.discard(key)
    return outcomes


async def quarantined(
    connection: asyncpg.Connection, chosen: Selection, *, after: Place | None, limit: int
) -> list[QuarantinedEvent]:
    """Events in quarantine in the order in which they came."""
    rows = await connection.fetch(
        f"""
        SELECT {_LISTED} FROM quarantined_events
        WHERE {_CHOSEN}
          AND ($4::timestamptz IS NULL OR (received_at, event_id, person_id) > ($4, $5::uuid, $6::uuid))
        ORDER BY received_at, event_id, person_id LIMIT $7
        """,
        chosen.project_id,
        chosen.event_type,
        chosen.event_ids,
        after.received_at if after else None,
        after.event_id if after else None,
        after.person_id if after else None,
        limit,
    )
    return [QuarantinedEvent(**row) for row in rows]


async def count_quarantined(connection: asyncpg.Connection, project_id: int) -> dict[str, int]:
    """Events in quarantine by type, most first."""
    rows = await connection.fetch(
        """
        SELECT event_type, count(*) AS events FROM quarantined_events WHERE project_id = $1
        GROUP BY event_type ORDER BY events DESC, event_type
        """,
        project_id,
    )
    return {row["event_type"]: row["events"] for row in rows}


async def release(
    connection: asyncpg.Connection,
    partitions: Partitions,
    chosen: Sequence[QuarantinedEvent],
    now: datetime,
) -> tuple[int, int]:
    """Move events into the log in one transaction. Returns how many, and how many the log had already.

    A row that another release or a discard has taken meanwhile is left out. The log's time of arrival is `now`: it
    decides how long the dedupe keys and the partition are kept.
    """
    await partitions.load(connection)
    for one in chosen:
        await partitions.ensure(connection, one.occurred_at)
    async with connection.transaction():
        rows = await connection.fetch(
            f"""
            WITH locked AS MATERIALIZED (
                SELECT q.person_id, q.event_id FROM quarantined_events q
                JOIN unnest($1::uuid[], $2::uuid[]) AS chosen (person_id, event_id) USING (person_id, event_id)
                ORDER BY q.person_id, q.event_id FOR UPDATE OF q
            )
            DELETE FROM quarantined_events q USING locked
            WHERE (q.person_id, q.event_id) = (locked.person_id, locked.event_id)
            RETURNING {", ".join(f"q.{name}" for name in _TYPES)}
            """,
            [one.person_id for one in chosen],
            [one.event_id for one in chosen],
        )
        events = sorted((_event(row, now) for row in rows), key=lambda event: event.occurred_at)
        stored = await write_group(connection, partitions, events) if events else []
    released = sum(map(bool, stored))
    return released, len(stored) - released


def _event(row: asyncpg.Record, now: datetime) -> NewEvent:
    """The event as intake made it. Its key decides, also when intake made its id: a release may come twice."""
    return NewEvent(**{**row, "received_at": now}, keyed=True, size=0)


async def discard(connection: asyncpg.Connection, chosen: Selection, before: datetime) -> int:
    """Delete events that were quarantined until `before`. Returns how many."""
    return await _delete(
        connection,
        f"{_CHOSEN} AND received_at <= $4",
        chosen.project_id,
        chosen.event_type,
        chosen.event_ids,
        before,
    )


async def purge_quarantine(
    connection: asyncpg.Connection, project_id: int, before: datetime, by_type: Mapping[str, datetime]
) -> int:
    """Delete what came before a time, or of some types before another. Returns how many."""
    mine = "project_id = $1 AND received_at < $2"
    deleted = await _delete(
        connection, f"{mine} AND event_type <> ALL ($3)", project_id, before, list(by_type)
    )
    for event_type, type_before in by_type.items():
        deleted += await _delete(
            connection, f"{mine} AND event_type = $3", project_id, type_before, event_type
        )
    return deleted


async def _delete(connection: asyncpg.Connection, condition: str, *values: object) -> int:
    total = 0
    while True:
        status = await connection.execute(
            f"""
            DELETE FROM quarantined_events WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM quarantined_events WHERE {condition} LIMIT {ROWS_PER_ROUND} FOR UPDATE SKIP LOCKED))
            """,
            *values,
        )
        deleted = int(status.rsplit(" ", 1)[1])
        total += deleted
        if deleted < ROWS_PER_ROUND:
            return total

"""Events past retention in partitions that others still need: found day by day, removed in short transactions.

A day is sealed before the first of its events goes, so that a run may end anywhere and nothing is counted again from what
is left. Nothing here takes a lock that writers or readers of the log wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from analytics_api.store.metrics.days import ROLLUP_READER
from analytics_api.store.retention_states import add_events

EVENTS_PER_STEP = 100
"""Removed in one transaction, which takes 2 to 3 ms: what a request can lose to it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A partition and a project that may have events in it."""

    name: str
    lower: datetime
    upper: datetime
    project_id: int


async def held_partitions(connection: asyncpg.Connection, before: datetime) -> list[Held]:
    """Partitions that begin before a time and the projects that they hold events of, oldest first."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT p.name, p.lower, p.upper, h.project_id FROM partitions p
        JOIN (SELECT project_id, lower FROM event_groups UNION ALL SELECT project_id, lower FROM partition_ranges) AS h
            USING (lower)
        WHERE p.lower < $1 ORDER BY p.lower, h.project_id
        """,
        before,
    )
    return [Held(**row) for row in rows]


async def types_before(connection: asyncpg.Connection, held: Held, before: datetime) -> list[str]:
    """Types of the project's events in the partition that occurred before a time, by one look into the index each."""
    rows = await connection.fetch(
        f"""
        WITH RECURSIVE types AS (
            (SELECT event_type FROM {held.name} WHERE project_id = $1 ORDER BY event_type LIMIT 1)
            UNION ALL
            SELECT (SELECT e.event_type FROM {held.name} e
                    WHERE e.project_id = $1 AND e.event_type > types.event_type ORDER BY e.event_type LIMIT 1)
            FROM types WHERE types.event_type IS NOT NULL
        )
        SELECT event_type FROM types WHERE event_type IS NOT NULL AND EXISTS (
            SELECT 1 FROM {held.name} e
            WHERE e.project_id = $1 AND e.event_type = types.event_type AND e.occurred_at < $2)
        """,
        held.project_id,
        before,
    )
    return [row["event_type"] for row in rows]


async def next_expired(
    connection: asyncpg.Connection, held: Held, event_type: str, since: datetime, before: datetime
) -> datetime | None:
    """When the first event of a type occurred, from `since` on, that occurred and arrived before a time."""
    moment: datetime | None = await connection.fetchval(
        f"""
        SELECT occurred_at FROM {held.name}
        WHERE project_id = $1 AND event_type = $2 AND occurred_at >= $3 AND occurred_at < $4 AND received_at < $4
        ORDER BY occurred_at LIMIT 1
        """,
        held.project_id,
        event_type,
        since,
        before,
    )
    return moment


async def seal_day(connection: asyncpg.Connection, project_id: int, day: date) -> str | None:
    """Seal a day, so that its events may go; or leave it and say why.

    Raises LockNotAvailableError when the rollup reader does not let go in time.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await hold_rollups(connection, [project_id])
        [row] = await connection.fetch(
            """
            SELECT (SELECT state FROM project_days WHERE project_id = $1 AND day = $2) AS state,
                   (SELECT cause FROM dirty_days WHERE project_id = $1 AND day = $2 LIMIT 1) AS dirty
            """,
            project_id,
            day,
        )
        if row["state"] == "sealed":
            return None
        if row["state"] != "final":
            return f"project {project_id} has no final figures for {day}"
        if row["dirty"] is not None:
            return f"figures of project {project_id} for {day} are to be made again ({row['dirty']})"
        await connection.execute(
            "UPDATE project_days SET state = 'sealed' WHERE project_id = $1 AND day = $2", project_id, day
        )
    return None


async def hold_rollups(connection: asyncpg.Connection, project_ids: Sequence[int]) -> None:
    """Keep the rollup readers of projects out until this transaction ends; metrics/days.py says why it is an update."""
    await connection.execute(
        "UPDATE readers SET updated_at = updated_at WHERE project_id = ANY ($1) AND name = $2",
        list(project_ids),
        ROLLUP_READER,
    )


@dataclass(frozen=True, slots=True)
class Slowest:
    """The reader of a project that has read least."""

    name: str
    position: int


async def slowest_reader(connection: asyncpg.Connection, project_id: int) -> Slowest:
    """Events beyond its position are needed. While nothing has been counted, all are."""
    [row] = await connection.fetch(
        """
        SELECT name, position FROM (
            SELECT name, position FROM readers WHERE project_id = $1
            UNION ALL
            SELECT $2, 0 WHERE NOT EXISTS (SELECT 1 FROM readers WHERE project_id = $1 AND name = $2)
        ) AS each ORDER BY position, name LIMIT 1
        """,
        project_id,
        ROLLUP_READER,
    )
    return Slowest(**row)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step looked at and removed."""

    seen: int = 0
    gone: int = 0
    unread: int = 0
    parked: int = 0
    at: datetime | None = None
    seq: int = 0
    """The last event that it looked at."""


async def remove_step(
    connection: asyncpg.Connection,
    held: Held,
    event_type: str,
    span: tuple[datetime, datetime],
    before: datetime,
    slowest: Slowest,
    after: Step,
    limit: int = EVENTS_PER_STEP,
) -> Step:
    """Look at the next events of a type in a span of time behind the last step, and remove those past retention.

    Those stay that a reader has not read or that wait for another attempt at a destination.
    """
    async with connection.transaction():
        # What a crash takes back is removed again; nobody else's commit shall wait for this one's.
        await connection.execute("SET LOCAL synchronous_commit = off")
        [row] = await connection.fetch(
            f"""
            WITH batch AS MATERIALIZED (
                SELECT ctid AS place, person_id, occurred_at, seq FROM {held.name}
                WHERE project_id = $1 AND event_type = $2 AND occurred_at >= $3 AND occurred_at < $4
                  AND received_at < $5 AND (occurred_at, seq) > ($3, $6)
                ORDER BY occurred_at, seq LIMIT $7
            ), judged AS MATERIALIZED (
                SELECT b.*, seq > $8 AS unread, EXISTS (
                    SELECT 1 FROM parked_events p
                    WHERE p.project_id = $1 AND p.person_id = b.person_id AND p.seq = b.seq) AS parked
                FROM batch b
            ), gone AS (
                DELETE FROM {held.name} WHERE ctid = ANY (ARRAY(
                    SELECT place FROM judged WHERE NOT unread AND NOT parked))
                RETURNING 1
            )
            SELECT count(*) AS seen, (SELECT count(*) FROM gone) AS gone, count(*) FILTER (WHERE unread) AS unread,
                   count(*) FILTER (WHERE parked AND NOT unread) AS parked, max(occurred_at) AS at,
                   coalesce(max(seq) FILTER (WHERE occurred_at = (SELECT max(occurred_at) FROM batch)), 0) AS seq
            FROM judged
            """,
            held.project_id,
            event_type,
            after.at or span[0],
            span[1],
            before,
            after.seq if after.at else -1,
            limit,
            slowest.position,
        )
        step = Step(**row)
        if step.gone:
            await add_events(connection, held.project_id, step.gone)
    return step


async def forget_when_empty(connection: asyncpg.Connection, held: Held) -> None:
    """Forget that the partition holds events of the project, when it holds none any more."""
    last_seq = await connection.fetchval(
        "SELECT last_seq FROM partition_ranges WHERE project_id = $1 AND lower = $2",
        held.project_id,
        held.lower,
    )
    # Events that come in meanwhile are in a note, or have moved `last_seq`.
    await connection.execute(
        f"""
        DELETE FROM partition_ranges WHERE project_id = $1 AND lower = $2 AND last_seq = $3
          AND NOT EXISTS (SELECT 1 FROM event_groups WHERE project_id = $1 AND lower = $2)
          AND NOT EXISTS (SELECT 1 FROM {held.name} WHERE project_id = $1)
        """,
        held.project_id,
        held.lower,
        last_seq,
    )

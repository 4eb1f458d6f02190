"""Replays: chosen events of a stretch of the log, on their way to one destination beside its live events.

While it runs, a replay has a reader (`replay:7`) with position and lease; its parked and dead events, counts and begun attempts
are kept under a key of its own (`mixpanel#7`), so that nothing of the live stream's is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.errors import LeaseLost
from analytics_api.store.deliveries import KEPT, reader_name
from analytics_api.store.event_choice import EventChoice
from analytics_api.store.readers import Lease, ensure_reader

MARK = "#"
"""Between the destination's name, which cannot hold it, and the replay's number."""


def replay_key(destination: str, replay_id: int) -> str:
    """What a replay's rows are kept under."""
    return f"{destination}{MARK}{replay_id}"


def split_key(key: str) -> tuple[str, int | None]:
    """Destination and replay of a key; a key without replay is the live stream's."""
    destination, _, number = key.partition(MARK)
    return destination, int(number) if number else None


def replay_reader(replay_id: int) -> str:
    """The name of a replay's reader."""
    return f"replay:{replay_id}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A row."""

    id: int
    project_id: int
    destination: str
    backfill: bool
    choice: EventChoice
    after_seq: int
    upto_seq: int
    allow_repetitions: bool
    """Whether the destination may be sent what it would count twice."""
    estimated: int | None
    """Events chosen when it was made; None when counting took too long."""
    position: int
    """Where it ended; while it runs its reader has the position."""
    events_per_second: int
    next_at: datetime
    """When the next events may be sent."""
    state: str
    """`running`, `done`, `failed` or `cancelled`."""
    reason: str | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def key(self) -> str:
        """What its rows are kept under."""
        return replay_key(self.destination, self.id)


NAMES = tuple(Replay.__slots__)
"""The columns of a replay."""
_COLUMNS = ", ".join(NAMES)


def from_row(row: asyncpg.Record) -> Replay:
    """A row that has all of NAMES."""
    values = {name: row[name] for name in NAMES}
    return Replay(**{**values, "choice": EventChoice.from_json(values["choice"])})


@dataclass(frozen=True, slots=True)
class Live:
    """What a replay must know of its destination's live stream."""

    start_position: int | None
    """Where it began; None when that was not noted."""
    busy_until: datetime | None
    """Until when a process has the right to deliver."""
    retry_at: datetime | None
    """After a failure: when the destination is tried again."""


async def live_stream(connection: asyncpg.Connection, project_id: int, destination: str) -> Live | None:
    """The live stream of a destination; None when it has no reader."""
    row = await connection.fetchrow(
        """
        SELECT start_position, lease_until, CASE WHEN failures > 0 THEN retry_at END AS retry_at FROM readers
        WHERE project_id = $1 AND name = $2
        """,
        project_id,
        reader_name(destination),
    )
    return Live(*row.values()) if row is not None else None


async def lock_destination(connection: asyncpg.Connection, project_id: int, destination: str) -> None:
    """Let nobody else make a replay for a destination until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"replays {project_id} {destination}"
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """Events that an earlier replay to the same destination has sent, or will send: those chosen with numbers up to `upto`."""

    choice: EventChoice
    upto: int


async def sent_before(
    connection: asyncpg.Connection, project_id: int, destination: str, replay_id: int | None = None
) -> list[Sent]:
    """What replays to a destination send; with `replay_id` those made before that one."""
    rows = await connection.fetch(
        """
        SELECT choice, CASE WHEN state = 'running' THEN upto_seq ELSE position END AS upto FROM replays
        WHERE project_id = $1 AND destination = $2 AND ($3::bigint IS NULL OR id < $3)
        """,
        project_id,
        destination,
        replay_id,
    )
    return [Sent(EventChoice.from_json(row["choice"]), row["upto"]) for row in rows]


async def insert_replay(
    connection: asyncpg.Connection,
    project_id: int,
    destination: str,
    *,
    backfill: bool,
    choice: EventChoice,
    after: int,
    upto: int,
    allow_repetitions: bool,
    estimated: int | None,
    events_per_second: int,
    now: datetime,
) -> Replay:
    """Make a replay of the chosen events with numbers in (after, upto], and its reader; it runs from the commit on."""
    async with connection.transaction():
        row = await connection.fetchrow(
            f"""
            INSERT INTO replays (project_id, destination, backfill, choice, after_seq, upto_seq, allow_repetitions,
                estimated, position, events_per_second, next_at, created_at)
            VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $5, $9, $10, $10) RETURNING {_COLUMNS}
            """,
            project_id,
            destination,
            backfill,
            choice.to_json(),
            after,
            upto,
            allow_repetitions,
            estimated,
            events_per_second,
            now,
        )
        if row is None:
            raise RuntimeError("an INSERT without ON CONFLICT gave no row")
        made = from_row(row)
        await ensure_reader(connection, project_id, replay_reader(made.id), after, now)
    return made


async def running_replays(connection: asyncpg.Connection) -> list[Replay]:
    """Those of all projects that are not over, the oldest first."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM replays WHERE state = 'running' ORDER BY id")
    return [from_row(row) for row in rows]


async def running_replay(connection: asyncpg.Connection, replay_id: int) -> Replay | None:
    """One that is not over."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM replays WHERE id = $1 AND state = 'running'", replay_id
    )
    return from_row(row) if row is not None else None


async def reserve(connection: asyncpg.Connection, replay_id: int, events: int, now: datetime) -> None:
    """Note, before they are sent, when the next events may follow: a process that dies takes no one's turn twice."""
    await connection.execute(
        """
        UPDATE replays SET next_at = greatest(next_at, $3) + make_interval(secs => $2::float8 / events_per_second)
        WHERE id = $1
        """,
        replay_id,
        float(events),
        now,
    )


async def finish(connection: asyncpg.Connection, lease: Lease, replay: Replay, now: datetime) -> bool:
    """Say that a replay is done, when it is at its end and nothing of it waits. Raises LeaseLost."""
    async with connection.transaction():
        # Whoever puts a dead letter back holds this row meanwhile.
        await connection.execute("SELECT FROM replays WHERE id = $1 FOR UPDATE", replay.id)
        if await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM parked_events WHERE project_id = $1 AND destination = $2)",
            replay.project_id,
            replay.key,
        ):
            return False
        position = await connection.fetchval(
            "DELETE FROM readers WHERE project_id = $1 AND name = $2 AND lease_epoch = $3 RETURNING position",
            lease.project_id,
            lease.name,
            lease.epoch,
        )
        if position is None:
            raise LeaseLost(f"reader {lease.name} of project {lease.project_id} has been taken over")
        await _close(connection, replay.id, "done", None, position, now)
    return True


async def cancel(connection: asyncpg.Connection, project_id: int, replay_id: int, now: datetime) -> bool:
    """End a replay for good and forget what waits; its dead letters stay. False when it is over already."""
    async with connection.transaction():
        replay = await _lock(connection, project_id, replay_id, ("running", "failed"))
        if replay is None:
            return False
        # A process that is delivering loses its lease and writes nothing afterwards.
        position = await _drop_reader(connection, replay)
        for table in ("parked_events", "single_attempts"):
            await connection.execute(
                f"DELETE FROM {table} WHERE project_id = $1 AND destination = $2", project_id, replay.key
            )
        await _close(connection, replay_id, "cancelled", None, position, now)
    return True


async def fail(
    connection: asyncpg.Connection, project_id: int, replay_id: int, reason: str, now: datetime
) -> None:
    """Stop a replay that does not get on for a reason of our own; what waits is kept, and it can be resumed."""
    async with connection.transaction():
        replay = await _lock(connection, project_id, replay_id, ("running",))
        if replay is not None:
            position = await _drop_reader(connection, replay)
            await _close(connection, replay_id, "failed", reason[:2000], position, now)


async def reopen(
    connection: asyncpg.Connection, project_id: int, replay_ids: Sequence[int], now: datetime
) -> bool:
    """Let replays that are done or have failed go on from where they ended. False when none was."""
    async with connection.transaction():
        rows = await connection.fetch(
            """
            UPDATE replays SET state = 'running', reason = NULL, finished_at = NULL
            WHERE project_id = $1 AND id = ANY ($2::bigint[]) AND state IN ('done', 'failed') RETURNING id, position
            """,
            project_id,
            replay_ids,
        )
        for row in rows:
            await ensure_reader(connection, project_id, replay_reader(row["id"]), row["position"], now)
    return bool(rows)


async def set_rate(
    connection: asyncpg.Connection, project_id: int, replay_id: int, events_per_second: int
) -> bool:
    """How fast a replay may go from the next events on. False when there is no such replay."""
    return bool(
        await connection.fetchval(
            "UPDATE replays SET events_per_second = $3 WHERE project_id = $1 AND id = $2 RETURNING 1",
            project_id,
            replay_id,
            events_per_second,
        )
    )


async def forget_replays(
    connection: asyncpg.Connection, destination: str, project_id: int | None = None
) -> None:
    """Forget all replays to a destination that goes, of one project or of all, with what is kept of them."""
    async with connection.transaction():
        rows = await connection.fetch(
            "DELETE FROM replays WHERE destination = $1 AND ($2::int IS NULL OR project_id = $2) RETURNING id, project_id",
            destination,
            project_id,
        )
        for row in rows:
            await connection.execute(
                "DELETE FROM readers WHERE project_id = $1 AND name = $2",
                row["project_id"],
                replay_reader(row["id"]),
            )
            for table in KEPT:
                await connection.execute(
                    f"DELETE FROM {table} WHERE project_id = $1 AND destination = $2",
                    row["project_id"],
                    replay_key(destination, row["id"]),
                )


async def _lock(
    connection: asyncpg.Connection, project_id: int, replay_id: int, states: Sequence[str]
) -> Replay | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM replays WHERE project_id = $1 AND id = $2 AND state = ANY ($3::text[]) FOR UPDATE",
        project_id,
        replay_id,
        states,
    )
    return from_row(row) if row is not None else None


async def _drop_reader(connection: asyncpg.Connection, replay: Replay) -> int:
    position = await connection.fetchval(
        "DELETE FROM readers WHERE project_id = $1 AND name = $2 RETURNING position",
        replay.project_id,
        replay_reader(replay.id),
    )
    return replay.position if position is None else int(position)


async def _close(
    connection: asyncpg.Connection,
    replay_id: int,
    state: str,
    reason: str | None,
    position: int,
    now: datetime,
) -> None:
    await connection.execute(
        "UPDATE replays SET state = $2, reason = $3, position = $4, finished_at = $5 WHERE id = $1",
        replay_id,
        state,
        reason,
        position,
        now,
    )

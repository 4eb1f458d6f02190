"""Readers of the log: their positions and the leases under which exactly one process moves them.

A lease is a row, not a session lock, so that it survives failover and connection poolers. Every change of a position
says which lease it was made under, in the same transaction as the effects of the events: a process that was stopped
for longer than its lease cannot write afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import asyncpg

from analytics_api.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to move one reader, until `until`."""

    project_id: int
    name: str
    owner: str
    epoch: int
    position: int
    until: datetime
    failures: int
    retry_at: datetime | None
    paused: bool = False
    """Somebody has paused the reader since the lease was taken; seen at the next move."""


async def ensure_reader(
    connection: asyncpg.Connection, project_id: int, name: str, position: int, now: datetime
) -> None:
    """Make a reader that starts after `position`; leave it alone when it exists."""
    await connection.execute(
        """
        INSERT INTO readers (project_id, name, position, start_position, updated_at) VALUES ($1, $2, $3, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        project_id,
        name,
        position,
        now,
    )


@dataclass(frozen=True, slots=True)
class State:
    """Where a reader is, and until when it rests after a failure."""

    position: int
    retry_at: datetime | None


async def states(connection: asyncpg.Connection, name: str) -> dict[int, State]:
    """The readers of that name, by project."""
    rows = await connection.fetch("SELECT project_id, position, retry_at FROM readers WHERE name = $1", name)
    return {row["project_id"]: State(row["position"], row["retry_at"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Troubles:
    """What readers do not get on with."""

    failing: dict[str, int]
    """Projects by name of the reader, whose last run failed."""
    paused: dict[str, int]
    set_aside: int
    """Events that could not be counted."""


async def troubles(connection: asyncpg.Connection) -> Troubles:
    """The troubles of all readers."""
    rows = await connection.fetch(
        """
        SELECT name, count(*) FILTER (WHERE state = 'running') AS failing,
               count(*) FILTER (WHERE state = 'paused') AS paused
        FROM readers WHERE failures > 0 OR state = 'paused' GROUP BY name ORDER BY name
        """
    )
    return Troubles(
        {row["name"]: row["failing"] for row in rows if row["failing"]},
        {row["name"]: row["paused"] for row in rows if row["paused"]},
        await connection.fetchval("SELECT count(*) FROM rollup_failures"),
    )


async def claim(
    connection: asyncpg.Connection, project_id: int, name: str, owner: str, now: datetime, lasts: timedelta
) -> Lease | None:
    """Take the lease of a running reader when nobody holds it, it has run out, or `owner` holds it already."""
    row = await connection.fetchrow(
        """
        UPDATE readers SET lease_owner = $3, lease_until = $5, lease_epoch = lease_epoch + 1
        WHERE project_id = $1 AND name = $2 AND state = 'running'
          AND (lease_owner IS NULL OR lease_owner = $3 OR lease_until < $4)
        RETURNING position, lease_epoch, failures, retry_at
        """,
        project_id,
        name,
        owner,
        now,
        now + lasts,
    )
    if row is None:
        return None
    return Lease(
        project_id,
        name,
        owner,
        row["lease_epoch"],
        row["position"],
        now + lasts,
        row["failures"],
        row["retry_at"],
    )


async def renew(connection: asyncpg.Connection, lease: Lease, now: datetime, lasts: timedelta) -> Lease:
    """Hold the lease for longer. Raises LeaseLost when another process has it."""
    done = await connection.fetchval(
        """
        UPDATE readers SET lease_until = $4 WHERE project_id = $1 AND name = $2 AND lease_epoch = $3 RETURNING 1
        """,
        lease.project_id,
        lease.name,
        lease.epoch,
        now + lasts,
    )
    if done is None:
        raise LeaseLost(f"reader {lease.name} of project {lease.project_id} has been taken over")
    return replace(lease, until=now + lasts)


async def advance(
    connection: asyncpg.Connection, lease: Lease, position: int, now: datetime, *, recovered: bool = True
) -> Lease:
    """Move the reader, in the caller's transaction. Raises LeaseLost, and the caller must roll back.

    Failures are forgotten, unless the move says nothing of the other side's health (`recovered` false).
    """
    moved = await connection.fetchrow(
        """
        UPDATE readers SET position = $5, updated_at = $6, failures = CASE WHEN $7 THEN 0 ELSE failures END,
            retry_at = CASE WHEN $7 THEN NULL ELSE retry_at END
        WHERE project_id = $1 AND name = $2 AND lease_epoch = $3 AND position = $4
        RETURNING failures, retry_at, state = 'paused' AS paused
        """,
        lease.project_id,
        lease.name,
        lease.epoch,
        lease.position,
        position,
        now,
        recovered,
    )
    if moved is None:
        raise LeaseLost(f"reader {lease.name} of project {lease.project_id} has been taken over")
    return replace(
        lease,
        position=position,
        failures=moved["failures"],
        retry_at=moved["retry_at"],
        paused=moved["paused"],
    )


async def note_failure(
    connection: asyncpg.Connection, lease: Lease, error: str, now: datetime, retry_at: datetime
) -> Lease:
    """Remember that an attempt failed and when to try again; the position stays."""
    done = await connection.fetchval(
        """
        UPDATE readers SET failures = failures + 1, last_error = $4, last_error_at = $5, retry_at = $6
        WHERE project_id = $1 AND name = $2 AND lease_epoch = $3
        RETURNING failures
        """,
        lease.project_id,
        lease.name,
        lease.epoch,
        error[:2000],
        now,
        retry_at,
    )
    if done is None:
        raise LeaseLost(f"reader {lease.name} of project {lease.project_id} has been taken over")
    return replace(lease, failures=done, retry_at=retry_at)


async def pause(
    connection: asyncpg.Connection,
    lease: Lease,
    reason: str,
    now: datetime,
    *,
    credentials: str | None = None,
) -> None:
    """Stop a reader until somebody resumes it; nothing is lost, its position stays.

    `credentials` is a fingerprint of those it was stopped with, so that new ones can be told from them.
    """
    await connection.execute(
        """
        UPDATE readers SET state = 'paused', reason = $4, last_error = $4, last_error_at = $5, credentials = $6,
            lease_owner = NULL, lease_until = NULL
        WHERE project_id = $1 AND name = $2 AND lease_epoch = $3
        """,
        lease.project_id,
        lease.name,
        lease.epoch,
        reason[:2000],
        now,
        credentials,
    )


async def pause_by_hand(
    connection: asyncpg.Connection, project_id: int, name: str, reason: str, now: datetime
) -> bool:
    """Stop a reader until somebody resumes it; new credentials do not. False when there is none.

    Who holds the lease keeps it, so that what is in flight is settled, and stops after that.
    """
    return bool(
        await connection.fetchval(
            """
            UPDATE readers SET state = 'paused', reason = $3, credentials = NULL, updated_at = $4
            WHERE project_id = $1 AND name = $2 RETURNING 1
            """,
            project_id,
            name,
            reason,
            now,
        )
    )


async def probe_now(connection: asyncpg.Connection, project_id: int, name: str) -> bool:
    """Let a reader that waits after a failure try at once. False when there is no such reader."""
    return bool(
        await connection.fetchval(
            "UPDATE readers SET retry_at = NULL WHERE project_id = $1 AND name = $2 RETURNING 1",
            project_id,
            name,
        )
    )


async def resume(connection: asyncpg.Connection, project_id: int, name: str, now: datetime) -> bool:
    """Let a paused reader go on. False when it was not paused."""
    return bool(
        await connection.fetchval(
            """
            UPDATE readers SET state = 'running', reason = NULL, failures = 0, retry_at = NULL, updated_at = $3
            WHERE project_id = $1 AND name = $2 AND state = 'paused' RETURNING 1
            """,
            project_id,
            name,
            now,
        )
    )


async def release(connection: asyncpg.Connection, lease: Lease) -> None:
    """Give the lease back, if it is still held."""
    await connection.execute(
        """
        UPDATE readers SET lease_owner = NULL, lease_until = NULL
        WHERE project_id = $1 AND name = $2 AND lease_epoch = $3
        """,
        lease.project_id,
        lease.name,
        lease.epoch,
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that somebody may be at work on: the reader's lease at one moment."""

    name: str
    epoch: int
    position: int
    moved_at: datetime

    @classmethod
    def from_list(cls, values: Sequence[object]) -> Claim:
        """The claim that `to_list` wrote."""
        name, epoch, position, moved_at = values
        return cls(str(name), int(str(epoch)), int(str(position)), datetime.fromisoformat(str(moved_at)))

    def to_list(self) -> list[object]:
        """As JSON has it."""
        return [self.name, self.epoch, self.position, self.moved_at.isoformat()]


async def claims(connection: asyncpg.Connection, project_id: int, now: datetime) -> set[Claim]:
    """The chunks of a project that are claimed now. Whoever has let a lease run out asks before each request."""
    rows = await connection.fetch(
        """
        SELECT name, lease_epoch, position, updated_at FROM readers
        WHERE project_id = $1 AND lease_owner IS NOT NULL AND lease_until >= $2
        """,
        project_id,
        now,
    )
    return {Claim(*row.values()) for row in rows}

"""Leases of periodic jobs: of several processes that want to run one, one does."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from analytics_api.errors import LeaseLost


async def claim_job(
    connection: asyncpg.Connection, name: str, owner: str, now: datetime, *, lasts: timedelta, gap: timedelta
) -> bool:
    """Take a job that nobody runs and that was not begun within `gap`, unless its process died in it.

    The lease lasts for `lasts`, and longer with `renew_job`.
    """
    return bool(
        await connection.fetchval(
            """
            INSERT INTO jobs AS job (name, lease_owner, lease_until, last_started_at) VALUES ($1, $2, $4, $3)
            ON CONFLICT (name) DO UPDATE SET
                lease_owner = excluded.lease_owner, lease_until = excluded.lease_until,
                last_started_at = excluded.last_started_at
            WHERE (job.lease_until IS NULL OR job.lease_until < $3)
              AND (job.last_started_at IS NULL OR job.last_started_at <= $5
                   OR job.last_finished_at IS NULL OR job.last_finished_at < job.last_started_at)
            RETURNING 1
            """,
            name,
            owner,
            now,
            now + lasts,
            now - gap,
        )
    )


async def renew_job(
    connection: asyncpg.Connection, name: str, owner: str, now: datetime, lasts: timedelta
) -> None:
    """Hold the lease for longer. Raises LeaseLost when another process has it."""
    renewed = await connection.fetchval(
        "UPDATE jobs SET lease_until = $3 WHERE name = $1 AND lease_owner = $2 RETURNING 1",
        name,
        owner,
        now + lasts,
    )
    if renewed is None:
        raise LeaseLost(f"job {name} has been taken over")


async def finish_job(
    connection: asyncpg.Connection, name: str, owner: str, now: datetime, error: str | None
) -> None:
    """Give a job back and note how it ended."""
    await connection.execute(
        """
        UPDATE jobs SET lease_owner = NULL, lease_until = NULL, last_finished_at = $3, last_error = $4,
            last_succeeded_at = CASE WHEN $4::text IS NULL THEN $3 ELSE last_succeeded_at END
        WHERE name = $1 AND lease_owner = $2
        """,
        name,
        owner,
        now,
        None if error is None else error[:2000],
    )

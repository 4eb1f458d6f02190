"""Persons who were erased and are kept out: no event of theirs is stored or sent any more.

What is held is the person's id, a hash of the id that was sent under the project's random namespace (RFC 4122, version 5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.store.engine import APPLICATION_NAME


async def suppress(
    connection: asyncpg.Connection, project_id: int, persons: Collection[UUID], job_id: int, now: datetime
) -> None:
    """Keep persons out from now on."""
    await connection.execute(
        """
        INSERT INTO suppressed_persons (person_id, project_id, job_id, since)
        SELECT person_id, $1, $3, $4 FROM unnest($2::uuid[]) AS p (person_id) ORDER BY person_id
        ON CONFLICT (person_id) DO NOTHING
        """,
        project_id,
        list(persons),
        job_id,
        now,
    )


async def lift(connection: asyncpg.Connection, project_id: int, persons: Collection[UUID]) -> int:
    """Let persons in again. Returns how many were kept out."""
    status = await connection.execute(
        "DELETE FROM suppressed_persons WHERE project_id = $1 AND person_id = ANY ($2::uuid[])",
        project_id,
        list(persons),
    )
    return int(status.rsplit(" ", 1)[1])


async def lift_of_job(connection: asyncpg.Connection, job_id: int) -> None:
    """Let those in again whom a job kept out for as long as it ran."""
    await connection.execute("DELETE FROM suppressed_persons WHERE job_id = $1", job_id)


async def suppressed_among(connection: asyncpg.Connection, persons: Iterable[UUID]) -> set[UUID]:
    """Those of the persons who are kept out."""
    # Mostly nobody is, and to ask that takes a quarter of the time that hundred ids do.
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM suppressed_persons)"):
        return set()
    rows = await connection.fetch(
        "SELECT person_id FROM suppressed_persons WHERE person_id = ANY ($1::uuid[])", list(set(persons))
    )
    return {row["person_id"] for row in rows}


async def count_suppressed(connection: asyncpg.Connection, project_id: int) -> int:
    """How many persons of a project are kept out."""
    return int(
        await connection.fetchval("SELECT count(*) FROM suppressed_persons WHERE project_id = $1", project_id)
    )


async def wait_for_older(connection: asyncpg.Connection, seconds: float) -> bool:
    """Wait until every transaction of ours that runs now has ended: those that come later see what was committed before.

    False when one has not ended in time.
    """
    older = await _running(connection)
    give_up = time.monotonic() + seconds
    pause = 0.005
    while older:
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
        older &= await _running(connection)
    return True


async def _running(connection: asyncpg.Connection) -> set[str]:
    """Transactions that our processes have in this database, as virtual ids, but for this connection's. Nobody else writes events."""
    rows = await connection.fetch(
        """
        SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
          AND a.backend_type = 'client backend' AND a.application_name = $1
        """,
        APPLICATION_NAME,
    )
    return {row["virtualxid"] for row in rows}

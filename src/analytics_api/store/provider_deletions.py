"""How far the deletion of a person is at each destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.domain.erasure import Deletion, DeletionState


@dataclass(frozen=True, slots=True)
class ProviderDeletion:
    """The deletion at one destination."""

    destination: str
    state: DeletionState
    tracking: tuple[str, ...]
    """The provider's own job ids."""
    attempts: int
    words: str
    requested_at: datetime | None
    ended_at: datetime | None
    next_at: datetime


async def begin_deletions(
    connection: asyncpg.Connection, job_id: int, project_id: int, destinations: Sequence[str], now: datetime
) -> None:
    """Note at which destinations a person is to be deleted."""
    await connection.execute(
        """
        INSERT INTO provider_deletions (job_id, destination, project_id, state, tracking, next_at)
        SELECT $1, destination, $2, $4, '{}', $5 FROM unnest($3::text[]) AS d (destination) ORDER BY destination
        ON CONFLICT DO NOTHING
        """,
        job_id,
        project_id,
        list(destinations),
        DeletionState.WAITING,
        now,
    )


async def deletions_of(connection: asyncpg.Connection, job_id: int) -> list[ProviderDeletion]:
    """All deletions of a job."""
    rows = await connection.fetch(
        """
        SELECT destination, state, tracking, attempts, words, requested_at, ended_at, next_at
        FROM provider_deletions WHERE job_id = $1 ORDER BY destination
        """,
        job_id,
    )
    return [
        ProviderDeletion(
            **dict(row) | {"state": DeletionState(row["state"]), "tracking": tuple(row["tracking"])}
        )
        for row in rows
    ]


async def note_deletion(
    connection: asyncpg.Connection,
    job_id: int,
    destination: str,
    found: Deletion,
    now: datetime,
    next_at: datetime,
) -> None:
    """Keep what a provider said, and when to ask again."""
    await connection.execute(
        """
        UPDATE provider_deletions SET state = $3, attempts = attempts + 1, words = $5, next_at = $7,
            tracking = CASE WHEN cardinality($4::text[]) > 0 THEN $4 ELSE tracking END,
            requested_at = CASE WHEN requested_at IS NULL AND $3 IN ('requested', 'done') THEN $6 ELSE requested_at END,
            ended_at = CASE WHEN $8 THEN $6 END
        WHERE job_id = $1 AND destination = $2
        """,
        job_id,
        destination,
        found.state,
        list(found.tracking),
        found.words[:1000],
        now,
        next_at,
        found.state.ended,
    )

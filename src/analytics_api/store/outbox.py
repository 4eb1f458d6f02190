"""The outbox: events that applications wrote in their own transactions, visible once those are committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row. `event` is JSON as POST /events takes it."""

    id: int
    project_id: int
    event: str


async def claim_waiting(connection: asyncpg.Connection, projects: Sequence[int], most: int) -> list[Waiting]:
    """The oldest rows of projects that nobody else has, until the caller's transaction ends."""
    rows = await connection.fetch(
        """
        SELECT id, project_id, event::text FROM event_outbox WHERE project_id = ANY ($1::int[])
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        projects,
        most,
    )
    return [Waiting(**row) for row in rows]


async def remove_waiting(connection: asyncpg.Connection, rows: Sequence[Waiting]) -> None:
    """Take rows out, in the caller's transaction."""
    await connection.execute(
        "DELETE FROM event_outbox WHERE id = ANY ($1::bigint[])", [row.id for row in rows]
    )

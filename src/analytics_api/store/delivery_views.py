"""The sandbox's payloads, as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class SandboxPayload:
    """A payload that was logged instead of sent. `payload` is JSON text."""

    id: int
    event_id: UUID
    event_type: str
    payload: str
    logged_at: datetime


async def sandbox_payloads(
    connection: asyncpg.Connection, project_id: int, *, before: int | None, limit: int
) -> list[SandboxPayload]:
    """The last payloads, newest first; `before` is the id of the last one seen."""
    rows = await connection.fetch(
        """
        SELECT id, event_id, event_type, payload, logged_at FROM sandbox_payloads
        WHERE project_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
        """,
        project_id,
        before,
        limit,
    )
    return [SandboxPayload(*row.values()) for row in rows]

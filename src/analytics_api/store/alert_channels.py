"""Alert channels: where people are told. Their secrets are stored sealed (secret_box.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.errors import Conflict


@dataclass(frozen=True, slots=True)
class ChannelBody:
    """What somebody decides about a channel."""

    name: str
    kind: str
    options: dict[str, str]
    secrets: bytes | None
    """Sealed."""
    secret_names: list[str]


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A row."""

    id: int
    project_id: int
    body: ChannelBody
    created_at: datetime
    updated_at: datetime
    failures: int
    retry_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    last_sent_at: datetime | None


_BODY = ("name", "kind", "options", "secrets", "secret_names")
_STATE = ("created_at", "updated_at", "failures", "retry_at", "last_error", "last_error_at", "last_sent_at")
COLUMNS = ", ".join(("id", "project_id", *_BODY, *_STATE))


def channel_of(row: asyncpg.Record) -> StoredChannel:
    """A row of COLUMNS."""
    body = ChannelBody(**{**{name: row[name] for name in _BODY}, "options": json.loads(row["options"])})
    return StoredChannel(row["id"], row["project_id"], body, *(row[name] for name in _STATE))


async def list_channels(connection: asyncpg.Connection, project_id: int) -> list[StoredChannel]:
    """All of a project, oldest first."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM alert_channels WHERE project_id = $1 ORDER BY id", project_id
    )
    return [channel_of(row) for row in rows]


async def find_channel(
    connection: asyncpg.Connection, project_id: int, channel_id: int
) -> StoredChannel | None:
    """One by its number."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM alert_channels WHERE project_id = $1 AND id = $2", project_id, channel_id
    )
    return channel_of(row) if row is not None else None


async def insert_channel(
    connection: asyncpg.Connection, project_id: int, body: ChannelBody, now: datetime
) -> StoredChannel:
    """Add a channel. Raises Conflict when the name is taken."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO alert_channels (project_id, {", ".join(_BODY)}, created_at, updated_at)
        VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $7) ON CONFLICT (project_id, name) DO NOTHING RETURNING {COLUMNS}
        """,
        project_id,
        *_values(body),
        now,
    )
    if row is None:
        raise _taken(body.name)
    return channel_of(row)


async def update_channel(
    connection: asyncpg.Connection, project_id: int, channel_id: int, body: ChannelBody, now: datetime
) -> StoredChannel | None:
    """Replace what somebody decided. None when there is none; raises Conflict for a taken name.

    What waits is tried at once, by somebody who has read the new row: who is sending loses the claim.
    """
    try:
        row = await connection.fetchrow(
            f"""
            UPDATE alert_channels SET name = $3, kind = $4, options = $5::jsonb, secrets = $6, secret_names = $7,
                updated_at = $8, failures = 0, retry_at = NULL, claim = NULL, claimed_until = NULL
            WHERE project_id = $1 AND id = $2 RETURNING {COLUMNS}
            """,
            project_id,
            channel_id,
            *_values(body),
            now,
        )
    except asyncpg.UniqueViolationError:
        raise _taken(body.name) from None
    return channel_of(row) if row is not None else None


def _values(body: ChannelBody) -> list[object]:
    return [body.name, body.kind, json.dumps(body.options), body.secrets, body.secret_names]


def _taken(name: str) -> Conflict:
    return Conflict(f"name: this project has a channel {name!r} already; choose another name.")


async def delete_channel(
    connection: asyncpg.Connection, project_id: int, channel_id: int, now: datetime
) -> bool:
    """Remove a channel with its outbox, and from the rules that name it. False when there is none."""
    async with connection.transaction():
        # Rules before channels, as who evaluates takes them, so that two cannot wait for each other.
        await connection.execute(
            "SELECT FROM alert_rules WHERE project_id = $1 ORDER BY id FOR UPDATE", project_id
        )
        gone = await connection.fetchval(
            "DELETE FROM alert_channels WHERE project_id = $1 AND id = $2 RETURNING 1", project_id, channel_id
        )
        if gone is None:
            return False
        await connection.execute("DELETE FROM alert_notifications WHERE channel_id = $1", channel_id)
        await connection.execute(
            """
            UPDATE alert_rules SET channel_ids = array_remove(channel_ids, $2), updated_at = $3
            WHERE project_id = $1 AND $2 = ANY (channel_ids)
            """,
            project_id,
            channel_id,
            now,
        )
    return True

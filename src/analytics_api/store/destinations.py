"""Destinations that were added over the API or the command line. Their secrets are stored sealed (secret_box.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from analytics_api.errors import Conflict
from analytics_api.store.deliveries import KEPT, Key, reader_name
from analytics_api.store.destination_rules import put_rules
from analytics_api.store.readers import ensure_reader
from analytics_api.store.replays import forget_replays

MOST_DESTINATIONS = 100
"""Of a project."""
_LATEST_WRITE = timedelta(minutes=5)
"""Between an event's arrival and its place in the log, clocks of several processes that differ included."""


@dataclass(frozen=True, slots=True)
class StoredDestination:
    """A row. `version` is another after every change."""

    project_id: int
    name: str
    kind: str
    options: dict[str, str]
    secrets: bytes | None
    """Sealed."""
    secret_names: list[str]
    start: str
    version: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> Key:
        """Project and name."""
        return self.project_id, self.name


_COLUMNS = "project_id, name, kind, options, secrets, secret_names, start, version, created_at, updated_at"


async def versions(connection: asyncpg.Connection) -> dict[Key, UUID]:
    """The version of every destination: cheap enough to ask for every second."""
    rows = await connection.fetch("SELECT project_id, name, version FROM destinations")
    return {(row["project_id"], row["name"]): row["version"] for row in rows}


async def stored_destinations(
    connection: asyncpg.Connection, project_id: int | None = None
) -> list[StoredDestination]:
    """Those of a project, or all, by name."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM destinations WHERE $1::int IS NULL OR project_id = $1 ORDER BY project_id, name",
        project_id,
    )
    return [_stored(row) for row in rows]


async def find_destination(
    connection: asyncpg.Connection, project_id: int, name: str
) -> StoredDestination | None:
    """One by its name."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM destinations WHERE project_id = $1 AND name = $2", project_id, name
    )
    return _stored(row) if row is not None else None


def _stored(row: asyncpg.Record) -> StoredDestination:
    values = dict(row)
    return StoredDestination(**{**values, "options": json.loads(values["options"])})


async def insert_destination(
    connection: asyncpg.Connection,
    project_id: int,
    name: str,
    kind: str,
    *,
    options: dict[str, str],
    secrets: bytes | None,
    secret_names: list[str],
    start: str,
    position: int,
    rules: str | None = None,
    now: datetime,
) -> StoredDestination:
    """Store one with its rules (JSON text) and its reader, which starts after `position`. Raises Conflict when the name is taken or was, or there are too many."""
    async with connection.transaction():
        there = await connection.fetchval(
            "SELECT count(*) FROM destinations WHERE project_id = $1", project_id
        )
        if there >= MOST_DESTINATIONS:
            raise Conflict(f"This project has {MOST_DESTINATIONS} destinations already; remove one first.")
        row = await connection.fetchrow(
            f"""
            INSERT INTO destinations (project_id, name, kind, options, secrets, secret_names, start, created_at,
                updated_at)
            VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
            """,
            project_id,
            name,
            kind,
            json.dumps(options),
            secrets,
            secret_names,
            start,
            now,
        )
        if row is None:
            raise Conflict(f"name: this project has a destination {name!r} already; choose another name.")
        if await _has_reader(connection, project_id, name):
            raise Conflict(
                f"name: there is still the state of a former destination {name!r}; remove that first, or choose "
                "another name."
            )
        if rules is not None:
            await put_rules(connection, project_id, name, rules, now)
        await ensure_reader(connection, project_id, reader_name(name), position, now)
    return _stored(row)


async def _has_reader(connection: asyncpg.Connection, project_id: int, name: str) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM readers WHERE project_id = $1 AND name = $2)",
            project_id,
            reader_name(name),
        )
    )


async def update_destination(
    connection: asyncpg.Connection,
    before: StoredDestination,
    *,
    options: dict[str, str],
    secrets: bytes | None,
    secret_names: list[str],
    now: datetime,
) -> StoredDestination:
    """Replace options and secrets. Raises Conflict when it has been changed or removed since `before` was read."""
    row = await connection.fetchrow(
        f"""
        UPDATE destinations SET options = $4::jsonb, secrets = $5, secret_names = $6, updated_at = $7,
            version = gen_random_uuid()
        WHERE project_id = $1 AND name = $2 AND version = $3 RETURNING {_COLUMNS}
        """,
        before.project_id,
        before.name,
        before.version,
        json.dumps(options),
        secrets,
        secret_names,
        now,
    )
    if row is None:
        raise Conflict(f"destination {before.name!r} has been changed meanwhile; read it again.")
    return _stored(row)


async def lock_destination(connection: asyncpg.Connection, project_id: int, name: str) -> bool:
    """Keep one from being removed until the caller's transaction ends. False when it is not there."""
    return bool(
        await connection.fetchval(
            "SELECT 1 FROM destinations WHERE project_id = $1 AND name = $2 FOR SHARE", project_id, name
        )
    )


async def delete_destination(connection: asyncpg.Connection, project_id: int, name: str) -> bool:
    """Remove one with all state of its deliveries. False when there was neither."""
    async with connection.transaction():
        # Readers' rows first: a process that is delivering loses its lease and writes nothing afterwards.
        await forget_replays(connection, name, project_id)
        gone = await connection.execute(
            "DELETE FROM readers WHERE project_id = $1 AND name = $2", project_id, reader_name(name)
        )
        stored = await connection.execute(
            "DELETE FROM destinations WHERE project_id = $1 AND name = $2", project_id, name
        )
        for table in (*KEPT, "destination_rules"):
            await connection.execute(
                f"DELETE FROM {table} WHERE project_id = $1 AND destination = $2", project_id, name
            )
    return gone != "DELETE 0" or stored != "DELETE 0"


async def position_before(
    connection: asyncpg.Connection, project_id: int, moment: datetime, safe: int
) -> int:
    """The sequence number after which every event of a project arrived at `moment` or later, at most `safe`.

    Events arrive nearly in the order of the log, so a search by halves finds the neighbourhood with some twenty look-ups
    of the index and the rest is read from there.
    """
    low, high = 0, safe
    while low < high:
        middle = (low + high) // 2
        row = await connection.fetchrow(
            """
            SELECT seq, received_at FROM events WHERE project_id = $1 AND seq > $2 AND seq <= $3
            ORDER BY seq LIMIT 1
            """,
            project_id,
            middle,
            high,
        )
        if row is None or row["received_at"] + _LATEST_WRITE >= moment:
            high = middle
        else:
            low = row["seq"]
    first = await connection.fetchval(
        """
        SELECT seq FROM events WHERE project_id = $1 AND seq > $2 AND seq <= $3 AND received_at >= $4
        ORDER BY seq LIMIT 1
        """,
        project_id,
        low,
        safe,
        moment,
    )
    return safe if first is None else int(first) - 1

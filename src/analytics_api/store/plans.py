"""Tracking plans: rows in, rows out. Each change raises the plan's version, by which every process notices it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.plan import PlanMode, UnknownTypes
from analytics_api.errors import Unprocessable

MOST_TYPES = 1_000
"""Event types of one plan. Compiled schemas stay in the memory of every web process."""


@dataclass(frozen=True, slots=True)
class StoredType:
    """A planned event type. `schema` is JSON text."""

    schema: str
    description: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan with its event types by name. Version 0 is that of a project without one."""

    mode: PlanMode = PlanMode.OBSERVE
    unknown_types: UnknownTypes = UnknownTypes.SAME
    version: int = 0
    updated_at: datetime | None = None
    types: Mapping[str, StoredType] = field(default_factory=dict)


async def plan_versions(connection: asyncpg.Connection) -> dict[int, int]:
    """Version of each project's plan; projects without one are left out."""
    rows = await connection.fetch("SELECT project_id, version FROM tracking_plans")
    return {row["project_id"]: row["version"] for row in rows}


async def find_plan(connection: asyncpg.Connection, project_id: int) -> StoredPlan | None:
    """The plan of a project, from one snapshot."""
    rows = await connection.fetch(
        """
        SELECT mode, unknown_types, version, p.updated_at, event_type, schema, description,
               t.updated_at AS type_updated_at
        FROM tracking_plans p LEFT JOIN plan_event_types t USING (project_id)
        WHERE project_id = $1 ORDER BY event_type
        """,
        project_id,
    )
    if not rows:
        return None
    first = rows[0]
    types = {
        row["event_type"]: StoredType(row["schema"], row["description"], row["type_updated_at"])
        for row in rows
        if row["event_type"] is not None
    }
    return StoredPlan(
        PlanMode(first["mode"]),
        UnknownTypes(first["unknown_types"]),
        first["version"],
        first["updated_at"],
        types,
    )


async def save_plan(
    connection: asyncpg.Connection,
    project_id: int,
    mode: PlanMode,
    unknown_types: UnknownTypes,
    types: Mapping[str, tuple[str, str]] | None,
    now: datetime,
) -> None:
    """Set how a plan is applied, and unless None its event types (schema and description by name) in place of all."""
    async with connection.transaction():
        await connection.execute(
            """
            INSERT INTO tracking_plans AS plan (project_id, mode, unknown_types, version, updated_at)
            VALUES ($1, $2, $3, 1, $4)
            ON CONFLICT (project_id) DO UPDATE SET
                mode = excluded.mode, unknown_types = excluded.unknown_types,
                version = plan.version + 1, updated_at = excluded.updated_at
            """,
            project_id,
            mode,
            unknown_types,
            now,
        )
        if types is None:
            return
        await connection.execute(
            "DELETE FROM plan_event_types WHERE project_id = $1 AND event_type <> ALL ($2)",
            project_id,
            list(types),
        )
        for event_type, (schema, description) in types.items():
            await _put_type(connection, project_id, event_type, schema, description, now)
        await _check_size(connection, project_id)


async def put_type(
    connection: asyncpg.Connection,
    project_id: int,
    event_type: str,
    schema: str,
    description: str,
    now: datetime,
) -> None:
    """Register an event type, new or in place of what is there. Raises Unprocessable when the plan is full."""
    async with connection.transaction():
        await _touch(connection, project_id, now)
        await _put_type(connection, project_id, event_type, schema, description, now)
        await _check_size(connection, project_id)


async def delete_type(
    connection: asyncpg.Connection, project_id: int, event_type: str, now: datetime
) -> bool:
    """Take an event type out of the plan. False: it is not in it."""
    async with connection.transaction():
        status = await connection.execute(
            "DELETE FROM plan_event_types WHERE project_id = $1 AND event_type = $2", project_id, event_type
        )
        found = bool(status != "DELETE 0")
        if found:
            await _touch(connection, project_id, now)
    return found


async def newest_data(
    connection: AsyncConnection, project_id: int, event_type: str, limit: int, *, rows: int
) -> AsyncIterator[list[tuple[UUID, str]]]:
    """Id and `event_data` (JSON text) of the newest events of a type, `rows` at a time."""
    result = await connection.stream(
        text(
            "SELECT event_id, event_data::text FROM events WHERE project_id = :project_id "
            "AND event_type = :event_type ORDER BY occurred_at DESC LIMIT :limit"
        ),
        {"project_id": project_id, "event_type": event_type, "limit": limit},
    )
    async for part in result.partitions(rows):
        yield [(event_id, data) for event_id, data in part]


async def _touch(connection: asyncpg.Connection, project_id: int, now: datetime) -> None:
    """Raise the version. The row stays locked, so changes of one plan happen one after the other."""
    await connection.execute(
        """
        INSERT INTO tracking_plans AS plan (project_id, mode, unknown_types, version, updated_at)
        VALUES ($1, $2, $3, 1, $4)
        ON CONFLICT (project_id) DO UPDATE SET
            version = plan.version + 1, updated_at = excluded.updated_at
        """,
        project_id,
        PlanMode.OBSERVE,
        UnknownTypes.SAME,
        now,
    )


async def _put_type(
    connection: asyncpg.Connection,
    project_id: int,
    event_type: str,
    schema: str,
    description: str,
    now: datetime,
) -> None:
    await connection.execute(
        """
        INSERT INTO plan_event_types AS planned (project_id, event_type, schema, description, updated_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (project_id, event_type) DO UPDATE SET
            schema = excluded.schema, description = excluded.description, updated_at = excluded.updated_at
        WHERE (planned.schema, planned.description) <> (excluded.schema, excluded.description)
        """,
        project_id,
        event_type,
        schema,
        description,
        now,
    )


async def _check_size(connection: asyncpg.Connection, project_id: int) -> None:
    types = await connection.fetchval(
        "SELECT count(*) FROM plan_event_types WHERE project_id = $1", project_id
    )
    if types > MOST_TYPES:
        raise Unprocessable(
            f"The plan would have {types} event types; the limit is {MOST_TYPES}: remove some first."
        )

"""The audit log: every administrative act with who, what and when. Append-only; the database refuses all else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import LargeBinary, String, cast, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.tables import metadata
from analytics_api.store.tables.access import audit_log, users

Facts = dict[str, Any]


class Outcome(StrEnum):
    """How an act ended. None while it goes on, and for ever if the process was killed in it."""

    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody is about to do."""

    actor: str
    action: str
    project_id: int | None = None
    target: str | None = None
    before: Facts | None = None
    after: Facts | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, with the name of the user who did it, while there is one."""

    id: int
    at: datetime
    actor: str
    username: str | None
    action: str
    target: str | None
    before: Facts | None
    after: Facts | None
    request_id: str | None
    outcome: Outcome | None


_ENTRY = [audit_log.c[name] for name in Entry.__slots__ if name != "username"]


async def record(
    connection: AsyncConnection, act: Act, now: datetime, outcome: Outcome | None = Outcome.DONE
) -> int:
    """Add an act; its number. Without an outcome it has to be ended with `end`."""
    row = await connection.execute(
        insert(audit_log)
        .values(
            at=now,
            project_id=act.project_id,
            actor=act.actor,
            action=act.action,
            target=act.target,
            before=act.before,
            after=act.after,
            request_id=act.request_id,
            outcome=outcome,
        )
        .returning(audit_log.c.id)
    )
    return int(row.scalar_one())


async def end(
    connection: AsyncConnection, entry_id: int, outcome: Outcome, after: Facts | None = None
) -> None:
    """Say how an act ended, and what is there now."""
    values: dict[str, Any] = {"outcome": outcome}
    if after is not None:
        values["after"] = after
    await connection.execute(update(audit_log).where(audit_log.c.id == entry_id).values(values))


async def entries(
    connection: AsyncConnection,
    project_id: int,
    *,
    also_general: bool,
    actor: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Entry]:
    """Acts in a project, newest first. `also_general`: those of no project, too; `before`: the number of a page's last."""
    mine = audit_log.c.project_id == project_id
    query = (
        select(*_ENTRY, users.c.username)
        .outerjoin(users, audit_log.c.actor == literal("user:") + cast(users.c.id, String))
        .where(or_(mine, audit_log.c.project_id.is_(None)) if also_general else mine)
        .order_by(audit_log.c.id.desc())
        .limit(limit)
    )
    if actor is not None:
        query = query.where(or_(audit_log.c.actor == actor, users.c.username == actor))
    if before is not None:
        query = query.where(audit_log.c.id < before)
    return [Entry(**row._mapping) for row in await connection.execute(query)]


async def snapshot(
    connection: AsyncConnection,
    table: str,
    project_id: int,
    column: str | None,
    key: str,
    hidden: frozenset[str],
) -> Facts | None:
    """A row of a project as it is now, without what is sealed or hashed and without the columns in `hidden`."""
    source = metadata.tables[table]
    shown = [item for item in source.c if not isinstance(item.type, LargeBinary) and item.name not in hidden]
    query = select(*shown).where(source.c.project_id == project_id)
    if column is not None:
        query = query.where(cast(source.c[column], String) == key)
    row = (await connection.execute(query)).one_or_none()
    return {str(name): value for name, value in row._mapping.items()} if row is not None else None

"""Invitations into a project: a link that works once and for a time. Only SHA-256 of its token is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Role
from analytics_api.store.tables.access import invitations
from analytics_api.store.user_sessions import hash_token


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is known of an invitation; never its token."""

    id: int
    project_id: int
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: int | None


_COLUMNS = [invitations.c[name] for name in Invitation.__slots__]


def _invitation(row: object) -> Invitation:
    values = list(row)  # type: ignore[call-overload]
    values[2] = Role(values[2])
    return Invitation(*values)


async def create_invitation(
    connection: AsyncConnection,
    project_id: int,
    role: Role,
    *,
    created_by: str,
    expires_at: datetime,
    now: datetime,
) -> tuple[str, Invitation]:
    """Make an invitation and return its token, which cannot be read again."""
    token = f"in_{secrets.token_urlsafe(32)}"
    row = await connection.execute(
        insert(invitations)
        .values(
            project_id=project_id,
            role=role.value,
            token_hash=hash_token(token),
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    )
    return token, _invitation(row.one())


async def open_invitation(
    connection: AsyncConnection, token: str, now: datetime, *, lock: bool = False
) -> Invitation | None:
    """The invitation of a token that can still be accepted; with `lock`, by nobody else until the transaction ends."""
    query = select(*_COLUMNS).where(
        invitations.c.token_hash == hash_token(token),
        invitations.c.accepted_at.is_(None),
        invitations.c.expires_at > now,
    )
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _invitation(row) if row is not None else None


async def mark_accepted(connection: AsyncConnection, invitation_id: int, user_id: int, now: datetime) -> None:
    """It cannot be accepted again."""
    await connection.execute(
        update(invitations)
        .where(invitations.c.id == invitation_id)
        .values(accepted_at=now, accepted_by=user_id)
    )


async def list_invitations(
    connection: AsyncConnection, project_id: int, now: datetime, *, before: int | None, limit: int
) -> list[Invitation]:
    """Those of a project that can still be accepted, newest first; made earlier than the one numbered `before`."""
    query = (
        select(*_COLUMNS)
        .where(
            invitations.c.project_id == project_id,
            invitations.c.accepted_at.is_(None),
            invitations.c.expires_at > now,
        )
        .order_by(invitations.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(invitations.c.id < before)
    return [_invitation(row) for row in await connection.execute(query)]


async def withdraw_invitation(connection: AsyncConnection, project_id: int, invitation_id: int) -> bool:
    """Take one back that was not accepted. False when there is none."""
    gone = await connection.execute(
        delete(invitations)
        .where(
            invitations.c.id == invitation_id,
            invitations.c.project_id == project_id,
            invitations.c.accepted_at.is_(None),
        )
        .returning(invitations.c.id)
    )
    return gone.one_or_none() is not None

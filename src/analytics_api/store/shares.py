"""Links that show a project's figures to whoever has them. Of tokens SHA-256 alone is stored, of passwords argon2id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.tables.access import projects, share_sessions, shares
from analytics_api.store.user_sessions import hash_token


@dataclass(frozen=True, slots=True)
class Share:
    """What is known of a link; never its token."""

    id: int
    project_id: int
    name: str
    view: str
    """Where it leads: a page of the dashboard with its question, such as `overview?range=7d`."""
    password_hash: bytes | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    opened: int
    """How often."""
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """A browser that has opened a link."""

    share_id: int
    project_slug: str
    ends_at: datetime


_COLUMNS = [shares.c[name] for name in Share.__slots__]


def _open(now: datetime) -> ColumnElement[bool]:
    return and_(shares.c.revoked_at.is_(None), or_(shares.c.expires_at.is_(None), shares.c.expires_at > now))


async def create_share(
    connection: AsyncConnection,
    project_id: int,
    name: str,
    view: str,
    *,
    password_hash: str | None,
    created_by: str,
    expires_at: datetime | None,
    now: datetime,
) -> tuple[str, Share]:
    """Make a link and return its token, which cannot be read again."""
    token = f"sh_{secrets.token_urlsafe(32)}"
    row = await connection.execute(
        insert(shares)
        .values(
            project_id=project_id,
            name=name,
            view=view,
            token_hash=hash_token(token),
            password_hash=None if password_hash is None else password_hash.encode(),
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    )
    return token, Share(*row.one())


async def list_shares(
    connection: AsyncConnection, project_id: int, now: datetime, *, before: int | None, limit: int
) -> list[Share]:
    """Those of a project that can still be opened, newest first; made earlier than the one numbered `before`."""
    query = (
        select(*_COLUMNS)
        .where(shares.c.project_id == project_id, _open(now))
        .order_by(shares.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(shares.c.id < before)
    return [Share(*row) for row in await connection.execute(query)]


async def revoke_share(connection: AsyncConnection, project_id: int, share_id: int, now: datetime) -> bool:
    """End a link and all who look through it. False when there is none that is open."""
    gone = await connection.execute(
        update(shares)
        .where(shares.c.id == share_id, shares.c.project_id == project_id, _open(now))
        .values(revoked_at=now)
        .returning(shares.c.id)
    )
    return gone.one_or_none() is not None


async def open_share(connection: AsyncConnection, token: str, now: datetime) -> Share | None:
    """The link of a token, while it can be opened."""
    query = select(*_COLUMNS).where(shares.c.token_hash == hash_token(token), _open(now))
    row = (await connection.execute(query)).one_or_none()
    return Share(*row) if row is not None else None


async def begin_viewing(connection: AsyncConnection, share_id: int, now: datetime, ends_at: datetime) -> str:
    """Let a browser look through a link for a time; the token that it is known by. Forgets those whose time is over."""
    await connection.execute(delete(share_sessions).where(share_sessions.c.ends_at <= now))
    token = secrets.token_urlsafe(32)
    await connection.execute(
        insert(share_sessions).values(share_id=share_id, token_hash=hash_token(token), ends_at=ends_at)
    )
    await connection.execute(
        update(shares).where(shares.c.id == share_id).values(opened=shares.c.opened + 1, opened_at=now)
    )
    return token


async def find_viewer(connection: AsyncConnection, token: str, now: datetime) -> Viewer | None:
    """Who looks, while the link can be opened."""
    row = (
        await connection.execute(
            select(shares.c.id, projects.c.slug, share_sessions.c.ends_at)
            .join(shares, shares.c.id == share_sessions.c.share_id)
            .join(projects, projects.c.id == shares.c.project_id)
            .where(
                share_sessions.c.token_hash == hash_token(token), share_sessions.c.ends_at > now, _open(now)
            )
        )
    ).one_or_none()
    return Viewer(*row) if row is not None else None

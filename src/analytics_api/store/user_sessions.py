"""Logins that are open. The database holds SHA-256 of each token: 256 random bits, so that nothing can be guessed from it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.tables.access import user_sessions, users
from analytics_api.store.users import User

_USER = [users.c[name] for name in User.__slots__]


@dataclass(frozen=True, slots=True)
class Session:
    """An open login; never with its token."""

    id: int
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


_SESSION = [user_sessions.c[name] for name in Session.__slots__]


def hash_token(token: str) -> bytes:
    """What the database holds instead of a token."""
    return hashlib.sha256(token.encode()).digest()


async def open_session(
    connection: AsyncConnection, user_id: int, now: datetime, lasts: timedelta
) -> tuple[str, Session]:
    """Begin a session and return its token, which cannot be read again."""
    token = secrets.token_urlsafe(32)
    row = await connection.execute(
        insert(user_sessions)
        .values(
            user_id=user_id, token_hash=hash_token(token), created_at=now, seen_at=now, ends_at=now + lasts
        )
        .returning(*_SESSION)
    )
    return token, Session(*row.one())


async def find_session(
    connection: AsyncConnection, token: str, now: datetime, idle: timedelta
) -> tuple[Session, User] | None:
    """The living session of a token and whose it is."""
    row = (
        await connection.execute(
            select(*_SESSION, *_USER)
            .join(users, users.c.id == user_sessions.c.user_id)
            .where(
                user_sessions.c.token_hash == hash_token(token),
                user_sessions.c.ends_at > now,
                user_sessions.c.seen_at > now - idle,
                users.c.disabled_at.is_(None),
            )
        )
    ).one_or_none()
    if row is None:
        return None
    return Session(*row[: len(_SESSION)]), User(*row[len(_SESSION) :])


async def note_seen(connection: AsyncConnection, session_id: int, now: datetime) -> None:
    """Remember that a session was used."""
    await connection.execute(
        update(user_sessions).where(user_sessions.c.id == session_id).values(seen_at=now)
    )


async def list_sessions(
    connection: AsyncConnection,
    user_id: int,
    now: datetime,
    idle: timedelta,
    *,
    before: int | None,
    limit: int,
) -> list[Session]:
    """The living sessions of a user, newest first; begun earlier than the one numbered `before`."""
    query = (
        select(*_SESSION)
        .where(
            user_sessions.c.user_id == user_id,
            user_sessions.c.ends_at > now,
            user_sessions.c.seen_at > now - idle,
        )
        .order_by(user_sessions.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(user_sessions.c.id < before)
    return [Session(*row) for row in await connection.execute(query)]


async def end_session(connection: AsyncConnection, user_id: int, session_id: int) -> bool:
    """End one session of a user. False when there is none of that number."""
    gone = await connection.execute(
        delete(user_sessions)
        .where(user_sessions.c.id == session_id, user_sessions.c.user_id == user_id)
        .returning(user_sessions.c.id)
    )
    return gone.one_or_none() is not None


async def end_sessions(connection: AsyncConnection, user_id: int, *, keep: int | None = None) -> int:
    """End all sessions of a user, or all but one; how many."""
    query = delete(user_sessions).where(user_sessions.c.user_id == user_id)
    if keep is not None:
        query = query.where(user_sessions.c.id != keep)
    return (await connection.execute(query)).rowcount


async def forget_dead_sessions(connection: AsyncConnection, now: datetime, idle: timedelta) -> None:
    """Remove what has expired."""
    await connection.execute(
        delete(user_sessions).where(
            (user_sessions.c.ends_at <= now) | (user_sessions.c.seen_at <= now - idle)
        )
    )

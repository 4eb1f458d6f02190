"""API keys. Only their SHA-256 is stored: a key holds 256 random bits, so that nothing can be guessed from the hash."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.tables.access import api_keys

_MARKS = {KeyKind.WRITE: "wk", KeyKind.SERVER: "sk", KeyKind.READ: "rk", KeyKind.ADMIN: "ak"}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; never the key itself."""

    id: int
    project_id: int
    kind: KeyKind
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    events_per_second: int | None
    """A limit of its own; 0: none; nothing: that of its kind."""


def key_state(key: ApiKey, now: datetime) -> Literal["active", "expired", "revoked"]:
    """Whether a key can be used."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def hash_key(key: str) -> bytes:
    """What the database holds instead of the key."""
    return hashlib.sha256(key.encode()).digest()


_COLUMNS = [api_keys.c[name] for name in ApiKey.__slots__]


async def create_key(
    connection: AsyncConnection,
    project_id: int,
    kind: KeyKind,
    *,
    name: str = "",
    expires_at: datetime | None = None,
    events_per_second: int | None = None,
    now: datetime,
) -> str:
    """Make a key and return it. It cannot be read again."""
    key, _ = await add_key(
        connection,
        project_id,
        kind,
        name=name,
        expires_at=expires_at,
        events_per_second=events_per_second,
        now=now,
    )
    return key


async def add_key(
    connection: AsyncConnection,
    project_id: int,
    kind: KeyKind,
    *,
    name: str,
    expires_at: datetime | None,
    events_per_second: int | None,
    now: datetime,
) -> tuple[str, ApiKey]:
    """Make a key: its text, which cannot be read again, and what is known of it."""
    key = f"{_MARKS[kind]}_{secrets.token_urlsafe(32)}"
    row = await connection.execute(
        insert(api_keys)
        .values(
            project_id=project_id,
            kind=kind.value,
            name=name,
            prefix=key[:9],
            key_hash=hash_key(key),
            created_at=now,
            expires_at=expires_at,
            events_per_second=events_per_second,
        )
        .returning(*_COLUMNS)
    )
    return key, _api_key(row.one())


async def ensure_page_key(connection: AsyncConnection, project: Project, *, name: str, now: datetime) -> str:
    """A write key for pages that this server makes itself, the same in every process and after every start; made now if there is none.

    Its text follows from the project's namespace, which is random and known to the database alone. When it was revoked it stays so.
    """
    digest = hashlib.sha256(b"page key " + name.encode() + project.namespace.bytes).digest()
    key = f"{_MARKS[KeyKind.WRITE]}_{urlsafe_b64encode(digest).decode().rstrip('=')}"
    await connection.execute(
        upsert(api_keys)
        .values(
            project_id=project.id,
            kind=KeyKind.WRITE.value,
            name=name,
            prefix=key[:9],
            key_hash=hash_key(key),
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key_hash"])
    )
    return key


async def rotate_key(
    connection: AsyncConnection, project_id: int, key_id: int, *, overlap: timedelta, now: datetime
) -> tuple[str, ApiKey] | None:
    """Make a key in the place of another one, which stays valid for `overlap` and not longer than it would have been.

    A key that expires is followed by one that lasts as long. None when the project has no valid key of that number.
    """
    row = (
        await connection.execute(
            select(*_COLUMNS)
            .where(
                api_keys.c.id == key_id,
                api_keys.c.project_id == project_id,
                api_keys.c.revoked_at.is_(None),
                api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now),
            )
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        return None
    old = _api_key(row)
    ends = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
    await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(expires_at=ends))
    return await add_key(
        connection,
        project_id,
        old.kind,
        name=old.name,
        expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
        events_per_second=old.events_per_second,
        now=now,
    )


async def find_key(connection: AsyncConnection, key: str, now: datetime) -> ApiKey | None:
    """The valid key with that text: neither revoked nor expired."""
    row = (
        await connection.execute(
            select(*_COLUMNS).where(
                api_keys.c.key_hash == hash_key(key),
                api_keys.c.revoked_at.is_(None),
                api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now),
            )
        )
    ).one_or_none()
    return _api_key(row) if row is not None else None


def _api_key(row: object) -> ApiKey:
    values = list(row)  # type: ignore[call-overload]
    values[2] = KeyKind(values[2])
    return ApiKey(*values)


async def list_keys(
    connection: AsyncConnection, project_id: int, *, after: int = 0, limit: int | None = None
) -> list[ApiKey]:
    """Keys of a project, oldest first; behind the one numbered `after`."""
    rows = await connection.execute(
        select(*_COLUMNS)
        .where(api_keys.c.project_id == project_id, api_keys.c.id > after)
        .order_by(api_keys.c.id)
        .limit(limit)
    )
    return [_api_key(row) for row in rows]


async def revoke_key(connection: AsyncConnection, project_id: int, key_id: int, now: datetime) -> bool:
    """End a key. False when there is no such living key in the project."""
    result = await connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.project_id == project_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(api_keys.c.id)
    )
    return result.one_or_none() is not None


async def note_use(connection: AsyncConnection, used: dict[int, datetime]) -> None:
    """Remember when keys were last used, by key id."""
    for key_id in sorted(used):
        await connection.execute(
            update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=used[key_id])
        )

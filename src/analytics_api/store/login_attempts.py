"""How often each name was tried: a leaky bucket in the database, so that more processes do not mean more attempts."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.tables.access import login_attempts

MOST_ATTEMPTS = 10
"""Failures in a row, at once."""
SECONDS_EACH = 60
"""After that one more attempt in so many seconds: 1,440 a day, against passwords of 12 characters and more."""

_LEFT = (
    f"greatest(0, tried.level - greatest(0, extract(epoch FROM excluded.at - tried.at)) / {SECONDS_EACH}.0)"
)
_TAKE = text(
    f"""
    INSERT INTO login_attempts AS tried (subject, level, at) VALUES (:subject, 1, CAST(:now AS timestamptz))
    ON CONFLICT (subject) DO UPDATE SET level = {_LEFT} + 1, at = excluded.at WHERE {_LEFT} <= {MOST_ATTEMPTS - 1}
    RETURNING level
    """
)


def _subject(username: str) -> bytes:
    return hashlib.sha256(username.encode()).digest()


async def take_attempt(connection: AsyncConnection, username: str, now: datetime) -> bool:
    """Whether a name, there or not, may be tried now; counts the attempt."""
    await connection.execute(
        delete(login_attempts).where(
            login_attempts.c.at < now - timedelta(seconds=MOST_ATTEMPTS * SECONDS_EACH)
        )
    )
    values = {"subject": _subject(username), "now": now}
    return (await connection.execute(_TAKE, values)).one_or_none() is not None


async def forget_attempts(connection: AsyncConnection, username: str) -> None:
    """The password was right."""
    await connection.execute(delete(login_attempts).where(login_attempts.c.subject == _subject(username)))

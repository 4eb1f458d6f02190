"""Salts of visitor ids: random, one for each project and day, shared by all processes and destroyed when the day is over."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta

import asyncpg

SALT_BYTES = 32
GRACE = timedelta(hours=1)
"""After midnight in the project's zone, for events that are on their way and clocks that differ."""


async def find_salt(connection: asyncpg.Connection, project_id: int, day: date) -> bytes:
    """The salt of a project's day, made now if there is none; the same for all who ask. The project notes the day."""
    await connection.execute(
        """
        UPDATE projects SET visitor_days_first = least(visitor_days_first, $2),
            visitor_days_last = greatest(visitor_days_last, $2)
        WHERE id = $1 AND NOT coalesce($2 BETWEEN visitor_days_first AND visitor_days_last, false)
        """,
        project_id,
        day,
    )
    salt: bytes = await connection.fetchval(
        """
        INSERT INTO visitor_salts AS held (project_id, day, salt) VALUES ($1, $2, $3)
        ON CONFLICT (project_id, day) DO UPDATE SET salt = held.salt RETURNING salt
        """,
        project_id,
        day,
        secrets.token_bytes(SALT_BYTES),
    )
    return salt


async def destroy_salts(connection: asyncpg.Connection, now: datetime) -> int:
    """Destroy the salts of days that are over in their project's zone, in the table's file as well. Returns how many."""
    status = await connection.execute(
        """
        DELETE FROM visitor_salts s USING projects p
        WHERE p.id = s.project_id AND s.day < (($1::timestamptz - $2::interval) AT TIME ZONE p.time_zone)::date
        """,
        now,
        GRACE,
    )
    number = int(status.rsplit(" ", 1)[1])
    if number:
        # Until then the rows are still in the file.
        await connection.execute("VACUUM visitor_salts")
    return number

"""Requests counted per minute, for the routes whose every call would be too much for the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

NO_PROJECT = 0
"""Stands for the project of requests whose caller is not known; real projects count from 1."""


class MinuteKey(NamedTuple):
    """What requests are counted by. `minute` has no seconds; `caller` is a name, never a key."""

    project_id: int
    minute: datetime
    method: str
    route: str
    status: int
    caller: str


@dataclass(slots=True)
class MinuteCount:
    """What is known of the requests of one minute. Durations are in seconds."""

    requests: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    def add(self, other: MinuteCount) -> None:
        """Count the requests of another one in."""
        self.requests += other.requests
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)


async def add_requests(connection: asyncpg.Connection, counts: Mapping[MinuteKey, MinuteCount]) -> None:
    """Add counts to those that are stored, in one statement. Any number of processes may do so at once.

    Rows are taken in the order of their key, so that two processes with the same rows cannot wait for each other.
    """
    if not counts:
        return
    rows = sorted(counts.items())
    columns = [list(column) for column in zip(*(key for key, _ in rows), strict=True)]
    await connection.execute(
        """
        INSERT INTO request_minutes AS stored
            (project_id, minute, method, route, status, caller, requests, seconds, slowest)
        SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::text[],
                             $7::bigint[], $8::float8[]::numeric[], $9::float8[]::numeric[])
        ON CONFLICT (project_id, minute, method, route, status, caller) DO UPDATE SET
            requests = stored.requests + excluded.requests,
            seconds = stored.seconds + excluded.seconds,
            slowest = greatest(stored.slowest, excluded.slowest)
        """,
        *columns,
        [count.requests for _, count in rows],
        [count.seconds for _, count in rows],
        [count.slowest for _, count in rows],
    )


async def purge_requests(connection: asyncpg.Connection, before: datetime) -> int:
    """Forget the minutes before a time. Returns how many rows went."""
    status = await connection.execute("DELETE FROM request_minutes WHERE minute < $1", before)
    return int(status.rsplit(" ", 1)[1])

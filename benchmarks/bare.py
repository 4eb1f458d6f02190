"""The bare limits: COPY into the log's table alone, commits, and a FastAPI route that stores nothing."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

COLUMNS = (
    "project_id", "event_id", "person_id", "has_person", "is_bot", "trusted", "user_id", "anonymous_id",
    "session_id", "event_type", "event_data", "user_properties", "context", "revenue", "currency",
    "occurred_at", "received_at",
)  # fmt: skip


async def copy_rate(dsn: str, count: int, per_transaction: int) -> float:
    """Rows per second of a binary COPY into `events` alone, on one connection: the newest rows once more, taken away after."""
    connection = await asyncpg.connect(dsn)
    found = await connection.fetch(
        f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq DESC LIMIT $1", count
    )
    rows = [tuple(row.values()) for row in found]
    last = await connection.fetchval("SELECT max(seq) FROM events")
    began = time.perf_counter()
    for start in range(0, len(rows), per_transaction):
        await connection.copy_records_to_table(
            "events", records=rows[start : start + per_transaction], columns=COLUMNS
        )
    seconds = time.perf_counter() - began
    await connection.execute("DELETE FROM events WHERE seq > $1", last)
    await connection.close()
    return len(rows) / seconds


async def count(dsn: str) -> int:
    """Rows of the log."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetchval("SELECT count(*) FROM events WHERE event_type <> 'api_request'")
    await connection.close()
    return int(rows)


async def lag_seconds(dsn: str, reader: str) -> float:
    """Age of the oldest event that a reader of the default project has not read."""
    connection = await asyncpg.connect(dsn)
    try:
        age = await connection.fetchval(
            """
            SELECT extract(epoch FROM now() - received_at) FROM events
            WHERE project_id = 1 AND seq > (SELECT position FROM readers WHERE project_id = 1 AND name = $1)
            ORDER BY seq LIMIT 1
            """,
            reader,
        )
    finally:
        await connection.close()
    return float(age or 0)


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def commit_seconds(dsn: str, count: int = 200) -> float:
    """Median seconds of a transaction that inserts one small row."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS bare_commit (n bigint)")
    times = []
    for number in range(count):
        began = time.perf_counter()
        await connection.execute("INSERT INTO bare_commit VALUES ($1)", number)
        times.append(time.perf_counter() - began)
    await connection.execute("DROP TABLE bare_commit")
    await connection.close()
    return sorted(times)[count // 2]


class BareEvent(BaseModel):
    """The same body, parsed into a model."""

    event_type: str
    event_data: dict[str, Any] = {}
    user_properties: dict[str, Any] | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    event_id: UUID | None = None
    timestamp: str | None = None
    context: dict[str, Any] | None = None


app = FastAPI()


@app.post("/events", status_code=202)
async def bare(event: BareEvent) -> dict[str, str]:
    """Parse, store nothing."""
    return {"status": "accepted", "event_type": event.event_type}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")

"""The bare limits: COPY into the log's table alone, commits, and a FastAPI route that stores nothing."""

from __future__ import annotations

import asyncio
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


async def copy_rate(dsn: str, rows: list[tuple[Any, ...]], per_transaction: int) -> float:
    """Rows per second of a binary COPY of ready rows into `events` alone, on one connection."""
    connection = await asyncpg.connect(dsn)
    began = time.perf_counter()
    for start in range(0, len(rows), per_transaction):
        await connection.copy_records_to_table(
            "events", records=rows[start : start + per_transaction], columns=COLUMNS
        )
    seconds = time.perf_counter() - began
    await connection.close()
    return len(rows) / seconds


async def stored_rows(dsn: str, limit: int) -> list[tuple[Any, ...]]:
    """Rows as the server stored them, to be copied again under new ids."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq LIMIT $1", limit)
    await connection.close()
    return [tuple(row.values()) for row in rows]


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

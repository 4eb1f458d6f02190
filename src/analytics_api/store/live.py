"""How processes tell each other that events have been counted: NOTIFY, never from the transactions that write events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from analytics_api.store.engine import Database

CHANNEL = "analytics_counted"


async def tell(connection: asyncpg.Connection) -> None:
    """Wake all who listen. Outside a transaction of anything else."""
    await connection.execute(f"NOTIFY {CHANNEL}")


@asynccontextmanager
async def listen(database: Database, heard: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
    """Call `heard` at every NOTIFY, on a connection of its own. The event says that the connection is lost."""
    lost = asyncio.Event()
    connection = await database.connect()
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: heard())
        heard()
        yield lost
    finally:
        connection.terminate()

"""Changes of rollups beside the rollup reader: one transaction under its lease, with nobody else writing them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import asyncpg

from analytics_api.domain.clock import Clock
from analytics_api.errors import Conflict, LeaseLost
from analytics_api.store import readers
from analytics_api.store.failures import TRY_AGAIN
from analytics_api.store.metrics.days import ROLLUP_READER

LEASE = timedelta(seconds=30)
PATIENCE_SECONDS = 120.0
"""How long to wait for another process that holds the rollups; a chunk takes it a second."""
POLL_SECONDS = 0.05

T = TypeVar("T")


async def in_turn(
    connection: asyncpg.Connection,
    project_id: int,
    owner: str,
    clock: Clock,
    work: Callable[[int], Awaitable[T]],
) -> T:
    """Do `work`, which is told how far the rollups are counted, in one transaction; again when it met another one.

    Not to be called inside a transaction. Raises Conflict when another process does not let go of the rollups.
    """
    await readers.ensure_reader(connection, project_id, ROLLUP_READER, 0, clock())
    while True:
        lease = await _claimed(connection, project_id, owner, clock)
        try:
            async with connection.transaction(isolation="repeatable_read"):
                # The first statement, so that nobody takes the lease before the end and all is read after it.
                await readers.advance(connection, lease, lease.position, clock(), recovered=False)
                return await work(lease.position)
        except (*TRY_AGAIN, LeaseLost):
            await asyncio.sleep(POLL_SECONDS)
        finally:
            await readers.release(connection, lease)


async def _claimed(
    connection: asyncpg.Connection, project_id: int, owner: str, clock: Clock
) -> readers.Lease:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        lease = await readers.claim(connection, project_id, ROLLUP_READER, owner, clock(), LEASE)
        if lease is not None:
            return lease
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(
                "The rollups are being counted by another process and it does not let go: try again later."
            )
        await asyncio.sleep(POLL_SECONDS)

"""Wakes those who listen to a project's events. Without listeners it does nothing and holds no connection.

Whoever counts events says so (store/live.py), from whichever process; each web process with a listener hears it on one
connection. Should that be lost, listeners look for themselves every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from analytics_api.errors import Unavailable
from analytics_api.store.engine import Database
from analytics_api.store.live import listen

logger = logging.getLogger(__name__)

MOST_LISTENERS = 200
"""Of one process. Each costs a short query a second, up to four when events come."""
LOOK_SECONDS = 1.0
KEEP_SECONDS = 1.0
"""How long counters are shared by all who listen to them."""


class LiveHub:
    """Of one web process. `stop` ends all streams."""

    def __init__(self, database: Database, *, most: int = MOST_LISTENERS) -> None:
        self.stopping = False
        self.wakes = 0
        """How often it was woken: who has seen this number has missed nothing."""
        self._database = database
        self._most = most
        self._listeners = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._kept: dict[Any, tuple[float, asyncio.Task[bytes]]] = {}

    def check_room(self) -> None:
        """Raises Unavailable when there are too many listeners."""
        if self._listeners >= self._most or self.stopping:
            raise Unavailable(f"{self._listeners} streams are open here already; try again.", retry_after=10)

    @asynccontextmanager
    async def listener(self) -> AsyncIterator[None]:
        """Be woken as long as the block lasts. Raises Unavailable when there are too many."""
        self.check_room()
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="live-listener")
        try:
            yield
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                self._kept.clear()
                self._task.cancel()
                self._task = None

    async def wait(self, seen: int, seconds: float = LOOK_SECONDS) -> None:
        """Until it is woken again after `seen` wakes, at most so long."""
        if self.wakes != seen or self.stopping:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def shared(self, key: Any, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `make` gives, made once a second for all who ask for the same."""
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(key)
        if kept is None or kept[0] < now or (kept[1].done() and kept[1].exception() is not None):
            kept = (now + KEEP_SECONDS, asyncio.ensure_future(_awaited(make)))
            self._kept[key] = kept
        return await asyncio.shield(kept[1])

    def stop(self) -> None:
        """End all streams."""
        self.stopping = True
        self._wake()

    def _wake(self) -> None:
        self.wakes += 1
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with listen(self._database, self._wake) as lost:
                    await lost.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("live events are looked for every second only: %s", error)
            await asyncio.sleep(LOOK_SECONDS)


async def _awaited(make: Callable[[], Awaitable[bytes]]) -> bytes:
    return await make()

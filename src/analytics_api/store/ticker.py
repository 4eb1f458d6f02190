"""A task that does something with the database every few seconds until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from analytics_api.telemetry import Occasionally

logger = logging.getLogger(__name__)


class Ticker:
    """Calls `work` every `seconds`. An error is logged, now and then, and the next call is the retry."""

    def __init__(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._may_log = Occasionally()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self, *, once_more: bool = False) -> None:
        """End, after what is under way; with `once_more` after another call."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        if once_more:
            await self._try()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return
            await self._try()

    async def _try(self) -> None:
        try:
            await self._work()
        except Exception as error:
            if self._may_log():
                logger.warning("%s: %s: %s", self._name, type(error).__name__, error)

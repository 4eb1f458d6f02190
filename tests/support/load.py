"""Senders that behave as an SDK does: what was not acknowledged is sent again with the same ids until it is."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from types import TracebackType
from typing import Self

import asyncpg
import httpx
from sqlalchemy import make_url

EVENTS = "/api/v1/analytics/events"
PATIENCE = 120.0
"""Seconds after which a test that waits for the server to recover gives up: a guard against hanging, not a measure."""


class Load:
    """Sends batches of events from several senders at once while the block lasts."""

    def __init__(self, url: str, *, senders: int = 8, batch: int = 10, padding: int = 0) -> None:
        """`padding`: bytes of text in each event."""
        self.begun: set[str] = set()
        self.acknowledged: set[str] = set()
        self.answers: Counter[int | str] = Counter()
        """By status; `broken` when there was none."""
        self._client = httpx.AsyncClient(base_url=url, timeout=60, verify=False)
        self._senders = senders
        self._batch = batch
        self._text = "x" * padding
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def reach(self, number: int) -> None:
        """Wait until so many further events have been acknowledged."""
        wanted = len(self.acknowledged) + number
        async with asyncio.timeout(PATIENCE):
            while len(self.acknowledged) < wanted:
                self._raise_what_failed()
                await asyncio.sleep(0.01)

    async def meet(self, answer: int | str) -> None:
        """Wait until a sender has got that answer."""
        async with asyncio.timeout(PATIENCE):
            while not self.answers[answer]:
                self._raise_what_failed()
                await asyncio.sleep(0.01)

    async def finish(self) -> None:
        """Begin nothing new and wait until all that was begun is acknowledged."""
        self._stopping = True
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._tasks)
        assert self.begun == self.acknowledged

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send()) for _ in range(self._senders)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _raise_what_failed(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _send(self) -> None:
        while not self._stopping:
            ids = [str(uuid.uuid4()) for _ in range(self._batch)]
            self.begun.update(ids)
            while not await self._post(ids):
                await asyncio.sleep(0.05)

    async def _post(self, ids: list[str]) -> bool:
        events = [{"event_type": "load", "event_id": one, "event_data": {"text": self._text}} for one in ids]
        try:
            answer = await self._client.post(EVENTS, json=events)
        except httpx.TransportError:
            self.answers["broken"] += 1
            return False
        self.answers[answer.status_code] += 1
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            return False
        assert answer.status_code == 202, answer.text
        for result in answer.json()["results"]:
            assert result["status"] in ("accepted", "duplicate"), result
        self.acknowledged.update(ids)
        return True


async def stored_ids(url: str) -> list[str]:
    """The ids of the stored events of a load, one for each row of the log."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT event_id FROM events WHERE event_type = 'load'")
    finally:
        await connection.close()
    return [str(row["event_id"]) for row in rows]


async def check(load: Load, url: str) -> None:
    """All that was acknowledged is stored exactly once, and nothing else."""
    stored = await stored_ids(url)
    assert len(stored) == len(set(stored)), "an event was stored twice"
    assert set(stored) == load.acknowledged

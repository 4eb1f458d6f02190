"""Warnings counted in memory and written every few seconds, never a row for an event."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import msgspec

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.plan import WarningKind
from analytics_api.store.engine import Database
from analytics_api.store.failures import BAD_DATA
from analytics_api.store.ticker import Ticker
from analytics_api.store.warnings import OTHER_MESSAGE, WarningCount, WarningKey, add_warnings

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
WRITE_SECONDS = 5.0
"""A database that takes longer is as good as away; a stopping process waits no longer for it."""
MOST_KEYS = 200
"""Different warnings of one project between two writes; more are counted as `other`."""
MOST_HELD = 5_000
"""Of all projects. With its sample and texts one takes up to 3 KB; while there is no room, new ones are not counted."""
SAMPLE_BYTES = 1_000
LONGEST = 300
"""Characters of a path or message."""


class WarningCounter:
    """Counts what intake finds odd."""

    def __init__(
        self, database: Database, *, seconds: float = FLUSH_SECONDS, clock: Clock = system_clock
    ) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[WarningKey, WarningCount] = {}
        self._per_project: Counter[int] = Counter()
        self._ticker = Ticker("ingestion-warnings", seconds, self.flush)

    def start(self) -> None:
        """Begin to write."""
        self._ticker.start()

    async def stop(self) -> None:
        """Write what is counted, then stop."""
        await self._ticker.stop(once_more=True)

    def add(
        self,
        project_id: int,
        kind: WarningKind,
        event_type: str,
        path: str,
        message: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Count a warning. `data`: the event's data without personal fields; of the first one a sample is kept."""
        key = WarningKey(project_id, kind, _clean(event_type), _clean(path))
        held = self._counts.get(key)
        if held is None:
            held = self._room_for(key, message, data)
        if held is not None:
            held.events += 1
            held.last_seen = self._clock()

    def _room_for(self, key: WarningKey, message: str, data: dict[str, Any] | None) -> WarningCount | None:
        project_id, now = key.project_id, self._clock()
        number = self._per_project[project_id]
        if len(self._counts) >= MOST_HELD:
            return None
        if number >= MOST_KEYS:
            key, message, data = WarningKey(project_id, WarningKind.OTHER, "", ""), OTHER_MESSAGE, None
            if key in self._counts:
                return self._counts[key]
        self._per_project[project_id] += 1
        made = WarningCount(0, now, now, _clean(message), sample_of(data) if data else None)
        self._counts[key] = made
        return made

    async def flush(self) -> int:
        """Write what is counted; returns how many rows that were.

        When the database refuses, the counts are kept for the next time. Should it have stored them all the same and
        lost only its answer, they are counted twice: these are hints, not figures.
        """
        counts, self._counts = self._counts, {}
        self._per_project.clear()
        if not counts:
            return 0
        try:
            async with asyncio.timeout(WRITE_SECONDS), self._database.acquire() as connection:
                await add_warnings(connection, counts)
        except BAD_DATA:
            # They would be refused again, for ever, and nothing behind them would be written.
            logger.exception("%s kinds of ingestion warnings could not be stored", len(counts))
        except BaseException:
            self._keep(counts)
            raise
        return len(counts)

    def _keep(self, counts: dict[WarningKey, WarningCount]) -> None:
        for key, count in counts.items():
            held = self._counts.get(key)
            if held is not None:
                held.add(count)
            elif self._per_project[key.project_id] < MOST_KEYS or key.kind is WarningKind.OTHER:
                self._counts[key] = count
                self._per_project[key.project_id] += 1


def sample_of(data: dict[str, Any]) -> str:
    """JSON of an event's data with as many of its first members as fit into SAMPLE_BYTES; long texts are cut."""
    sample: dict[str, Any] = {}
    room = SAMPLE_BYTES - 2
    for name, value in data.items():
        short = f"{value[:100]}…" if isinstance(value, str) and len(value) > 100 else value
        room -= len(msgspec.json.encode({name: short}))
        if room < 0:
            break
        sample[name] = short
    return msgspec.json.encode(sample).decode()


def _clean(text: str) -> str:
    """A text that a column holds, of bounded length."""
    return text[:LONGEST].replace("\0", "\ufffd")

"""One connection that writes groups of events: again when the database was away, in halves when a row is bad."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import asyncpg

from analytics_api.domain.event import NewEvent
from analytics_api.errors import Unavailable
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY, BAD_DATA, TRY_AGAIN
from analytics_api.store.groups import CommitUnknown, Stored, ensure_partitions, write_group
from analytics_api.store.partitions import Partitions
from analytics_api.store.quick_times import quicken_times
from analytics_api.telemetry import write_group_events, write_group_seconds

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
"""For a group. Longer than any lock or checkpoint should last; after that the connection is given up."""
RETRY_SECONDS = 5.0
"""How long a group waits for a database that is away before its senders are told to come again."""

Outcome = bool | str
"""True: stored. False: a duplicate. Text: why the row was refused."""

KEPT_OUT = "its person has been erased and is kept out"


class Lane:
    """Writes one group at a time, over a connection of its own."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database = database
        self._partitions = partitions
        self._closing = False
        self._connection: asyncpg.Connection | None = None

    def hurry(self) -> None:
        """Wait no longer for a database that is away: the process ends."""
        self._closing = True

    async def write(self, events: Sequence[NewEvent]) -> list[Outcome]:
        """Write all at once; when a row is bad, halve until it stands alone, so that it fails alone."""
        try:
            return [KEPT_OUT if stored is None else stored for stored in await self._write_with_retry(events)]
        except BAD_DATA as error:
            if len(events) == 1:
                logger.warning("the database refused an event of type %r: %s", events[0].event_type, error)
                return [f"the database refused this event: {str(error)[:200]}"]
        middle = len(events) // 2
        return [
            *await self.write(events[:middle]),
            *await self.write(events[middle:]),
        ]

    async def _write_with_retry(self, events: Sequence[NewEvent]) -> list[Stored]:
        give_up = time.monotonic() + RETRY_SECONDS
        wait = 0.02
        while True:
            try:
                connection = await self._connected()
                await ensure_partitions(connection, self._partitions, events)
                began = time.perf_counter()
                async with asyncio.timeout(WRITE_SECONDS):
                    stored = await write_group(connection, self._partitions, events)
                write_group_seconds.observe(time.perf_counter() - began)
                write_group_events.observe(len(events))
                return stored
            except TimeoutError as error:
                # Its process may be stopped and go on later: then they are stored after all.
                await self.disconnect()
                raise Unavailable("The database is too slow; send the same request again.") from error
            except CommitUnknown as error:
                # Perhaps stored, perhaps not: only the sender can decide, with the same event ids.
                await self.disconnect()
                raise Unavailable(
                    "The database went away while committing; send the same request again."
                ) from error
            except asyncpg.CheckViolationError as error:
                # A partition was dropped behind our back: look again, then it is made anew.
                if time.monotonic() > give_up:
                    raise
                logger.info("no partition for a row (%s); looking again", error)
                await self._partitions.load(await self._connected())
            except TRY_AGAIN:
                if time.monotonic() > give_up:
                    raise Unavailable() from None
            except AWAY as error:
                await self.disconnect()
                if time.monotonic() > give_up or self._closing:
                    logger.error("the database is away: %s", error)
                    raise Unavailable("The database is away; send the same request again.") from error
            await asyncio.sleep(wait)
            wait = min(wait * 2, 0.5)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            await quicken_times(self._connection)
            await self._partitions.load(self._connection)
        return self._connection

    async def disconnect(self) -> None:
        """Drop the connection; the next group makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

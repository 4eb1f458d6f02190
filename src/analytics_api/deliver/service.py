"""All destinations of this process: what the app and the worker use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import httpx

from analytics_api.deliver.destination import Destination, DestinationConfig, open_destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState, FlushReport
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.store import deliveries, readers
from analytics_api.store.engine import Database
from analytics_api.store.log import safe_position
from analytics_api.store.projects import list_projects

__all__ = ["DestinationConfig", "Destinations", "FlushReport"]

logger = logging.getLogger(__name__)

SANDBOX = "sandbox"
CLOSE_SECONDS = 35.0
"""A request in flight has 30 s; after that its events are simply sent again by the next process."""
SOONEST = 0.1
LATEST = 300.0
"""Seconds ahead of which no wake-up is planned; the regular flush comes earlier."""


class Destinations:
    """Keeps a reader for each destination of each project, and runs them side by side.

    A destination gets the events of one project (`DestinationConfig.project`); in sandbox mode the sandbox gets those of
    every project, and the configured providers pass their events over.
    """

    def __init__(
        self,
        database: Database,
        configs: Sequence[DestinationConfig],
        client: httpx.AsyncClient,
        *,
        owner: str,
        sandbox_mode: bool = False,
        batch_size: int = 100,
        clock: Clock = system_clock,
    ) -> None:
        """`owner` names this process among all; `batch_size` is events per request. Raises ConfigurationError."""
        self.sandbox_mode = sandbox_mode
        self._database = database
        self._client = client
        self._owner = owner
        self._batch_size = batch_size
        self._clock = clock
        self._destinations = [
            (config.project, open_destination(config, muted=sandbox_mode)) for config in configs
        ]
        self._sandbox = open_destination(DestinationConfig(SANDBOX), muted=False) if sandbox_mode else None
        self._readers: dict[tuple[int, str], DestinationReader] = {}
        self._alarms: dict[tuple[int, str], asyncio.TimerHandle] = {}
        self._woken: set[asyncio.Task[FlushReport]] = set()
        self._closed = False

    def names(self, project: Project) -> list[str]:
        """Names of the destinations that receive a project's events."""
        return [destination.name for destination in self._of(project)]

    def is_muted(self, name: str) -> bool:
        """Whether a destination passes its events over, because sandbox mode is on."""
        return self.sandbox_mode and name != SANDBOX

    async def ensure(self) -> None:
        """Make the readers that are missing. A provider starts now: at what is safe to read at this moment.

        The sandbox starts at the beginning of the log, so that a first look shows what is there.
        """
        async with self._database.read() as session:
            projects = await list_projects(session)
        async with self._database.acquire() as connection:
            safe = await safe_position(connection)
            if self._sandbox is None:
                # It owes nobody anything, and where it stands must not hold retention back.
                await deliveries.forget_reader(connection, SANDBOX)
            for project in projects:
                for destination in self._of(project):
                    start = 0 if destination is self._sandbox else safe
                    name = deliveries.reader_name(destination.name)
                    await readers.ensure_reader(connection, project.id, name, start, self._clock())
                    self._add_reader(project, destination)

    async def flush(self, project: str | None = None) -> list[FlushReport]:
        """Deliver what is due now, of all projects or of one (slug). Destinations run side by side; none can fail another."""
        await self.ensure()
        chosen = [
            (key, reader) for key, reader in self._readers.items() if project in (None, reader.project.slug)
        ]
        return list(await asyncio.gather(*(self._run(key, reader) for key, reader in chosen)))

    async def close(self) -> None:
        """Let what is in flight come to its end, and begin nothing more."""
        if self._closed:
            return
        self._closed = True
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        for reader in self._readers.values():
            reader.stop()
        idle = asyncio.gather(*(reader.idle() for reader in self._readers.values()))
        try:
            await asyncio.wait_for(idle, CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("a delivery was still running at the end; its events will be sent again")
        for task in self._woken:
            task.cancel()
        await asyncio.gather(*self._woken, return_exceptions=True)

    def _of(self, project: Project) -> list[Destination]:
        chosen = [destination for slug, destination in self._destinations if slug == project.slug]
        return chosen if self._sandbox is None else [*chosen, self._sandbox]

    def _add_reader(self, project: Project, destination: Destination) -> None:
        key = (project.id, destination.name)
        if key not in self._readers:
            self._readers[key] = DestinationReader(
                self._database,
                project,
                destination,
                self._client,
                self._owner,
                batch_size=self._batch_size,
                clock=self._clock,
            )

    async def _run(self, key: tuple[int, str], reader: DestinationReader) -> FlushReport:
        try:
            report = await reader.run_once()
        except Exception as error:
            logger.exception(
                "delivery to %s of project %s failed", reader.destination.name, reader.project.slug
            )
            return FlushReport(
                reader.project.slug,
                reader.destination.name,
                DeliveryState.ERROR,
                reason=f"{type(error).__name__}: {error}",
            )
        self._plan(key, reader, report.retry_at)
        return report

    def _plan(self, key: tuple[int, str], reader: DestinationReader, at: datetime | None) -> None:
        """Come back when something is due before the next regular flush: waits are seconds, flushes may be minutes apart."""
        alarm = self._alarms.pop(key, None)
        if alarm is not None:
            alarm.cancel()
        if at is None or self._closed:
            return
        delay = max((at - self._clock()).total_seconds(), SOONEST)
        if delay <= LATEST:
            self._alarms[key] = asyncio.get_running_loop().call_later(delay, self._wake, key, reader)

    def _wake(self, key: tuple[int, str], reader: DestinationReader) -> None:
        task = asyncio.create_task(self._run(key, reader), name=f"retry-{reader.destination.name}")
        self._woken.add(task)
        task.add_done_callback(self._woken.discard)

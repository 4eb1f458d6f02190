"""All destinations of this process: what the app and the worker use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from analytics_api.deliver.added import AddedDestinations
from analytics_api.deliver.destination import Destination, DestinationConfig, open_destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replays import Replays, Target
from analytics_api.deliver.report import DeliveryState, FlushReport
from analytics_api.deliver.rulebook import RuleBook
from analytics_api.deliver.rules import NO_RULES
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import Conflict, NotFound
from analytics_api.outbound.connections import Client
from analytics_api.store import deliveries, readers
from analytics_api.store.deliveries import Key
from analytics_api.store.engine import Database
from analytics_api.store.log import safe_position
from analytics_api.store.projects import list_projects
from analytics_api.store.replays import forget_replays
from analytics_api.store.secret_box import SecretBox

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

    A destination gets the events of one project: those of the settings `DestinationConfig.project`, those that were added
    over the API that of their row. In sandbox mode the sandbox gets the events of every project, and the others pass
    theirs over.
    """

    def __init__(
        self,
        database: Database,
        configs: Sequence[DestinationConfig],
        client: Client,
        *,
        owner: str,
        sandbox_mode: bool = False,
        batch_size: int = 100,
        box: SecretBox | None = None,
        guarded: Client | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """`owner` names this process among all; `batch_size` is events per request. Raises ConfigurationError.

        `box` opens the secrets of destinations that were added; without one they are not looked for. Their requests go
        through `guarded`, which is closed with this object, or else through `client`.
        """
        self.sandbox_mode = sandbox_mode
        self._database = database
        self._client = client
        self._guarded = guarded
        self._added = None if box is None else AddedDestinations(box, muted=sandbox_mode)
        self._book = RuleBook()
        self._owner = owner
        self._batch_size = batch_size
        self._clock = clock
        self._destinations = [
            (config.project, open_destination(config, muted=sandbox_mode)) for config in configs
        ]
        self._sandbox = open_destination(DestinationConfig(SANDBOX), muted=False) if sandbox_mode else None
        self._readers: dict[Key, DestinationReader] = {}
        self._ruled_ones: dict[Key, tuple[Destination, Destination]] = {}
        """Destinations without and with their rules."""
        self._retired: dict[Key, asyncio.Lock] = {}
        self._refreshing = asyncio.Lock()
        self._unnoticed: set[Key] = set()
        """Destinations that have changed and that nothing has been delivered to since."""
        self._alarms: dict[Key, asyncio.TimerHandle] = {}
        self._woken: set[asyncio.Task[FlushReport]] = set()
        self._closed = False
        self.replays = Replays(database, self._target, owner=owner, batch_size=batch_size, clock=clock)

    @property
    def added(self) -> AddedDestinations | None:
        """Those that were added, as this process knows them."""
        return self._added

    @property
    def client_of_added(self) -> Client:
        """What requests to destinations that were added go through."""
        return self._client if self._guarded is None else self._guarded

    def from_settings(self, project: Project) -> list[Destination]:
        """The destinations of a project that the settings name, with the rules of the settings."""
        return [destination for slug, destination in self._destinations if slug == project.slug]

    def names(self, project: Project) -> list[str]:
        """Names of the destinations that receive a project's events."""
        return [destination.name for destination in self._of(project)]

    def find(self, project: Project, name: str) -> Destination | None:
        """One that receives a project's events and can be sent to from here."""
        return next((each for each in self._of(project) if each.name == name), None)

    def get(self, project: Project, name: str) -> Destination:
        """One that can be sent to from here. Raises NotFound, and Conflict when it is there and cannot be used."""
        found = self.find(project, name)
        if found is None:
            problem = self.problem(project, name)
            if problem is not None:
                raise Conflict(f"{name!r} cannot be used: {problem}")
            raise NotFound(f"Project {project.slug} has no destination {name!r}.")
        return found

    def problem(self, project: Project, name: str) -> str | None:
        """Why one cannot be sent to from this process."""
        found = None if self._added is None else self._added.problem(project.id, name)
        return found or self._book.problem((project.id, name))

    def is_muted(self, name: str) -> bool:
        """Whether a destination passes its events over, because sandbox mode is on."""
        return self.sandbox_mode and name != SANDBOX

    async def ensure(self) -> None:
        """Make the readers that are missing. A provider starts now: at what is safe to read at this moment.

        The sandbox starts at the beginning of the log, so that a first look shows what is there.
        """
        await self.refresh()
        async with self._database.read() as session:
            projects = await list_projects(session)
        async with self._database.acquire() as connection:
            safe = await safe_position(connection)
            if self._sandbox is None:
                # It owes nobody anything, and where it stands must not hold retention back.
                await deliveries.forget_reader(connection, SANDBOX)
                await forget_replays(connection, SANDBOX)
            for project in projects:
                for destination in self._of(project):
                    if not self._is_added(project, destination):
                        start = 0 if destination is self._sandbox else safe
                        name = deliveries.reader_name(destination.name)
                        await readers.ensure_reader(connection, project.id, name, start, self._clock())
                    self._add_reader(project, destination)

    async def refresh(self) -> None:
        """Look for destinations that were added, changed or removed, and for rules that are others; the readers of those
        that changed begin anew.
        """
        if self._closed:
            return
        # One at a time: an older view of the table must not replace a newer one.
        async with self._refreshing, self._database.acquire() as connection:
            # Each by itself: when the second cannot be read, what the first one has found is not forgotten.
            self._begin_anew(await self._book.refresh(connection))
            if self._added is not None:
                self._begin_anew(await self._added.refresh(connection))

    def _begin_anew(self, changed: set[Key]) -> None:
        for key in changed:
            self._retire(key)
        self._unnoticed |= changed

    async def notice(self) -> None:
        """Refresh, and deliver at once to what is new or has changed. For the background work, every few seconds."""
        await self.refresh()
        changed, self._unnoticed = self._unnoticed, set()
        if not changed:
            return
        async with self._database.read() as session:
            projects = {project.id: project for project in await list_projects(session)}
        for key in changed:
            project = projects.get(key[0])
            destination = None if project is None else self.find(project, key[1])
            if project is None or destination is None:
                continue
            # One of the settings that had no reader here yet is begun by the first flush.
            if self._is_added(project, destination) or key in self._retired:
                self._wake(key, self._add_reader(project, destination))

    async def flush(self, project: str | None = None, *, patience: float | None = None) -> list[FlushReport]:
        """Deliver what is due now, of all projects or of one (slug). Destinations run side by side; none can fail another.

        `patience`: seconds after which those that are at work still are reported as busy and left to it; None: they are waited
        for.
        """
        await self.ensure()
        begun = [
            (reader, self._wake(key, reader))
            for key, reader in self._readers.items()
            if project in (None, reader.project.slug)
        ]
        tasks = [task for _, task in begun]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=patience)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return [
            task.result()
            if task.done()
            else FlushReport(reader.project.slug, reader.destination.name, DeliveryState.BUSY)
            for reader, task in begun
        ]

    async def start_flush(self) -> None:
        """Begin to deliver what is due now, and wait for nobody: a destination that hangs, or has a long way to go, must not keep
        the next flush from the others. Those that are at work still are left to it.
        """
        await self.ensure()
        for key, reader in self._readers.items():
            if not self._closed and not reader.lock.locked():
                self._wake(key, reader)

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
        idle = asyncio.gather(self.replays.close(), *(reader.idle() for reader in self._readers.values()))
        try:
            await asyncio.wait_for(idle, CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("a delivery was still running at the end; its events will be sent again")
        for task in self._woken:
            task.cancel()
        await asyncio.gather(*self._woken, return_exceptions=True)
        if self._guarded is not None:
            await self._guarded.aclose()

    def _of(self, project: Project) -> list[Destination]:
        chosen = self.from_settings(project)
        if self._added is not None:
            names = {destination.name for destination in chosen}
            chosen += [each for each in self._added.of(project.id) if each.name not in names]
        chosen = [ruled for each in chosen if (ruled := self._ruled(project, each)) is not None]
        return chosen if self._sandbox is None else [*chosen, self._sandbox]

    def _ruled(self, project: Project, destination: Destination) -> Destination | None:
        """A destination with its rules; None when they cannot be read: it must not be sent to without them.

        The same object until something changes.
        """
        if destination.rules is not NO_RULES:
            return destination
        key = (project.id, destination.name)
        rules = self._book.of(key)
        if rules is None:
            return None
        found = self._ruled_ones.get(key)
        if found is None or found[0] is not destination or found[1].rules is not rules:
            found = self._ruled_ones[key] = destination, replace(destination, rules=rules)
        return found[1]

    def _is_added(self, project: Project, destination: Destination) -> bool:
        found = None if self._added is None else self._added.find(project.id, destination.name)
        return found is not None and found.provider is destination.provider

    def client_for(self, project: Project, destination: Destination) -> Client:
        """What requests to a destination go through."""
        return self.client_of_added if self._is_added(project, destination) else self._client

    def _target(self, project: Project, name: str) -> Target | None:
        destination = self.find(project, name)
        return None if destination is None else Target(destination, self.client_for(project, destination))

    def _add_reader(self, project: Project, destination: Destination) -> DestinationReader:
        key = (project.id, destination.name)
        found = self._readers.get(key)
        if found is None:
            found = self._readers[key] = DestinationReader(
                self._database,
                project,
                destination,
                self.client_for(project, destination),
                self._owner,
                batch_size=self._batch_size,
                clock=self._clock,
                lock=self._retired.pop(key, None),
            )
        return found

    def _retire(self, key: Key) -> None:
        """End the reader of a destination that has changed; the next one waits for what it has in flight."""
        alarm = self._alarms.pop(key, None)
        if alarm is not None:
            alarm.cancel()
        reader = self._readers.pop(key, None)
        if reader is not None:
            reader.stop()
            self._retired[key] = reader.lock

    async def _run(self, key: Key, reader: DestinationReader) -> FlushReport:
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
        if self._readers.get(key) is reader:
            self._plan(key, reader, report.retry_at)
        return report

    def _plan(self, key: Key, reader: DestinationReader, at: datetime | None) -> None:
        """Come back when something is due before the next regular flush: waits are seconds, flushes may be minutes apart."""
        alarm = self._alarms.pop(key, None)
        if alarm is not None:
            alarm.cancel()
        if at is None or self._closed:
            return
        delay = max((at - self._clock()).total_seconds(), SOONEST)
        if delay <= LATEST:
            self._alarms[key] = asyncio.get_running_loop().call_later(delay, self._wake, key, reader)

    def _wake(self, key: Key, reader: DestinationReader) -> asyncio.Task[FlushReport]:
        task = asyncio.create_task(self._run(key, reader), name=f"deliver-{reader.destination.name}")
        self._woken.add(task)
        task.add_done_callback(self._woken.discard)
        return task

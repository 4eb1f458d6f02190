"""The replays that this process works on: one task each, slice after slice, until it is over or another has it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.replay_reader import ReplayReader
from analytics_api.domain.backoff import backoff
from analytics_api.domain.clock import Clock
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store import replays
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.projects import list_projects
from analytics_api.store.replays import Replay

logger = logging.getLogger(__name__)

LONGEST_SLEEP = 2.0
"""Seconds after which a waiting replay looks whether somebody has resumed, hastened or ended it."""
PATIENCE = 5
"""Errors of our own in a row, after which a replay has failed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A destination that can be sent to, and what its requests go through."""

    destination: Destination
    client: Client


FindTarget = Callable[[Project, str], Target | None]


class Replays:
    """Works on every running replay whose destination this process can send to; a lease decides among processes."""

    def __init__(
        self, database: Database, target: FindTarget, *, owner: str, batch_size: int, clock: Clock
    ) -> None:
        self._database = database
        self._target = target
        self._owner = owner
        self._batch_size = batch_size
        self._clock = clock
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._readers: dict[int, tuple[Destination, ReplayReader]] = {}
        self._errors: Counter[int] = Counter()
        self._closing = asyncio.Event()

    async def notice(self) -> None:
        """Begin with the replays that nobody here works on yet. For the background work, every second."""
        async with self._database.acquire() as connection:
            running = await replays.running_replays(connection)
        fresh = [replay for replay in running if replay.id not in self._tasks]
        if not fresh or self._closing.is_set():
            return
        async with self._database.read() as session:
            projects = {project.id: project for project in await list_projects(session)}
        for replay in fresh:
            project = projects.get(replay.project_id)
            if project is not None:
                task = asyncio.create_task(self._work(project, replay), name=f"replay-{replay.id}")
                self._tasks[replay.id] = task
                task.add_done_callback(partial(self._forget, replay.id))

    async def close(self) -> None:
        """Begin nothing more and wait for what is in flight. Cancelling this cuts it off; then it is sent again."""
        self._closing.set()
        for _, reader in self._readers.values():
            reader.stop()
        try:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _forget(self, replay_id: int, _task: asyncio.Task[None]) -> None:
        del self._tasks[replay_id]

    async def _work(self, project: Project, replay: Replay) -> None:
        while not self._closing.is_set():
            target = self._target(project, replay.destination)
            if target is None or target.destination.muted:
                break
            try:
                report = await self._reader(project, replay, target).run_once()
                delay = None
                if report.retry_at is not None:
                    delay = (report.retry_at - self._clock()).total_seconds()
                # A run between two errors that only waited for its turn has got nowhere.
                if report.delivered or report.skipped or report.parked or report.dead or report.unknown:
                    self._errors.pop(replay.id, None)
            except AWAY as error:
                logger.warning("replay %s waits for the database: %s", replay.id, error)
                delay = LONGEST_SLEEP
            except Exception as error:
                logger.exception("replay %s met an error", replay.id)
                delay = await self._note_error(replay, error)
            if delay is None:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), min(max(delay, 0.0), LONGEST_SLEEP))
        self._readers.pop(replay.id, None)

    def _reader(self, project: Project, replay: Replay, target: Target) -> ReplayReader:
        """The replay's reader; another one when the destination has changed."""
        destination, reader = self._readers.get(replay.id, (None, None))
        if reader is None or destination is not target.destination:
            reader = ReplayReader(
                self._database,
                project,
                target.destination,
                replay,
                target.client,
                self._owner,
                batch_size=self._batch_size,
                clock=self._clock,
            )
            self._readers[replay.id] = target.destination, reader
        return reader

    async def _note_error(self, replay: Replay, error: Exception) -> float | None:
        """Seconds until the next attempt; None when there is none."""
        self._errors[replay.id] += 1
        if self._errors[replay.id] < PATIENCE:
            return backoff(self._errors[replay.id])
        del self._errors[replay.id]
        with contextlib.suppress(*AWAY):
            async with self._database.acquire() as connection:
                words = f"{type(error).__name__}: {error}"
                await replays.fail(connection, replay.project_id, replay.id, words, self._clock())
        return None

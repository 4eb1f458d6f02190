"""Replays for tests: made without the API, and worked off under a clock that the test moves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx

from analytics_api.deliver import replaying
from analytics_api.deliver.destination import Destination
from analytics_api.deliver.replay_reader import ReplayReader
from analytics_api.deliver.replaying import NewReplay
from analytics_api.deliver.report import FlushReport
from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from analytics_api.store.replay_views import ReplayView
from analytics_api.store.replays import Replay
from tests.support.delivering import MovableClock
from tests.support.destinations import call


class ReplayBench:
    """Replays to one destination."""

    def __init__(
        self,
        database: Database,
        project: Project,
        to: Destination,
        client: Client,
        clock: MovableClock,
        *,
        batch_size: int = 10,
    ) -> None:
        self.database, self.project, self.to, self.client, self.clock = database, project, to, client, clock
        self.batch_size = batch_size

    async def start(self, new: NewReplay = NewReplay()) -> Replay:  # noqa: B008 (it is frozen)
        """A replay, as the API makes it."""
        return await replaying.start(self.database, self.project, self.to.name, self.to, new, self.clock())

    def reader(self, replay: Replay, *, owner: str = "test") -> ReplayReader:
        """Its reader."""
        return ReplayReader(
            self.database,
            self.project,
            self.to,
            replay,
            self.client,
            owner,
            batch_size=self.batch_size,
            clock=self.clock,
        )

    async def view(self, replay: Replay) -> ReplayView:
        """How it stands."""
        async with self.database.acquire() as connection:
            return await replaying.find(connection, self.project, replay.id)

    async def change(self, replay: Replay, **what: object) -> ReplayView:
        """Pause, resume, cancel, or another rate."""
        async with self.database.acquire() as connection:
            return await replaying.change(
                connection,
                self.project,
                replay.id,
                self.clock(),
                **what,  # type: ignore[arg-type]
            )

    async def run(self, reader: ReplayReader, *, most_runs: int = 500) -> list[FlushReport]:
        """Slice after slice, letting the time pass that it asks for, until it is over or paused."""
        reports = []
        for _ in range(most_runs):
            reports.append(await reader.run_once())
            moment = reports[-1].retry_at
            if moment is None:
                return reports
            self.clock.now = max(self.clock.now, moment) + timedelta(milliseconds=1)
        raise AssertionError(f"still not over after {most_runs} slices: {reports[-1]}")


async def finished(api: httpx.AsyncClient, worker: Destinations, replay_id: int) -> dict[str, Any]:
    """The replay, once it is not running any more."""
    while True:
        await worker.replays.notice()
        found: dict[str, Any] = await call(api, "GET", f"/deliveries/replays/{replay_id}")
        if found["state"] != "running":
            return found
        await asyncio.sleep(0.02)

"""The reader of one replay: slices of chosen events from the log, at its own pace and behind the live events.

It sends as the live stream does, with the same ids, under a lease and a position of its own. Before each slice it looks
whether live events are being delivered to the same destination, or wait for it to recover, and lets those go first.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.parcel import Parcel
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState, FlushReport
from analytics_api.deliver.run import Desk, Run, Stream, Stretch
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost
from analytics_api.outbound.connections import Client
from analytics_api.store import replays
from analytics_api.store.deliveries import ReaderState
from analytics_api.store.engine import Database
from analytics_api.store.event_choice import read_chosen
from analytics_api.store.readers import Lease
from analytics_api.store.replays import Replay, replay_reader

logger = logging.getLogger(__name__)

LANES = 4
"""Requests in flight, half of what live events may have."""
LARGEST_SLICE = 5_000
"""Events that are read, sent and committed at a time; at lower rates those of one second."""
LOOK_AGAIN = timedelta(seconds=0.5)
"""While live events are being delivered."""


def replay_stream(project: Project, replay: Replay) -> Stream:
    """The stream of a replay."""
    title = f"replay {replay.id} to {replay.destination} of project {project.slug}"
    return Stream(replay.key, replay_reader(replay.id), title, f"{replay.destination} (replay)", repeats=True)


class ReplayRun(Run):
    """One slice of a replay: what is due of its parked events, or else its next events; reserved before they are sent."""

    def __init__(self, desk: Desk, lease: Lease, report: FlushReport, replay: Replay) -> None:
        super().__init__(desk, lease, replay.upto_seq, report)
        self._replay = replay

    async def drain(self) -> None:
        """Send the slice, and say so when it was the last."""
        parcels = await self._due()
        if parcels:
            await self._deliver(parcels, self._lease.position, {})
        elif self._lease.position < self._safe:
            await self._next_stretch(await self._read_after(self._lease.position))
        if not self._over and self._lease.position >= self._safe:
            async with self._desk.database.acquire() as connection:
                if await replays.finish(connection, self._lease, self._replay, self._desk.clock()):
                    logger.info("%s is done", self._desk.stream.title)

    async def _read(self, connection: asyncpg.Connection, position: int) -> Stretch:
        desk = self._desk
        return Stretch(
            *await read_chosen(
                connection, desk.project, self._replay.choice, position, self._safe, desk.chunk
            )
        )

    async def _deliver(self, parcels: list[Parcel], upto: int, waiting: dict[UUID, datetime]) -> None:
        if parcels:
            async with self._desk.database.acquire() as connection:
                await replays.reserve(connection, self._replay.id, len(parcels), self._desk.clock())
        await super()._deliver(parcels, upto, waiting)


class ReplayReader(DestinationReader):
    """Sends one replay's events. `run_once` is one slice; `retry_at` of its report says when the next may begin."""

    def __init__(
        self,
        database: Database,
        project: Project,
        destination: Destination,
        replay: Replay,
        client: Client,
        owner: str,
        *,
        batch_size: int = 100,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(
            database,
            project,
            destination,
            client,
            owner,
            batch_size=batch_size,
            lanes=LANES,
            clock=clock,
            stream=replay_stream(project, replay),
        )
        self._replay_id = replay.id

    async def run_once(self) -> FlushReport:
        """One slice, unless it must wait; without `retry_at` there is nothing left to come back for by itself."""
        async with self.lock:
            report = FlushReport(self.project.slug, self.destination.name)
            async with self._database.acquire() as connection:
                replay = await self._look(connection, report)
                now = self._clock()
                if replay is None or self._stopping or report.retry_at is None or report.retry_at > now:
                    return report
                desk = await self._slice(connection, replay)
                lease = await self._claim(connection)
            try:
                if lease is None:
                    raise LeaseLost
                await self._guarded(lease, ReplayRun(desk, lease, report, replay))
            except LeaseLost:
                report.state, report.retry_at = DeliveryState.HELD_ELSEWHERE, None
                return report
            async with self._database.acquire() as connection:
                await self._look(connection, report)
            return report

    async def _slice(self, connection: asyncpg.Connection, replay: Replay) -> Desk:
        """What a slice is worked with: as many events as a second may have, without what would be counted twice."""
        chunk = max(1, min(replay.events_per_second, LARGEST_SLICE))
        if replay.allow_repetitions:
            return replace(self._desk, chunk=chunk)
        live = await replays.live_stream(connection, self.project.id, self.destination.name)
        began = (live and live.start_position) or 0
        earlier = await replays.sent_before(connection, self.project.id, self.destination.name, replay.id)

        def had(event: StoredEvent) -> bool:
            return event.seq > began or any(
                event.seq <= sent.upto and sent.choice.may_hold(event) for sent in earlier
            )

        return replace(self._desk, chunk=chunk, had=had)

    async def _look(self, connection: asyncpg.Connection, report: FlushReport) -> Replay | None:
        """The replay, unless it is over; the report says how it stands."""
        report.retry_at = None
        replay = await replays.running_replay(connection, self._replay_id)
        state = None if replay is None else await self._state(connection)
        live = await replays.live_stream(connection, self.project.id, self.destination.name)
        if replay is None or state is None or live is None:
            return None
        report.position, report.reason = state.position, state.reason
        if state.paused:
            report.state = DeliveryState.PAUSED
        else:
            report.state = DeliveryState.RUNNING
            report.retry_at = self._earliest(replay, state, live)
        return replay

    def _earliest(self, replay: Replay, state: ReaderState, live: replays.Live) -> datetime:
        """When the next slice may begin."""
        now = self._clock()
        moments = [replay.next_at, state.retry_at]
        if live.busy_until is not None and live.busy_until > now:
            moments.append(now + LOOK_AGAIN)
        if live.retry_at is not None and live.retry_at > now:
            moments.append(live.retry_at)
        if state.position >= replay.upto_seq:
            moments.append(state.waiting_until)
        return max(moment for moment in moments if moment is not None)

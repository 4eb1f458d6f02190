"""The reader of one destination: takes the log, piece by piece, to a provider, and commits what became of each event.

No transaction is open during a network call. A crash between sending and committing sends again what was sent, with
the same ids, and the provider drops the repetition.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Never

import asyncpg

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.dispatch import LANES
from analytics_api.deliver.parcel import RequestSize
from analytics_api.deliver.report import DeliveryState, FlushReport
from analytics_api.deliver.run import Desk, Run, Stream
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost, WriterBusy
from analytics_api.outbound.connections import Client
from analytics_api.store import deliveries, readers
from analytics_api.store.deliveries import ReaderState, reader_name
from analytics_api.store.engine import Database
from analytics_api.store.leases import run_while_held
from analytics_api.store.log import safe_position
from analytics_api.store.readers import Lease

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEWALS = 3
"""Per lease: a request may last half of it."""


def live_stream(project: Project, destination: Destination) -> Stream:
    """The stream of the events as they come."""
    name = destination.name
    return Stream(name, reader_name(name), f"destination {name} of project {project.slug}", name)


class DestinationReader:
    """Delivers one project's events to one destination. In one process its runs queue; among processes a lease decides."""

    def __init__(
        self,
        database: Database,
        project: Project,
        destination: Destination,
        client: Client,
        owner: str,
        *,
        batch_size: int = 100,
        lanes: int = LANES,
        clock: Clock = system_clock,
        lock: asyncio.Lock | None = None,
        stream: Stream | None = None,
    ) -> None:
        """`lock`: that of the reader whose place this one takes, so that the former's run ends before one of this.

        `stream`: another than that of the live events.
        """
        self.project = project
        self.destination = destination
        self._database = database
        self._owner = owner
        self._clock = clock
        self._stream = stream or live_stream(project, destination)
        self._desk = Desk(
            database,
            self._stream,
            project,
            destination,
            client,
            RequestSize(batch_size, destination.provider.limits),
            clock,
            lanes,
            # Some rounds of full lanes, but no more than fits comfortably into memory twice: the next are read meanwhile.
            chunk=min(max(4 * lanes * batch_size, 1_000), 10_000),
            stopping=lambda: self._stopping,
        )
        self.lock = lock or asyncio.Lock()
        """Held during a run."""
        self._stopping = False

    async def run_once(self) -> FlushReport:
        """Deliver what is due and can be read now; returns at once while the destination is paused or waits."""
        async with self.lock:
            report = FlushReport(self.project.slug, self.destination.name)
            async with self._database.acquire() as connection:
                state = await self._found(connection)
                try:
                    safe = await safe_position(connection)
                except WriterBusy:
                    # What is parked can be sent all the same.
                    safe = state.position
                if not self._stopping and self._has_work(state, safe):
                    lease = await self._claim(connection)
                else:
                    return self._told(report, state, safe)
            if lease is None:
                report.state = DeliveryState.HELD_ELSEWHERE
                report.position = state.position
                return report
            try:
                await self._guarded(lease, Run(self._desk, lease, safe, report))
            except LeaseLost:
                logger.warning("%s has been taken over by another process", self._stream.title)
                report.state = DeliveryState.HELD_ELSEWHERE
                return report
            async with self._database.acquire() as connection:
                return self._told(report, await self._found(connection), safe)

    def stop(self) -> None:
        """Let what is in flight come to its end and begin nothing more."""
        self._stopping = True

    async def idle(self) -> None:
        """Wait until no run is under way."""
        async with self.lock:
            return

    async def _found(self, connection: asyncpg.Connection) -> ReaderState:
        state = await self._state(connection)
        if state is None:
            raise RuntimeError(f"{self._stream.title} has no reader; call Destinations.ensure() first")
        return state

    async def _state(self, connection: asyncpg.Connection) -> ReaderState | None:
        """The reader's state; a paused one goes on when its credentials have changed. None when there is no reader."""
        state = await deliveries.reader_state(
            connection, self.project.id, self._stream.key, reader=self._stream.reader
        )
        # Without a fingerprint somebody has paused it by hand, and only a hand lets it go on.
        if (
            state is not None
            and state.paused
            and state.credentials not in (None, self.destination.credentials)
        ):
            logger.info("%s goes on with new credentials", self._stream.title)
            await readers.resume(connection, self.project.id, self._stream.reader, self._clock())
            return await self._state(connection)
        return state

    def _has_work(self, state: ReaderState, safe: int) -> bool:
        now = self._clock()
        if state.paused or (
            not self.destination.muted and state.retry_at is not None and state.retry_at > now
        ):
            return False
        due = state.waiting_until is not None and (self.destination.muted or state.waiting_until <= now)
        return due or state.position < safe

    async def _claim(self, connection: asyncpg.Connection) -> Lease | None:
        return await readers.claim(
            connection,
            self.project.id,
            self._stream.reader,
            self._owner,
            self._clock(),
            LEASE,
        )

    def _told(self, report: FlushReport, state: ReaderState, safe: int) -> FlushReport:
        report.position = state.position
        report.reason = state.reason
        report.retry_at = state.waiting_until
        if state.paused:
            report.state = DeliveryState.PAUSED
            report.retry_at = None
        elif self.destination.muted:
            report.state = DeliveryState.SANDBOX
        elif state.retry_at is not None and state.retry_at > self._clock():
            report.state = DeliveryState.WAITING
            left = state.waiting_until is not None or state.position < safe
            report.retry_at = state.retry_at if left else None
        return report

    async def _guarded(self, lease: Lease, run: Run) -> None:
        """Deliver while another task renews the lease; stop at once when it is lost."""
        try:
            await run_while_held(run.drain(), self._keep(lease))
        finally:
            await self._release(lease)

    async def _keep(self, lease: Lease) -> Never:
        """Renew the lease until cancelled. Raises LeaseLost when it is gone, or could not be renewed in time."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / RENEWALS)
            try:
                async with self._database.acquire() as connection:
                    lease = await readers.renew(connection, lease, self._clock(), LEASE)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if self._clock() >= lease.until:
                    raise LeaseLost(f"the lease of {self._stream.title} could not be renewed") from error
                logger.warning("the lease of %s could not be renewed yet: %s", self._stream.title, error)

    async def _release(self, lease: Lease) -> None:
        try:
            async with self._database.acquire() as connection:
                await readers.release(connection, lease)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning(
                "the lease of %s could not be given back and will run out: %s", self._stream.title, error
            )

"""One run of a destination's reader under its lease: what is due, then the log, each piece settled before the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.dispatch import Dispatch, Had
from analytics_api.deliver.parcel import Parcel, RequestSize
from analytics_api.deliver.report import FlushReport
from analytics_api.deliver.settlement import Work, note_gone, settlement_of
from analytics_api.domain.backoff import backoff
from analytics_api.domain.clock import Clock
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Paused, Retry, Skipped, SkipReason, Unknown
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store import deliveries
from analytics_api.store.deliveries import Answers, Failure, ParkedEvent, Settlement
from analytics_api.store.delivery_settling import settle
from analytics_api.store.engine import Database
from analytics_api.store.log import next_chunk, read_chunk, read_events
from analytics_api.store.readers import Lease
from analytics_api.store.suppression import suppressed_among
from analytics_api.telemetry import count_deliveries

logger = logging.getLogger(__name__)

SHORTEST_WAIT = 1.0
"""Seconds after a failure, whatever Retry-After says: `0` must not make a loop."""
_ANY_TIME = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Stream:
    """One way through the log to a destination: that of the live events, or a replay with a place of its own."""

    key: str
    """What parked and dead events, counts and begun attempts are kept under; the live stream's is the destination's name."""
    reader: str
    """The name of its reader."""
    title: str
    """For people."""
    metric: str
    """For Prometheus: of a closed set."""
    repeats: bool = False
    """Whether the destination may have its events already."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a destination's runs work with."""

    database: Database
    stream: Stream
    project: Project
    destination: Destination
    client: Client
    size: RequestSize
    clock: Clock
    lanes: int
    chunk: int
    """Sequence numbers read at a time."""
    stopping: Callable[[], bool]
    sent_in_part: set[int] = field(default_factory=set)
    """Events beyond the position that the provider has some records of, as far as this process knows."""
    had: Had | None = None
    """Which events the destination may have had before: a replay's."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events of the log."""

    events: list[StoredEvent]
    upto: int
    """The position after which nothing of them is left."""


class Run:
    """One run. `drain` returns when nothing is left that can be delivered now."""

    def __init__(self, desk: Desk, lease: Lease, safe: int, report: FlushReport) -> None:
        self._desk = desk
        self._lease = lease
        self._safe = safe
        self._report = report
        self._began = desk.clock()
        self._halted = False

    async def drain(self) -> None:
        """Parked events whose time had come when the run began, then the log up to the safe position."""
        while not self._over:
            parcels = await self._due()
            if not parcels:
                break
            await self._deliver(parcels, self._lease.position, {})
        ahead: asyncio.Task[Stretch] | None = None
        try:
            while not self._over and self._lease.position < self._safe:
                stretch = await (ahead or self._read_after(self._lease.position))
                # Read while this one is sent. Whoever goes on has brought the position to its end.
                ahead = (
                    asyncio.create_task(self._read_after(stretch.upto)) if stretch.upto < self._safe else None
                )
                await self._next_stretch(stretch)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    @property
    def _over(self) -> bool:
        return self._halted or self._lease.paused or self._desk.stopping()

    @property
    def _key(self) -> tuple[int, str]:
        return self._desk.project.id, self._desk.stream.key

    async def _due(self) -> list[Parcel]:
        """The next parked events; those that have been deleted meanwhile are counted and forgotten."""
        until = self._began + (_ANY_TIME if self._desk.destination.muted else timedelta())
        async with self._desk.database.acquire() as connection:
            while True:
                rows = await deliveries.due_parked(connection, *self._key, until, self._desk.chunk)
                if not rows:
                    return []
                keys = [(row.person_id, row.occurred_at, row.seq) for row in rows]
                events = {event.seq: event for event in await read_events(connection, keys)}
                begun = await deliveries.begun_attempts(
                    connection, *self._key, [(row.person_id, row.seq) for row in rows]
                )
                await self._settle_gone([row for row in rows if row.seq not in events])
                parcels = [
                    Parcel(
                        events[row.seq],
                        parked=True,
                        attempts=row.attempts,
                        sent_before=True,
                        uncertain_since=row.uncertain_since,
                        sent_as=row.sent_as,
                        single_begun=row.seq in begun,
                    )
                    for row in rows
                    if row.seq in events
                ]
                if parcels:
                    return parcels

    async def _settle_gone(self, rows: Sequence[ParkedEvent]) -> None:
        if rows:
            settled = Settlement(self._lease.position, progress=False)
            note_gone(settled, rows)
            await self._commit(settled)

    async def _next_stretch(self, stretch: Stretch) -> None:
        events = stretch.events
        waiting: dict[UUID, datetime] = {}
        begun: set[int] = set()
        async with self._desk.database.acquire() as connection:
            held_back = await deliveries.held_back(connection, *self._key)
            if events and held_back.parked:
                persons = {event.person_id for event in events}
                waiting = await deliveries.parked_persons(connection, *self._key, persons)
            if events and held_back.begun:
                begun = await deliveries.begun_attempts(
                    connection, *self._key, [(event.person_id, event.seq) for event in events]
                )
        parcels = [
            Parcel(event, sent_before=self._sent_before(event), single_begun=event.seq in begun)
            for event in events
        ]
        await self._deliver(parcels, stretch.upto, waiting)

    def _sent_before(self, event: StoredEvent) -> bool:
        return self._desk.stream.repeats or event.seq in self._desk.sent_in_part

    async def _read_after(self, position: int) -> Stretch:
        async with self._desk.database.acquire() as connection:
            return await self._read(connection, position)

    async def _read(self, connection: asyncpg.Connection, position: int) -> Stretch:
        """The next events after a position."""
        desk = self._desk
        chunk = await next_chunk(connection, desk.project.id, position, self._safe, desk.chunk)
        return (
            Stretch([], self._safe)
            if chunk is None
            else Stretch(await read_chunk(connection, chunk), chunk.upto)
        )

    async def _deliver(self, parcels: list[Parcel], upto: int, waiting: dict[UUID, datetime]) -> None:
        """Send a piece of work and commit what became of it."""
        if self._desk.destination.muted:
            for parcel in parcels:
                parcel.fate = Skipped(SkipReason.SANDBOX)
            await self._settle(parcels, upto, {}, None, Answers())
            return
        desk = self._desk
        dispatch = Dispatch(
            desk.destination.provider,
            desk.client,
            desk.size,
            desk.clock,
            self._mark,
            self._kept_out,
            stopping=desk.stopping,
            lanes=desk.lanes,
            rules=desk.destination.rules,
            had=desk.had,
        )
        await dispatch.run(parcels, set(waiting), probe=self._lease.failures > 0)
        self._halted = dispatch.halt is not None
        await self._settle(parcels, upto, waiting, dispatch.halt, dispatch.answers)

    async def _kept_out(self, persons: Iterable[UUID]) -> set[UUID]:
        async with self._desk.database.acquire() as connection:
            return await suppressed_among(connection, persons)

    async def _mark(self, parcels: Sequence[Parcel]) -> None:
        keys = [(parcel.event.person_id, parcel.event.seq) for parcel in parcels]
        async with self._desk.database.acquire() as connection:
            await deliveries.begin_attempts(
                connection, self._desk.stream.key, self._lease, keys, self._desk.clock()
            )

    async def _settle(
        self,
        parcels: list[Parcel],
        upto: int,
        waiting: dict[UUID, datetime],
        halt: Retry | Unknown | Paused | None,
        answers: Answers,
    ) -> None:
        now = self._desk.clock()
        cut_short = now if isinstance(halt, Paused) or _unfinished(parcels) else None
        progress = any(parcel.moved for parcel in parcels)
        if isinstance(halt, Retry | Unknown):
            failures = 1 if progress else self._lease.failures + 1
            wait = backoff(failures) if halt.after is None else max(halt.after, SHORTEST_WAIT)
            cut_short = now + timedelta(seconds=wait)
        keep = self._desk.destination.provider.keep
        settled = settlement_of(
            Work(parcels, self._lease.position, upto, cut_short, now, waiting, keep, answers)
        )
        if isinstance(halt, Retry | Unknown) and cut_short is not None:
            settled.failure = Failure(halt.words, cut_short)
        if isinstance(halt, Paused):
            settled.pause, settled.credentials = halt.words, self._desk.destination.credentials
        await self._commit(settled)
        sent = self._desk.sent_in_part
        sent.difference_update([seq for seq in sent if seq <= settled.position])
        # Mostly none: then everything has been tried.
        beyond = [parcel for parcel in parcels if parcel.event.seq > settled.position]
        sent.update(parcel.event.seq for parcel in beyond if parcel.taken)
        self._log(settled)

    async def _commit(self, settled: Settlement) -> None:
        stream = self._desk.stream
        async with self._desk.database.acquire() as connection:
            self._lease = await settle(connection, stream.key, self._lease, settled, self._desk.clock())
        report = self._report
        report.parked += len(settled.parked)
        for key, number in settled.counts.items():
            count_deliveries(stream.metric, key.outcome, number)
            report.add(key.outcome, number)

    def _log(self, settled: Settlement) -> None:
        name = self._desk.stream.title
        if settled.failure is not None:
            logger.warning(
                "%s does not take events (%s); it is tried again at %s",
                name,
                settled.failure.words,
                settled.failure.retry_at.isoformat(timespec="seconds"),
            )
        if settled.pause is not None:
            logger.error("%s is paused, its events are kept: %s", name, settled.pause)
        if settled.answers.uncounted > 0:
            logger.warning(
                "%s took %d records without an error that it leaves out of its count",
                name,
                settled.answers.uncounted,
            )
        if settled.dead:
            logger.warning(
                "%s refused %d events, the first: %s", name, len(settled.dead), settled.dead[0].reason
            )


def _unfinished(parcels: Sequence[Parcel]) -> bool:
    """Whether the process was asked to stop, or the destination halted, before all parcels had been tried."""
    return any(parcel.fate is None for parcel in parcels)

"""A log, destinations that read it, replays, and processes that deliver and die: what the state machine plays with.

Everything is real: PostgreSQL, HTTP to the stand-ins, and for a kill a process of its own. Only time is the test's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from analytics_api.deliver import replaying
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replay_reader import ReplayReader
from analytics_api.deliver.replaying import NewReplay
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store import readers
from analytics_api.store.dead_letters import DeadChoice, DeadLetter, dead_letters, retry_dead
from analytics_api.store.deliveries import reader_name
from analytics_api.store.engine import Database
from analytics_api.store.groups import ensure_partitions, write_group
from analytics_api.store.partitions import Partitions
from analytics_api.store.replay_views import ReplayView
from analytics_api.store.replays import Replay, replay_reader
from tests.support.delivering import MovableClock
from tests.support.delivery_forks import DeliveryForks, Order
from tests.support.delivery_targets import Sort, Target, target
from tests.support.events import make_event, make_project, write_events
from tests.support.steps import Countdown, watching

BATCH = 4
"""Events a request, so that a few events are several requests."""
LEASE_AND_MORE = timedelta(minutes=2)
PATIENCE = 0.05
"""Seconds for an answer, and for transactions that write."""


@dataclass
class Way:
    """A way of the log to the destination: the live events, or a replay."""

    name: str
    """Of its reader."""
    replay: Replay | None
    reader: DestinationReader
    """As the process has it that usually works on it."""


@dataclass
class World:
    """One project."""

    database: Database
    client: Client
    forks: DeliveryForks
    project: Project
    target: Target
    clock: MovableClock = field(default_factory=MovableClock)
    written: dict[int, Sort] = field(default_factory=dict)
    """Committed events by number."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Event id: number."""
    ways: list[Way] = field(default_factory=list)
    _owners: itertools.count[int] = field(default_factory=itertools.count)

    def _make(self, sorts: Sequence[Sort]) -> list[NewEvent]:
        made = []
        for sort in sorts:
            number = len(self.numbers)
            event = make_event(
                self.project,
                sort.event_type,
                user_id=sort.user,
                anonymous_id=None if sort.user is None else f"{sort.user}-device",
                event_data={"n": number, "bad": sort.bad},
                user_properties={"$add": {"visits": 1}} if sort.counting else None,
            )
            self.numbers[str(event.event_id)] = number
            made.append(event)
        return made

    def _note(self, events: Sequence[NewEvent], sorts: Sequence[Sort]) -> None:
        for event, sort in zip(events, sorts, strict=True):
            self.written[self.numbers[str(event.event_id)]] = sort

    async def write(self, sorts: Sequence[Sort]) -> None:
        """Append events."""
        events = self._make(sorts)
        await write_events(self.database, events)
        self._note(events, sorts)

    async def overtake(
        self, way: Way, slow: Sequence[Sort], fast: Sequence[Sort], *, commits: bool, meanwhile: bool
    ) -> None:
        """A transaction with lower numbers ends after one with higher numbers, and a reader comes in between.

        `commits`: or else it is rolled back. `meanwhile`: at its end the reader is at work still.
        """
        partitions = Partitions()
        connection = await self.database.connect()
        try:
            await partitions.load(connection)
            events = self._make(slow)
            await ensure_partitions(connection, partitions, events)
            transaction = connection.transaction()
            await transaction.start()
            await write_group(connection, partitions, events)
            await self.write(fast)
            run = asyncio.create_task(way.reader.run_once())
            await asyncio.wait({run}, timeout=0.002 if meanwhile else None)
            if commits:
                await transaction.commit()
                self._note(events, slow)
            else:
                await transaction.rollback()
            await run
        finally:
            await connection.close()

    def process(self, replay: Replay | None, owner: str) -> DestinationReader:
        """A reader as a process of that name has it."""
        if replay is not None:
            return ReplayReader(
                *(self.database, self.project, self.target.to, replay, self.client, owner),
                batch_size=BATCH,
                clock=self.clock,
            )
        return DestinationReader(
            *(self.database, self.project, self.target.to, self.client, owner),
            batch_size=BATCH,
            lanes=3,
            clock=self.clock,
        )

    def another(self, way: Way) -> DestinationReader:
        """The reader in a process that nobody has heard of before."""
        return self.process(way.replay, self._new_owner())

    def _new_owner(self) -> str:
        return f"process-{next(self._owners)}"

    async def race(self, way: Way) -> None:
        """Two processes at once."""
        await asyncio.gather(way.reader.run_once(), self.another(way).run_once())

    async def cut(self, way: Way, steps: int, *, gently: bool) -> None:
        """A run is cancelled at a step; or, gently, asked to stop there."""
        reader = self.another(way)

        async def run() -> None:
            task = asyncio.current_task()

            async def end() -> None:
                if gently or task is None:
                    reader.stop()
                else:
                    task.cancel()
                    await asyncio.sleep(0.01)

            watching(Countdown(steps, end))
            await reader.run_once()

        with suppress(asyncio.CancelledError):
            await asyncio.create_task(run())

    async def kill(self, way: Way, steps: int) -> None:
        """A process of its own is killed at a step of its run."""
        order = Order(
            self.project,
            self.target.config,
            way.replay,
            self._new_owner(),
            BATCH,
            self.clock(),
            steps,
            PATIENCE,
        )
        if await self.forks.run(order):
            self.clock.now += LEASE_AND_MORE

    async def freeze(self, way: Way, steps: int) -> None:
        """A process stands still at a step of its run for longer than its lease; another takes over; then it goes on."""
        stands, goes_on = asyncio.Event(), asyncio.Event()

        async def stand() -> None:
            stands.set()

        countdown = Countdown(steps, stand)

        async def at_step() -> None:
            await countdown()
            if stands.is_set():
                await goes_on.wait()

        async def run() -> None:
            watching(at_step)
            await self.another(way).run_once()

        frozen = asyncio.create_task(run())
        waiting = asyncio.create_task(stands.wait())
        await asyncio.wait({frozen, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self.clock.now += LEASE_AND_MORE
        successor = asyncio.create_task(way.reader.run_once())
        # It may have to wait for a row that the other one has locked.
        await asyncio.wait({successor}, timeout=0.2)
        goes_on.set()
        await asyncio.gather(frozen, successor)

    async def replay(self, new: NewReplay) -> None:
        """Begin a replay."""
        to = self.target.to
        made = await replaying.start(self.database, self.project, to.name, to, new, self.clock())
        self.ways.append(Way(replay_reader(made.id), made, self.process(made, "usual")))

    async def view(self, replay: Replay) -> ReplayView:
        """How a replay stands."""
        async with self.database.acquire() as connection:
            return await replaying.find(connection, self.project, replay.id)

    async def pause(self, way: Way) -> None:
        """By hand."""
        async with self.database.acquire() as connection:
            await readers.pause_by_hand(connection, self.project.id, way.name, "by hand", self.clock())

    async def resume(self, way: Way) -> None:
        """By hand."""
        async with self.database.acquire() as connection:
            await readers.resume(connection, self.project.id, way.name, self.clock())

    async def dead(self) -> list[DeadLetter]:
        """The dead letters, those of replays included."""
        async with self.database.acquire() as connection:
            choice = DeadChoice(self.target.to.name)
            return await dead_letters(connection, self.project.id, choice, limit=10_000)

    async def revive(self) -> None:
        """Try all dead letters again."""
        self.target.late |= {self.numbers[str(letter.event_id)] for letter in await self.dead()}
        async with self.database.acquire() as connection:
            name = self.target.to.name
            await retry_dead(connection, self.project.id, name, DeadChoice(), self.clock())

    async def work_off(self) -> None:
        """Faults stop, somebody resumes what is paused, and everything is worked off."""
        self.clock.now += timedelta(minutes=5)
        self.target.heal()
        # Replays come later in the list, and wait for the live events.
        for way in self.ways:
            await self.resume(way)
            await self._work_off(way)

    async def _work_off(self, way: Way) -> None:
        for _ in range(500):
            report = await way.reader.run_once()
            if report.retry_at is None:
                return
            self.clock.now = max(self.clock.now, report.retry_at) + timedelta(milliseconds=1)
        raise AssertionError(f"still not quiet: {report}")

    async def in_order(self) -> list[int]:
        """Numbers of all events in the order of the log."""
        rows = await self.database.pool.fetch(
            "SELECT event_id FROM events WHERE project_id = $1 ORDER BY seq", self.project.id
        )
        return [self.numbers[str(row["event_id"])] for row in rows]


@asynccontextmanager
async def world(
    kind: str, slug: str, database: Database, client: Client, forks: DeliveryForks
) -> AsyncIterator[World]:
    """An empty log and a destination of that kind at its beginning."""
    async with target(kind) as made:
        it = World(database, client, forks, await make_project(database, slug), made)
        name = reader_name(made.to.name)
        async with database.acquire() as connection:
            await readers.ensure_reader(connection, it.project.id, name, 0, it.clock())
        it.ways.append(Way(name, None, it.process(None, "usual")))
        yield it

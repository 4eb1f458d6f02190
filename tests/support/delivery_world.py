"""A destination, the log before it and all that can happen to both, with a recount that does not ask the code under test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from analytics_api.deliver import administration
from analytics_api.deliver import run as run_module
from analytics_api.deliver.destination import Destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replay_reader import ReplayReader
from analytics_api.deliver.replaying import NewReplay
from analytics_api.domain.project import Project
from analytics_api.errors import Conflict, Unprocessable
from analytics_api.outbound.connections import Client
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.dead_letters import DeadChoice, discard_dead, retry_dead
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_overview import Cell, Tally
from analytics_api.store.engine import Database
from analytics_api.store.replays import Replay
from tests.support.delivering import MovableClock, destination, make_reader, run_until_quiet
from tests.support.events import NOW, make_event, make_project, write_events
from tests.support.fault_strategies import FAULTS
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn, WebhookStandIn
from tests.support.replaying import ReplayBench

USERS = ["ada", "bob", "ada", None]
TYPES = ["page_view", "login", "page_view", "login", "api_request"]


class Abort(Exception):
    """The process dies between the answer and the commit."""


@dataclass(frozen=True)
class Written:
    """An event as it was sent."""

    hour: datetime
    event_type: str
    user: str | None


@dataclass(repr=False)
class World:
    """One destination, the log before it, and what is known of every event without asking the code under test."""

    database: Database
    client: Client
    clock: MovableClock
    project: Project
    stand_in: AmplitudeStandIn | MixpanelStandIn | WebhookStandIn
    to: Destination
    reader: DestinationReader
    patch: pytest.MonkeyPatch
    written: dict[str, Written] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    deleted_unread: set[str] = field(default_factory=set)
    deleted_waiting: set[str] = field(default_factory=set)
    """Deleted while they were parked or dead."""
    forgotten: dict[str, bool] = field(default_factory=dict)
    """Dead letters that retention has removed, and whether they were discarded."""
    replays: list[tuple[Replay, ReplayReader]] = field(default_factory=list)
    crashed: bool = False

    async def write(self, number: int, hour: int, bad: bool, counting: bool) -> None:
        """Events of all users and types in turn, some minutes apart from the beginning of an hour on."""
        events = []
        for n in range(number):
            moment = NOW + timedelta(hours=hour, minutes=17 * n)
            user, event_type = USERS[n % len(USERS)], TYPES[n % len(TYPES)]
            event = make_event(
                self.project,
                event_type,
                user_id=user,
                occurred_at=moment,
                event_data={"bad": bad and n % 2 == 0},
                user_properties={"$add": {"visits": 1}} if counting else None,
            )
            beginning = moment.replace(minute=0, second=0, microsecond=0)
            self.written[str(event.event_id)] = Written(beginning, event_type, user)
            events.append(event)
        await write_events(self.database, events)
        self.seqs |= {
            str(row["event_id"]): row["seq"]
            for row in await self.rows("SELECT event_id, seq FROM events WHERE project_id = $1")
        }

    async def rows(self, query: str, *values: Any) -> list[Any]:
        async with self.database.acquire() as connection:
            found: list[Any] = await connection.fetch(query, self.project.id, *values)
        return found

    async def crash(self, requests: int) -> None:
        """The process dies while the n-th request from now is on its way, or at the end of its run if there are fewer."""
        arrived = len(self.stand_in.requests) + requests
        task = asyncio.create_task(self.reader.run_once())
        while not task.done() and len(self.stand_in.requests) < arrived:
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await self.start_again()

    async def abort(self) -> None:
        """The process dies between the answers and the commit."""

        async def die(*_: object) -> None:
            raise Abort

        with self.patch.context() as patch:
            patch.setattr(run_module, "settle", die)
            with suppress(Abort):
                await self.reader.run_once()
        await self.start_again()

    async def start_again(self) -> None:
        self.crashed = True
        self.clock.move(minutes=2)
        self.reader = await make_reader(
            self.database,
            self.project,
            self.to,
            self.client,
            self.clock,
            owner=uuid.uuid4().hex,
            batch_size=3,
        )

    async def erase(self, user: int) -> None:
        """All events of a user leave the log."""
        (reader,) = await self.rows(
            "SELECT position FROM readers WHERE project_id = $1 AND name = $2", reader_name(self.to.name)
        )
        waiting = await self.seqs_in("parked_events") | (await self.dead_seqs()).keys()
        query = "DELETE FROM events WHERE project_id = $1 AND user_id = $2 RETURNING event_id, seq"
        for row in await self.rows(query, USERS[user]):
            if row["seq"] > reader["position"]:
                self.deleted_unread.add(str(row["event_id"]))
            elif row["seq"] in waiting:
                self.deleted_waiting.add(str(row["event_id"]))

    async def retain(self) -> None:
        """Weeks have passed for retention: it forgets dead letters, and events unless something still needs them."""
        before = await self.dead_seqs()
        moment = self.clock() + timedelta(days=80)
        await apply_retention(self.database, moment, retention_days=1, dedupe_days=1)
        left = await self.dead_seqs()
        for event_id, seq in self.seqs.items():
            if seq in before and seq not in left:
                self.forgotten[event_id] = before[seq]

    async def replay(self, allow_repetitions: bool) -> None:
        """Everything in the log goes out again, beside the live events."""
        new = NewReplay(allow_repetitions=allow_repetitions, events_per_second=5)
        with suppress(Conflict, Unprocessable):  # what it would count twice; nothing there
            made = await self.bench.start(new)
            self.replays.append((made, self.bench.reader(made)))

    @property
    def bench(self) -> ReplayBench:
        return ReplayBench(self.database, self.project, self.to, self.client, self.clock, batch_size=3)

    async def seqs_in(self, table: str) -> set[int]:
        query = f"SELECT seq FROM {table} WHERE project_id = $1 AND destination = $2"
        return {row["seq"] for row in await self.rows(query, self.to.name)}

    async def dead_seqs(self) -> dict[int, bool]:
        """Numbers of the dead letters of live events, and whether they are discarded."""
        query = "SELECT seq, discarded_at FROM dead_events WHERE project_id = $1 AND destination = $2"
        return {row["seq"]: row["discarded_at"] is not None for row in await self.rows(query, self.to.name)}

    async def heal(self) -> None:
        """Everything works again; somebody resumes what is paused."""
        self.stand_in.faults.clear()
        self.stand_in.largest = None
        if isinstance(self.stand_in, AmplitudeStandIn):
            self.stand_in.throttled = set()
        async with self.database.acquire() as connection:
            await administration.resume(connection, self.project, self.to.name, self.clock())

    async def finish(self) -> None:
        """Everything works, and nothing is left to do."""
        await self.heal()
        await run_until_quiet(self.reader, self.clock)
        for made, reader in self.replays:
            if (await self.bench.view(made)).state not in ("done", "cancelled"):
                await self.bench.change(made, state="running")
            await self.bench.run(reader)

    def skipped(self, event: Written) -> str | None:
        """Why the destination is not to have an event, from the documentation."""
        if event.event_type == "api_request":
            return "filter"
        return "no_person" if event.user is None and isinstance(self.stand_in, AmplitudeStandIn) else None

    def there(self) -> set[str]:
        """Ids of the events that the provider has."""
        if isinstance(self.stand_in, AmplitudeStandIn):
            return {event["insert_id"] for event in self.stand_in.stored}
        if isinstance(self.stand_in, MixpanelStandIn):
            return {record["properties"]["$insert_id"] for record in self.stand_in.stored}
        return {event["event_id"] for event in self.stand_in.stored}


@asynccontextmanager
async def world(
    kind: str, database: Database, client: Client, patch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    project = await make_project(database, uuid.uuid4().hex)
    clock = MovableClock()
    stand_in: AmplitudeStandIn | MixpanelStandIn | WebhookStandIn
    stand_in = {"amplitude": AmplitudeStandIn, "mixpanel": MixpanelStandIn, "webhook": WebhookStandIn}[kind]()
    async with stand_in:
        options = {"url": stand_in.url}
        if isinstance(stand_in, AmplitudeStandIn):
            options["api_key"] = stand_in.api_key
        elif isinstance(stand_in, MixpanelStandIn):
            options["token"] = stand_in.token
        else:
            options |= {"url": f"{stand_in.url}/hook", "secret": stand_in.secret}
        to = destination(kind, options)
        reader = await make_reader(database, project, to, client, clock, batch_size=3)
        yield World(database, client, clock, project, stand_in, to, reader, patch)


ACTIONS = st.one_of(
    st.tuples(
        st.just("write"),
        st.integers(1, 12),
        st.integers(0, 30),
        st.booleans(),
        st.booleans(),
    ),
    st.tuples(st.just("fault"), st.lists(FAULTS, min_size=1, max_size=4)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("abort")),
    st.tuples(st.just("throttle"), st.integers(0, 1)),
    st.tuples(st.just("shrink"), st.integers(600, 2000)),
    st.tuples(st.just("revive")),
    st.tuples(st.just("discard")),
    st.tuples(st.just("pause")),
    st.tuples(st.just("replay"), st.booleans()),
    st.tuples(st.just("slice"), st.integers(0, 5)),
    st.tuples(st.just("slice"), st.integers(0, 5)),
    st.tuples(st.just("retain")),
    st.tuples(st.just("erase"), st.integers(0, 1)),
    st.tuples(st.just("heal")),
)


async def act(it: World, action: tuple[Any, ...]) -> None:
    """Do one thing."""
    match action:
        case ("write", *what):
            await it.write(*what)
        case ("fault", faults):
            # To a webhook any 2xx is a yes, whatever comes with it.
            yes = ("html", "garbage") if isinstance(it.stand_in, WebhookStandIn) else ()
            it.stand_in.faults.extend(fault for fault in faults if fault is None or fault.kind not in yes)
        case ("run", seconds):
            it.clock.move(seconds=seconds)
            await it.reader.run_once()
        case ("crash", requests):
            await it.crash(requests)
        case ("abort",):
            await it.abort()
        case ("throttle", user) if isinstance(it.stand_in, AmplitudeStandIn):
            it.stand_in.throttled = {str(USERS[user])}
        case ("shrink", size):
            it.stand_in.largest = size
        case ("revive",):
            await it.reader.run_once()
            async with it.database.acquire() as connection:
                await retry_dead(connection, it.project.id, it.to.name, DeadChoice(), it.clock())
        case ("discard",):
            await it.reader.run_once()
            async with it.database.acquire() as connection:
                where = (connection, it.project.id, it.to.name)
                await discard_dead(*where, DeadChoice(), "a test", it.clock())
        case ("pause",):
            async with it.database.acquire() as connection:
                await administration.pause(connection, it.project, it.to.name, it.clock())
        case ("replay", allow_repetitions):
            await it.replay(allow_repetitions)
        case ("slice", seconds):
            it.clock.move(seconds=seconds)
            for _, reader in it.replays:
                await reader.run_once()
        case ("retain",):
            await it.retain()
        case ("erase", user):
            await it.erase(user)
        case ("heal",):
            await it.heal()


async def recount(it: World) -> dict[Cell, Tally]:
    """Where every event is: from the position, the rows, the documentation, and what the provider has.

    Events that ended and are not at the provider count as unknown here.
    """
    (reader,) = await it.rows(
        "SELECT position FROM readers WHERE project_id = $1 AND name = $2", reader_name(it.to.name)
    )
    parked, dead, there = await it.seqs_in("parked_events"), await it.dead_seqs(), it.there()
    found: dict[Cell, Tally] = {}
    for event_id, event in it.written.items():
        if event_id in it.deleted_unread:
            continue
        tally = found.setdefault((event.hour, event.event_type), Tally())
        seq, reason = it.seqs[event_id], it.skipped(event)
        if seq > reader["position"]:
            tally.pending += 1
            continue
        tally.read += 1
        if seq in parked:
            tally.parked += 1
        elif seq in dead or event_id in it.forgotten:
            tally.dead += 1
            tally.discarded += dead.get(seq, it.forgotten.get(event_id, False))
        elif reason is not None or event_id in it.deleted_waiting:
            # Waiting behind another one, an event is not looked at: when it is deleted, nobody asks whether it was wanted.
            tally.skipped["gone" if event_id in it.deleted_waiting else reason or ""] += 1
        elif event_id in there:
            tally.delivered += 1
        else:
            tally.unknown += 1
    return found

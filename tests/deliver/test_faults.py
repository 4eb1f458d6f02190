"""Whatever goes wrong on the way: at the end every event is there once, or has ended with a reason, and the sum closes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.domain.project import Project
from analytics_api.outbound import http
from analytics_api.store import dead_letters as store
from analytics_api.store import readers
from analytics_api.store.dead_letters import DeadChoice, retry_dead
from analytics_api.store.deliveries import reader_name
from analytics_api.store.engine import Database
from tests.support.delivering import (
    MovableClock,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    total,
)
from tests.support.events import make_event, make_project, write_events
from tests.support.fault_strategies import FAULTS
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn

PROVIDERS = ["amplitude", "mixpanel"]
USERS = ["ada", "bob", "cyd"]


@dataclass
class World:
    """One destination, the log before it and all that was written."""

    database: Database
    client: httpx.AsyncClient
    clock: MovableClock
    project: Project
    stand_in: AmplitudeStandIn | MixpanelStandIn
    to: Destination
    reader: DestinationReader
    written: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    """Event id: user and number."""
    deaths: set[str] = field(default_factory=set)
    """Events that the provider refuses."""
    counted: dict[str, int] = field(default_factory=dict)
    """Sum of the `$add` of each user's other events."""
    revived: set[str] = field(default_factory=set)
    """Dead letters that were tried again: they may come late."""

    async def write(self, number: int, user: int, bad: bool, counting: bool) -> None:
        """Some events, of one user or (3) of all in turn."""
        events = []
        for _ in range(number):
            n = len(self.written)
            name = USERS[user] if user < 3 else USERS[n % 3]
            dies = bad and n % 3 == 0
            event = make_event(
                self.project,
                user_id=name,
                event_data={"n": n, "bad": dies},
                user_properties={"$add": {"visits": 1}} if counting else None,
            )
            self.written[str(event.event_id)] = (name, n)
            if dies:
                self.deaths.add(str(event.event_id))
            elif counting:
                self.counted[name] = self.counted.get(name, 0) + 1
            events.append(event)
        await write_events(self.database, events)

    async def run(self) -> None:
        await self.reader.run_once()

    async def crash(self, requests: int) -> None:
        """The process dies while the n-th request from now is on its way, or at the end of its run if there are fewer."""
        arrived = len(self.stand_in.requests) + requests
        task = asyncio.create_task(self.reader.run_once())
        while not task.done() and len(self.stand_in.requests) < arrived:
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.clock.move(minutes=2)
        self.reader = await make_reader(
            self.database,
            self.project,
            self.to,
            self.client,
            self.clock,
            owner=uuid.uuid4().hex,
            batch_size=4,
        )

    async def heal(self) -> None:
        """Everything works again; somebody resumes what is paused."""
        self.stand_in.faults.clear()
        self.stand_in.broken = None
        self.stand_in.largest = None
        if isinstance(self.stand_in, AmplitudeStandIn):
            self.stand_in.throttled = set()
        async with self.database.acquire() as connection:
            await readers.resume(connection, self.project.id, reader_name(self.to.name), self.clock())

    def refused_alone(self) -> set[str]:
        """Events refused as too large: dead, and released the later ones; a crash right then forgets the verdict."""
        found: set[str] = set()
        for request in self.stand_in.refused:
            body = json.loads(request.body)
            records = body["events"] if isinstance(body, dict) else body
            ids = {
                record.get("insert_id") or record.get("properties", {}).get("$insert_id")
                for record in records
            }
            alone = ids & self.written.keys()
            if len(alone) == 1:
                found |= alone
        return found

    def arrivals(self) -> list[tuple[str, int]]:
        """(event id, number) in the order of their first arrival."""
        if isinstance(self.stand_in, AmplitudeStandIn):
            events = [event for event in self.stand_in.stored if event["event_type"] != "$identify"]
            return [(event["insert_id"], event["event_properties"]["n"]) for event in events]
        return [
            (record["properties"]["$insert_id"], record["properties"]["n"]) for record in self.stand_in.stored
        ]


@asynccontextmanager
async def world(provider: str, database: Database, client: httpx.AsyncClient) -> AsyncIterator[World]:
    project = await make_project(database, uuid.uuid4().hex)
    clock = MovableClock()
    stand_in: AmplitudeStandIn | MixpanelStandIn
    stand_in = AmplitudeStandIn() if provider == "amplitude" else MixpanelStandIn()
    async with stand_in:
        options = {"url": stand_in.url}
        if isinstance(stand_in, AmplitudeStandIn):
            options["api_key"] = stand_in.api_key
        else:
            options["token"] = stand_in.token
        to = destination(provider, options)
        reader = await make_reader(database, project, to, client, clock, batch_size=4)
        yield World(database, client, clock, project, stand_in, to, reader)


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 12), st.integers(0, 3), st.booleans(), st.booleans()),
    st.tuples(st.just("fault"), st.lists(FAULTS, min_size=1, max_size=4)),
    st.tuples(st.just("run")),
    st.tuples(st.just("run")),
    st.tuples(st.just("wait"), st.integers(1, 120)),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("throttle"), st.integers(0, 2)),
    st.tuples(st.just("shrink"), st.integers(600, 2000)),
    st.tuples(st.just("revive")),
    st.tuples(st.just("heal")),
)


async def act(world: World, action: tuple[Any, ...]) -> None:
    """Do one thing."""
    match action:
        case ("write", number, user, bad, counting):
            await world.write(number, user, bad, counting)
        case ("fault", faults):
            world.stand_in.faults.extend(faults)
        case ("run",):
            await world.run()
        case ("wait", seconds):
            world.clock.move(seconds=seconds)
        case ("crash", requests):
            await world.crash(requests)
        case ("throttle", user) if isinstance(world.stand_in, AmplitudeStandIn):
            world.stand_in.throttled = {USERS[user]}
        case ("shrink", size):
            world.stand_in.largest = size
        case ("revive",):
            async with world.database.acquire() as connection:
                await retry_dead(connection, world.project.id, world.to.name, DeadChoice(), world.clock())
        case ("heal",):
            await world.heal()


async def check(world: World) -> None:
    """What must be true at the end, whatever was done."""
    found = await overview(world.database, world.project, world.to.name)
    ends = {name: total(found, name) for name in ("delivered", "skipped", "dead", "unknown")}
    assert (found.pending, found.parked) == (0, 0)
    assert sum(ends.values()) == len(world.written)
    dead = await dead_letters(world)
    assert ends["dead"] == len(dead)

    if isinstance(world.stand_in, AmplitudeStandIn):
        assert ends["unknown"] == 0
    arrived = world.arrivals()
    ids = {event_id for event_id, _ in arrived}
    assert len(ids) == len(arrived), "the provider's own deduplication recognises every repetition"
    assert world.written.keys() - ids <= dead, "what is not there has a dead letter"
    assert world.deaths <= dead
    late = world.revived | world.refused_alone()
    for user in USERS:
        in_time = [(event_id, n) for event_id, n in arrived if event_id not in late]
        numbers = [n for event_id, n in in_time if world.written[event_id][0] == user]
        assert numbers == sorted(numbers)
    check_counting(world, ends["unknown"] + len(dead - world.deaths))


def check_counting(world: World, most_missing: int) -> None:
    """Mixpanel does not recognise a repeated `$add`: none may arrive twice, and one that did not arrive shows."""
    if not isinstance(world.stand_in, MixpanelStandIn):
        return
    missing = 0
    for user, sent in world.counted.items():
        visits = world.stand_in.profiles.get(user, {}).get("visits", 0)
        assert visits <= sent
        missing += sent - visits
    assert missing <= most_missing


async def dead_letters(world: World) -> set[str]:
    """Ids of the events that are dead now; each has words."""
    async with world.database.acquire() as connection:
        letters = await store.dead_letters(
            connection, world.project.id, DeadChoice(world.to.name), limit=10_000
        )
    assert all(letter.reason for letter in letters)
    return {str(letter.event_id) for letter in letters}


@pytest.mark.parametrize("provider", PROVIDERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, min_size=3, max_size=14))
async def test_any_sequence_of_faults(
    provider: str,
    database: Database,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[tuple[Any, ...]],
) -> None:
    note(repr(actions))
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.05)
    async with world(provider, database, client) as it:
        for action in actions:
            await act(it, action)
        await it.heal()
        await run_until_quiet(it.reader, it.clock)
        await check(it)

"""Replays through kills of real processes and any sequence of faults: each event once, in order, beside the live events."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.deliver.replaying import NewReplay
from analytics_api.domain.project import Project
from analytics_api.outbound import http
from analytics_api.store import readers
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_overview import Tally
from analytics_api.store.engine import Database
from tests.support.children import Start, starting
from tests.support.delivering import (
    MovableClock,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    total,
    write_numbered,
)
from tests.support.events import make_event, make_project, write_events
from tests.support.fault_strategies import FAULTS
from tests.support.providers import AmplitudeStandIn, Fault
from tests.support.replaying import ReplayBench


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with starting() as spawn:
        yield spawn


@pytest.mark.parametrize("requests", [1, 9])
async def test_killed_in_the_middle(
    database: Database,
    database_url: str,
    project: Project,
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    start: Start,
    requests: int,
) -> None:
    written = await write_numbered(database, project, 600, users=20)
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    to = destination("amplitude", options)
    # The real time: the other process has no other.
    bench = ReplayBench(database, project, to, client, MovableClock(), batch_size=50)
    await make_reader(database, project, to, client, bench.clock, start=600)
    replay = await bench.start(NewReplay(backfill=True, events_per_second=200))

    # A request is taken, and before its answer is read the process is dead.
    amplitude.faults.extend([None] * (requests - 1))
    amplitude.broken = Fault("hang", taken=True)
    arguments = (database_url, "amplitude", json.dumps(options))
    child = await start("tests.support.replay_process", *arguments, "first", "50")
    while len(amplitude.requests) < requests:
        await asyncio.sleep(0.005)
    child.signal(signal.SIGKILL)
    assert await child.end() == -signal.SIGKILL
    view = await bench.view(replay)
    assert view.state == "running"
    assert view.done < len(amplitude.stored), "the provider has more than we know"

    amplitude.faults.clear()
    amplitude.broken = None
    async with database.acquire() as connection:
        await connection.execute("UPDATE readers SET lease_until = now() - interval '1 second'")
    children = [
        await start("tests.support.replay_process", *arguments, owner, "50") for owner in ("one", "two")
    ]
    assert [await child.end() for child in children] == [0, 0]
    assert {event["insert_id"] for event in amplitude.stored} == set(written)
    assert len(amplitude.stored) == len(written)
    assert 0 < sum(amplitude.repeated.values()) <= 200, "one slice at most was sent again, with the same ids"
    view = await bench.view(replay)
    assert (view.state, view.done, view.parked) == ("done", 600, 0)
    for user in range(20):
        numbers = [
            event["event_properties"]["n"] for event in amplitude.stored if event["user_id"] == f"user-{user}"
        ]
        assert numbers == sorted(numbers)
    live = await overview(database, project, "amplitude")
    assert (live.position, live.total) == (600, Tally())


ACTIONS = st.one_of(
    st.tuples(st.just("fault"), st.lists(FAULTS, min_size=1, max_size=4)),
    st.tuples(st.just("slice")),
    st.tuples(st.just("slice")),
    st.tuples(st.just("wait"), st.integers(1, 120)),
    st.tuples(st.just("crash"), st.integers(0, 3)),
    st.tuples(st.just("throttle"), st.integers(0, 2)),
    st.tuples(st.just("live"), st.integers(1, 6)),
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("rate"), st.integers(1, 30)),
)


class World:
    """A destination that began after some history, its live stream and a backfill of the history."""

    def __init__(self, bench: ReplayBench, amplitude: AmplitudeStandIn) -> None:
        self.bench, self.amplitude = bench, amplitude
        self.history: list[str] = []
        self.came_live: list[str] = []

    async def begin(self, bad: int) -> None:
        bench = self.bench
        for n in range(30):
            event = make_event(bench.project, user_id=f"user-{n % 3}", event_data={"n": n, "bad": n == bad})
            await write_events(bench.database, [event])
            self.history.append(str(event.event_id))
        end = await bench.database.pool.fetchval("SELECT max(seq) FROM events")
        self.live = await self.live_reader(end)
        self.replay = await bench.start(NewReplay(backfill=True, events_per_second=10))
        self.reader = bench.reader(self.replay)

    async def live_reader(self, start: int = 0) -> Any:
        bench = self.bench
        return await make_reader(
            bench.database, bench.project, bench.to, bench.client, bench.clock, batch_size=4, start=start
        )

    async def act(self, action: tuple[Any, ...]) -> None:
        """Do one thing."""
        bench = self.bench
        match action:
            case ("fault", faults):
                self.amplitude.faults.extend(faults)
            case ("slice",):
                await self.reader.run_once()
            case ("wait", seconds):
                bench.clock.move(seconds=seconds)
            case ("crash", requests):
                await self.crash(requests)
            case ("throttle", user):
                self.amplitude.throttled = {f"user-{user}"}
            case ("live", number):
                self.came_live += await write_numbered(
                    bench.database, bench.project, number, users=3, first=100
                )
                await self.live.run_once()
            case ("pause",):
                await bench.change(self.replay, state="paused")
            case ("resume",):
                await bench.change(self.replay, state="running")
            case ("rate", rate):
                await bench.change(self.replay, events_per_second=rate)

    async def crash(self, requests: int) -> None:
        """The process dies while the n-th request from now is on its way."""
        arrived = len(self.amplitude.requests) + requests
        task = asyncio.create_task(self.reader.run_once())
        while not task.done() and len(self.amplitude.requests) < arrived:
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.bench.clock.move(minutes=2)
        self.reader = self.bench.reader(self.replay, owner=uuid.uuid4().hex)

    async def end(self) -> None:
        """All is mended and worked off."""
        self.amplitude.faults.clear()
        self.amplitude.throttled = set()
        bench = self.bench
        async with bench.database.acquire() as connection:
            await readers.resume(connection, bench.project.id, reader_name("amplitude"), bench.clock())
        await run_until_quiet(self.live, bench.clock)
        if (await bench.view(self.replay)).state != "done":
            await bench.change(self.replay, state="running")
        await bench.run(self.reader)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, min_size=3, max_size=14), bad=st.integers(0, 60))
async def test_any_sequence_of_faults(
    database: Database,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[tuple[Any, ...]],
    bad: int,
) -> None:
    note(repr(actions))
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.05)
    project = await make_project(database, uuid.uuid4().hex)
    async with AmplitudeStandIn() as amplitude:
        to = destination("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url})
        it = World(ReplayBench(database, project, to, client, MovableClock(), batch_size=4), amplitude)
        await it.begin(bad)
        for action in actions:
            if (await it.bench.view(it.replay)).state == "done" and action[0] in ("pause", "resume"):
                continue
            await it.act(action)
        await it.end()

        view = await it.bench.view(it.replay)
        assert (view.state, view.done, view.parked) == ("done", 30, 0)
        live = await overview(database, project, "amplitude")
        assert (live.pending, live.parked, live.total.received) == (0, 0, len(it.came_live))
        ids = [event["insert_id"] for event in amplitude.stored]
        died = view.counts["dead", ""] + total(live, "dead")
        assert len(ids) == len(set(ids))
        assert len(ids) + died >= 30 + len(it.came_live), "what is not there has a dead letter"
        assert set(ids) <= {*it.history, *it.came_live}
        assert view.counts["dead", ""] >= (1 if bad < 30 else 0)
        for user in range(3):
            numbers = [
                event["event_properties"]["n"]
                for event in amplitude.stored
                if event["user_id"] == f"user-{user}" and event["insert_id"] in it.history
            ]
            assert numbers == sorted(numbers)

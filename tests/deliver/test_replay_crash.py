"""A replay through kills of real processes: each event once, in order, beside the live events."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest

from analytics_api.deliver.replaying import NewReplay
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.delivery_overview import Tally
from analytics_api.store.engine import Database
from tests.support.children import Start, starting
from tests.support.delivering import (
    MovableClock,
    destination,
    make_reader,
    overview,
    write_numbered,
)
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
    client: Client,
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

"""Real processes that die, stop and race while they deliver."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from tests.support.children import Child, Start, starting
from tests.support.delivering import MovableClock, destination, make_reader, overview, run_until_quiet, total
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn
from tests.support.providers.server import StandIn


@pytest.fixture
async def start(database_url: str) -> AsyncIterator[Start]:
    """Starts a delivering process: `await start("amplitude", options, owner)`."""
    async with starting() as spawn:

        async def begin(
            provider: str, options: dict[str, str], owner: str, *, lease: float = 60, batch: int = 100
        ) -> Child:
            arguments = (provider, json.dumps(options), owner, str(lease), str(batch))
            return await spawn("tests.support.delivery_process", database_url, *arguments)

        yield begin


async def until_asked(stand_in: StandIn, requests: int) -> None:
    while len(stand_in.requests) < requests:
        await asyncio.sleep(0.005)


async def write(database: Database, project: Project, number: int, **given: object) -> set[str]:
    events = [
        make_event(project, user_id=f"user-{n % 50}", event_data={"n": n}, **given)  # type: ignore[arg-type]
        for n in range(number)
    ]
    await write_events(database, events)
    return {str(event.event_id) for event in events}


def later() -> MovableClock:
    """A clock by which the lease of a dead process has run out."""
    clock = MovableClock(datetime.now(UTC))
    clock.move(minutes=5)
    return clock


@pytest.mark.parametrize("requests", [1, 7, 15, 24])
async def test_killed_between_sending_and_committing(
    database: Database,
    project: Project,
    client: Client,
    amplitude: AmplitudeStandIn,
    start: Start,
    requests: int,
) -> None:
    written = await write(database, project, 2_500)
    # The request is taken, and before its answer is read the process is dead.
    amplitude.faults.extend([None] * (requests - 1))
    amplitude.broken = Fault("hang", taken=True)
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    child = await start("amplitude", options, "first")
    await until_asked(amplitude, requests)
    child.signal(signal.SIGKILL)
    assert await child.end() == -signal.SIGKILL

    before = await overview(database, project, "amplitude")
    assert total(before, "delivered") == before.position, "what is counted is what the position has passed"
    assert len(amplitude.stored) > before.position, "the provider has more than we know"

    amplitude.faults.clear()
    amplitude.broken = None
    clock = later()
    reader = await make_reader(
        database, project, destination("amplitude", options), client, clock, owner="second"
    )
    await run_until_quiet(reader, clock)
    assert {event["insert_id"] for event in amplitude.stored} == written
    assert len(amplitude.stored) == len(written)
    assert sum(amplitude.repeated.values()) > 0, "what was in doubt was sent again with the same key"
    found = await overview(database, project, "amplitude")
    assert (total(found, "delivered"), found.pending, found.parked) == (len(written), 0, 0)
    for user in range(50):
        numbers = [
            event["event_properties"]["n"] for event in amplitude.stored if event["user_id"] == f"user-{user}"
        ]
        assert numbers == sorted(numbers)


async def test_killed_during_an_update_that_must_not_be_repeated(
    database: Database,
    project: Project,
    client: Client,
    mixpanel: MixpanelStandIn,
    start: Start,
) -> None:
    written = await write(database, project, 80, user_properties={"$add": {"visits": 1}})
    mixpanel.faults.append(None)
    mixpanel.broken = Fault("hang", taken=True)
    options = {"token": mixpanel.token, "url": mixpanel.url}
    child = await start("mixpanel", options, "first")
    await until_asked(mixpanel, 2)
    child.signal(signal.SIGKILL)
    await child.end()
    assert len(mixpanel.updates) == 80

    mixpanel.broken = None
    clock = later()
    reader = await make_reader(
        database, project, destination("mixpanel", options), client, clock, owner="second"
    )
    await run_until_quiet(reader, clock)
    assert len(mixpanel.updates) == 80, "not one visit is counted twice"
    assert {record["properties"]["$insert_id"] for record in mixpanel.stored} == written
    assert total(await overview(database, project, "mixpanel"), "unknown") == 80


async def test_two_processes_at_once(
    database: Database,
    project: Project,
    amplitude: AmplitudeStandIn,
    start: Start,
) -> None:
    written = await write(database, project, 3_000)
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    children = [await start("amplitude", options, owner, batch=50) for owner in ("one", "two")]
    assert [await child.end() for child in children] == [0, 0]
    assert {event["insert_id"] for event in amplitude.stored} == written
    assert not amplitude.repeated, "the lease lets only one of them send"
    assert total(await overview(database, project, "amplitude"), "delivered") == len(written)


async def test_a_stopped_process_wakes_up_after_it_was_replaced(
    database: Database,
    project: Project,
    amplitude: AmplitudeStandIn,
    start: Start,
) -> None:
    written = await write(database, project, 2_500)
    amplitude.faults.extend([None] * 12)
    amplitude.broken = Fault("slow", seconds=0.2)
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    stopped = await start("amplitude", options, "stopped", lease=1)
    await until_asked(amplitude, 13)
    stopped.signal(signal.SIGSTOP)
    amplitude.broken = None
    successor = await start("amplitude", options, "successor", lease=1)
    assert await successor.end() == 0
    stopped.signal(signal.SIGCONT)
    assert await stopped.end() == 0
    assert {event["insert_id"] for event in amplitude.stored} == written
    found = await overview(database, project, "amplitude")
    assert (total(found, "delivered"), found.pending, found.parked) == (len(written), 0, 0)

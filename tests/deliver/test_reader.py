"""A destination's reader: what is sent, what is counted, and who may deliver."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store import delivery_views
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_overview import Tally
from analytics_api.store.engine import Database
from tests.support.delivering import (
    MovableClock,
    arrivals,
    by_user,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    total,
    write_numbered,
)
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault


async def test_everything_arrives_once_and_in_order(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write_numbered(database, project, 137)
    (report,) = await run_until_quiet(reader, clock)
    assert sorted(arrivals(amplitude)) == sorted(written)
    assert not amplitude.repeated
    assert all(numbers == sorted(numbers) for numbers in by_user(amplitude).values())
    assert all(len(json.loads(request.body)["events"]) <= 10 for request in amplitude.requests)
    assert (report.delivered, report.state) == (137, DeliveryState.RUNNING)
    again = await reader.run_once()
    assert again.delivered == 0
    assert len(amplitude.stored) == 137


async def test_several_requests_are_in_flight_but_one_for_a_person(
    database: Database, project: Project, reader: DestinationReader, amplitude: AmplitudeStandIn
) -> None:
    amplitude.broken = Fault("slow", seconds=0.02)
    await write_numbered(database, project, 200, users=40)
    await reader.run_once()
    assert 2 <= amplitude.most_in_flight <= 4


async def test_few_events_are_one_request(
    database: Database, project: Project, reader: DestinationReader, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 9, users=9)
    await reader.run_once()
    assert len(amplitude.requests) == 1


async def test_wrong_credentials_pause_and_new_ones_resume(
    database: Database,
    project: Project,
    client: Client,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 20)
    stale = destination("amplitude", {"api_key": "stale-secret", "url": amplitude.url})
    reader = await make_reader(database, project, stale, client, clock)
    report = await reader.run_once()
    assert (report.state, report.position, report.parked) == (DeliveryState.PAUSED, 0, 0)
    assert report.reason == "Invalid API key: ***", "the key itself is not kept"
    asked = len(amplitude.requests)
    clock.move(days=1)
    assert (await reader.run_once()).state == DeliveryState.PAUSED
    assert len(amplitude.requests) == asked

    fresh = destination("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url})
    reader = await make_reader(database, project, fresh, client, clock)
    report = await reader.run_once()
    assert (report.state, report.delivered) == (DeliveryState.RUNNING, 20)


async def test_credentials_that_go_bad_half_way_lose_and_double_nothing(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write_numbered(database, project, 60, users=1)
    refusal = Fault("status", status=400, body={"code": 400, "error": "Invalid API key: x"})
    amplitude.faults.extend([None, None, refusal])
    report = await reader.run_once()
    assert (report.state, report.position) == (DeliveryState.PAUSED, 20)
    async with database.acquire() as connection:
        await connection.execute("UPDATE readers SET state = 'running', reason = NULL")
    await run_until_quiet(reader, clock)
    assert arrivals(amplitude) == written
    assert not amplitude.repeated


async def test_sandbox_mode_passes_events_over_and_nothing_floods_afterwards(
    database: Database,
    project: Project,
    client: Client,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
    reader: DestinationReader,
) -> None:
    amplitude.throttled = {"user-0"}
    await write_numbered(database, project, 10, users=1)
    await reader.run_once()
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    muted = await make_reader(database, project, destination("amplitude", options, muted=True), client, clock)
    await write_numbered(database, project, 30)
    amplitude.throttled = set()
    asked = len(amplitude.requests)
    report = await muted.run_once()
    assert (report.skipped, report.state) == (40, DeliveryState.SANDBOX)
    assert len(amplitude.requests) == asked
    found = await overview(database, project, "amplitude")
    assert found.total.skipped == {"sandbox": 40}
    (report,) = await run_until_quiet(reader, clock)
    assert report.delivered == 0


async def test_skipped_events_are_counted_with_their_reason(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_events(
        database,
        [
            make_event(project, "api_request"),
            make_event(project, user_id=None),
            make_event(project, "$identify"),
            make_event(project, "login"),
        ],
    )
    await run_until_quiet(reader, clock)
    found = await overview(database, project, "amplitude")
    assert {event_type: tally for (_, event_type), tally in found.tallies.items()} == {
        "api_request": Tally(read=1, skipped=Counter(filter=1)),
        "page_view": Tally(read=1, skipped=Counter(no_person=1)),
        "$identify": Tally(read=1, skipped=Counter(empty=1)),
        "login": Tally(read=1, delivered=1),
    }


async def test_the_last_thousand_payloads_of_the_sandbox_stay(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    reader = await make_reader(database, project, destination("sandbox", {}), client, clock)
    written = await write_numbered(database, project, 1050)
    await reader.run_once()
    assert f'"event_id":"{written[0]}"' in caplog.text
    await write_events(database, [make_event(project, "last", event_data={"größe": 1})])
    await reader.run_once()
    async with database.acquire() as connection:
        found = await delivery_views.sandbox_payloads(connection, project.id, before=None, limit=2000)
    assert len(found) == 1000
    assert found[0].event_type == "last"
    assert json.loads(found[0].payload)["event_data"] == {"größe": 1}


async def test_a_lost_lease_stops_the_work_and_writes_nothing(
    database: Database,
    project: Project,
    reader: DestinationReader,
    client: Client,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write_numbered(database, project, 20)
    amplitude.broken = Fault("slow", seconds=0.2)
    run = asyncio.create_task(reader.run_once())
    while not amplitude.requests:
        await asyncio.sleep(0.01)
    # Another process, whose clock says that the lease has run out.
    clock.move(minutes=5)
    other = await make_reader(
        database, project, reader.destination, client, clock, owner="other", batch_size=10
    )
    amplitude.broken = None
    second = await other.run_once()
    first = await run
    assert first.state == DeliveryState.HELD_ELSEWHERE
    assert (first.delivered, second.delivered) == (0, 20)
    assert sorted(arrivals(amplitude)) == sorted(written)
    found = await overview(database, project, "amplitude")
    assert total(found, "delivered") == 20


async def test_a_lease_that_another_process_holds_is_said(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 3)
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE readers SET lease_owner = 'other', lease_until = $1 WHERE name = $2",
            clock() + timedelta(seconds=30),
            reader_name("amplitude"),
        )
    report = await reader.run_once()
    assert report.state == DeliveryState.HELD_ELSEWHERE
    assert not amplitude.requests
    clock.move(seconds=31)
    assert (await reader.run_once()).delivered == 3


async def test_an_orderly_stop_ends_after_what_is_in_flight(
    database: Database,
    project: Project,
    reader: DestinationReader,
    client: Client,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write_numbered(database, project, 100, users=1)
    amplitude.broken = Fault("slow", seconds=0.1)
    run = asyncio.create_task(reader.run_once())
    while not amplitude.requests:
        await asyncio.sleep(0.01)
    reader.stop()
    report = await run
    assert 0 < report.delivered < 100
    amplitude.broken = None
    following = await make_reader(database, project, reader.destination, client, clock, owner="next")
    await run_until_quiet(following, clock)
    assert arrivals(amplitude) == written
    assert not amplitude.repeated

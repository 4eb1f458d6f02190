"""Events that wait, those behind them, those that died, and updates that must not be repeated."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.project import Project
from analytics_api.store.dead_letters import DeadChoice, retry_dead
from analytics_api.store.delivery_overview import Tally
from analytics_api.store.engine import Database
from tests.support.delivering import (
    DOWN,
    MovableClock,
    arrivals,
    by_user,
    overview,
    run_until_quiet,
    total,
    write_numbered,
)
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn
from tests.support.retention import blocked_by


async def test_throttled_persons_wait_while_others_flow(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 50)
    amplitude.throttled = {"user-2"}
    report = await reader.run_once()
    assert (report.delivered, report.parked, report.state) == (40, 10, DeliveryState.RUNNING)
    assert "user-2" not in by_user(amplitude)
    assert report.retry_at == clock() + timedelta(seconds=15)

    # What comes later of the same person waits behind it, and is not even sent.
    await write_numbered(database, project, 5)
    asked = len(amplitude.requests)
    report = await reader.run_once()
    assert (report.delivered, report.parked) == (4, 1)
    assert all(b"user-2" not in request.body for request in amplitude.requests[asked:])

    amplitude.throttled = set()
    await run_until_quiet(reader, clock)
    numbers = by_user(amplitude)["user-2"]
    assert numbers == [*range(2, 50, 5), 2]
    found = await overview(database, project, "amplitude")
    assert (total(found, "delivered"), found.parked) == (55, 0)


async def test_a_throttled_device_holds_the_whole_person_back(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    events = [
        make_event(project, user_id="ada", anonymous_id=f"device-{n % 2}", event_data={"n": n})
        for n in range(25)
    ]
    await write_events(database, events)
    amplitude.throttled = {"device-1"}
    report = await reader.run_once()
    assert (report.delivered, report.parked) == (1, 24)
    assert len(amplitude.requests) == 2, (
        "the request that met the throttle, and what came before the first held event"
    )
    clock.move(seconds=16)
    report = await reader.run_once()
    assert report.retry_at == clock() + timedelta(seconds=15), "the whole queue waits again with its head"
    assert (report.delivered, len(amplitude.requests)) == (0, 3)
    amplitude.throttled = set()
    await run_until_quiet(reader, clock)
    assert by_user(amplitude)["ada"] == [*range(25)]


async def test_a_person_throttled_again_and_again_stays_in_order(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    for round_ in range(6):
        amplitude.throttled = {"user-1"} if round_ % 2 == 0 else set()
        await write_numbered(database, project, 25, first=25 * round_)
        await reader.run_once()
        clock.move(seconds=9)
    amplitude.throttled = set()
    await run_until_quiet(reader, clock)
    assert by_user(amplitude)["user-1"] == [*range(1, 150, 5)]


async def test_a_dead_letter_can_be_tried_again(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = make_event(project, event_data={"n": 0, "bad": True})
    await write_events(database, [event])
    await run_until_quiet(reader, clock)
    assert total(await overview(database, project, "amplitude"), "dead") == 1

    async with database.acquire() as connection:
        assert await retry_dead(connection, project.id, "amplitude", DeadChoice(), clock()) == 1
    waiting = await overview(database, project, "amplitude")
    assert (total(waiting, "dead"), waiting.parked) == (0, 1)
    await run_until_quiet(reader, clock)
    assert total(await overview(database, project, "amplitude"), "dead") == 1

    # The provider has changed its mind: the same bytes are taken now.
    async with database.acquire() as connection:
        one = DeadChoice(event_ids=[event.event_id])
        await retry_dead(connection, project.id, "amplitude", one, clock())
    monkeypatch.setattr(amplitude, "_wrong", lambda _event: [])
    await run_until_quiet(reader, clock)
    assert arrivals(amplitude) == [str(event.event_id)]
    found = await overview(database, project, "amplitude")
    assert (total(found, "delivered"), total(found, "dead"), found.parked) == (1, 0, 0)


async def test_an_event_that_was_deleted_while_it_waited_is_counted_as_gone(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 4, users=2)
    amplitude.throttled = {"user-0"}
    await reader.run_once()
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM events WHERE user_id = 'user-0'")
    await run_until_quiet(reader, clock)
    found = await overview(database, project, "amplitude")
    assert found.total == Tally(read=4, delivered=2, skipped=Counter(gone=2))


async def test_retention_waits_for_events_that_wait_for_delivery(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 4, users=2)
    amplitude.throttled = {"user-0"}
    await reader.run_once()
    async with database.acquire() as connection:
        waiting = f"2 events of project {project.id} wait for another attempt at amplitude"
        assert await blocked_by(connection, project, NOW + timedelta(days=400)) == waiting
        amplitude.throttled = set()
        await run_until_quiet(reader, clock)
        # Nobody counts here.
        assert "never been counted" in await blocked_by(connection, project, NOW + timedelta(days=400))


async def test_an_answer_lost_longer_ago_than_repetitions_are_recognised_ends_as_unknown(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 3, users=1)
    amplitude.faults.append(Fault("reset", taken=True))
    amplitude.broken = DOWN
    await reader.run_once()
    await write_numbered(database, project, 3, users=1)
    clock.move(days=8)
    amplitude.broken = None
    await run_until_quiet(reader, clock)
    found = await overview(database, project, "amplitude")
    assert (total(found, "unknown"), total(found, "delivered")) == (3, 3)
    assert not amplitude.repeated, "Amplitude would have stored them a second time"


async def test_profiles_are_updated(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(
        database, project, 30, users=3, user_properties={"$set": {"plan": "pro"}, "$add": {"visits": 1}}
    )
    await run_until_quiet(to_mixpanel, clock)
    assert mixpanel.profiles == {f"user-{n}": {"plan": "pro", "visits": 10} for n in range(3)}


@pytest.mark.parametrize("taken", [True, False])
async def test_counting_updates_are_never_sent_twice(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
    taken: bool,
) -> None:
    await write_numbered(database, project, 5, users=5, user_properties={"$add": {"visits": 1}})
    mixpanel.faults.extend([None, Fault("reset", taken=taken)])
    await run_until_quiet(to_mixpanel, clock)
    visits = [profile["visits"] for profile in mixpanel.profiles.values()]
    assert visits == ([1] * 5 if taken else [])
    assert len(mixpanel.stored) == 5
    found = await overview(database, project, "mixpanel")
    assert (total(found, "unknown"), found.parked) == (5, 0)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM single_attempts") == 0


async def test_counting_updates_that_surely_did_not_arrive_are_sent_again(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 5, users=5, user_properties={"$add": {"visits": 1}})
    mixpanel.faults.extend([None, DOWN])
    await run_until_quiet(to_mixpanel, clock)
    assert [profile["visits"] for profile in mixpanel.profiles.values()] == [1] * 5
    assert total(await overview(database, project, "mixpanel"), "delivered") == 5


async def test_profile_operations_keep_their_order_though_they_take_different_requests(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
) -> None:
    operations = [{"$set": {"visits": 10}}, *[{"$add": {"visits": 1}}] * 3, {"$set": {"visits": 20}}]
    await write_events(database, [make_event(project, user_properties=each) for each in operations])
    await run_until_quiet(to_mixpanel, clock)
    assert mixpanel.profiles["ada"]["visits"] == 20
    assert [next(name for name in update if name in ("$set", "$add")) for update in mixpanel.updates] == [
        next(iter(each)) for each in operations
    ]

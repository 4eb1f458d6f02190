"""A destination's reader against real HTTP servers and a real database: what is sent, what is kept, what is counted."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from analytics_api.deliver.providers import http
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.project import Project
from analytics_api.store import delivery_views
from analytics_api.store.deliveries import reader_name
from analytics_api.store.engine import Database
from analytics_api.store.upkeep import expired_partitions
from tests.support.delivering import (
    MovableClock,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    total,
)
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn

DOWN = Fault("status", status=503, body={"error": "down for repairs"})


@pytest.fixture
async def reader(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    clock: MovableClock,
    amplitude: AmplitudeStandIn,
) -> DestinationReader:
    """Towards Amplitude, ten events a request."""
    to = destination("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url})
    return await make_reader(database, project, to, client, clock, batch_size=10)


@pytest.fixture
async def to_mixpanel(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    clock: MovableClock,
    mixpanel: MixpanelStandIn,
) -> DestinationReader:
    to = destination("mixpanel", {"token": mixpanel.token, "url": mixpanel.url})
    return await make_reader(database, project, to, client, clock, batch_size=10)


async def write(
    database: Database, project: Project, number: int, *, users: int = 5, first: int = 0, **given: Any
) -> list[str]:
    """Events of several users in turn; their ids in the order of the log."""
    events = [
        make_event(project, user_id=f"user-{n % users}", event_data={"n": n}, **given)
        for n in range(first, first + number)
    ]
    await write_events(database, events)
    return [str(event.event_id) for event in events]


def arrivals(amplitude: AmplitudeStandIn) -> list[str]:
    return [event["insert_id"] for event in amplitude.stored]


def by_user(amplitude: AmplitudeStandIn) -> dict[str, list[int]]:
    """The numbers of each user's events in the order of their arrival."""
    found: dict[str, list[int]] = {}
    for event in amplitude.stored:
        found.setdefault(event["user_id"], []).append(event["event_properties"]["n"])
    return found


async def test_everything_arrives_once_and_in_order(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write(database, project, 137)
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
    await write(database, project, 200, users=40)
    await reader.run_once()
    assert 2 <= amplitude.most_in_flight <= 4


async def test_few_events_are_one_request(
    database: Database, project: Project, reader: DestinationReader, amplitude: AmplitudeStandIn
) -> None:
    await write(database, project, 9, users=9)
    await reader.run_once()
    assert len(amplitude.requests) == 1


async def test_a_destination_that_is_down_keeps_its_position_and_is_probed(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 60)
    amplitude.broken = DOWN
    report = await reader.run_once()
    assert (report.state, report.position, report.parked) == (DeliveryState.WAITING, 0, 0)
    assert report.retry_at is not None
    assert clock() < report.retry_at <= clock() + timedelta(seconds=2)
    asked = len(amplitude.requests)

    await reader.run_once()
    assert len(amplitude.requests) == asked, "nothing is sent before retry_at"

    for failures in range(2, 12):
        assert report.retry_at is not None
        clock.now = report.retry_at
        report = await reader.run_once()
        asked += 1
        assert len(amplitude.requests) == asked, "one probe"
        assert len(json.loads(amplitude.requests[-1].body)["events"]) <= 10
        assert report.retry_at is not None
        assert clock() < report.retry_at <= clock() + timedelta(seconds=60)
        found = await overview(database, project, "amplitude")
        assert (found.failures, found.pending, found.parked) == (failures, 60, 0)
        assert "down for repairs" in (found.last_error or "")

    amplitude.broken = None
    assert report.retry_at is not None
    clock.now = report.retry_at
    report = await reader.run_once()
    assert (report.state, report.delivered) == (DeliveryState.RUNNING, 60)
    assert (await overview(database, project, "amplitude")).failures == 0
    assert not amplitude.repeated


async def test_retry_after_of_the_whole_destination(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 5)
    amplitude.faults.append(Fault("status", status=429, body={"code": 429}, headers={"Retry-After": "45"}))
    report = await reader.run_once()
    assert report.retry_at == clock() + timedelta(seconds=45)


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "hang", "status"])
async def test_an_answer_that_was_lost_leads_to_the_same_bytes_again(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    written = await write(database, project, 10, users=1)
    amplitude.faults.append(Fault(kind, taken=True, status=500))
    await run_until_quiet(reader, clock)
    first, second = amplitude.requests
    assert first.body == second.body
    assert arrivals(amplitude) == written
    assert sum(amplitude.repeated.values()) == 10
    found = await overview(database, project, "amplitude")
    assert (total(found, "delivered"), found.parked, found.pending) == (10, 0, 0)


async def test_a_failure_half_way_repeats_only_what_is_in_doubt(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write(database, project, 100, users=1)
    amplitude.faults.extend([None, None, Fault("reset", taken=True)])
    report = await reader.run_once()
    assert (report.delivered, report.parked, report.position) == (20, 10, 30)
    await run_until_quiet(reader, clock)
    assert arrivals(amplitude) == written
    assert sum(amplitude.repeated.values()) == 10


async def test_refused_events_die_with_the_providers_words_and_release_the_others(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    events = [
        make_event(project, user_id=f"user-{n % 3}", event_data={"n": n, "bad": n in (4, 7)})
        for n in range(30)
    ]
    await write_events(database, events)
    report = (await run_until_quiet(reader, clock))[0]
    assert (report.delivered, report.dead) == (28, 2)
    async with database.acquire() as connection:
        letters = await delivery_views.dead_letters(
            connection, project.id, destination="amplitude", before=None, limit=10
        )
    assert {letter.event_id for letter in letters} == {events[4].event_id, events[7].event_id}
    assert {letter.reason for letter in letters} == {"Invalid field values: invalid field event_properties"}
    assert by_user(amplitude)["user-1"] == [n for n in range(1, 30, 3) if n not in (4, 7)]


async def test_http_v2_names_only_the_first_bad_event_of_a_field(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    amplitude.first_index_only = True
    await write_events(
        database, [make_event(project, event_data={"n": n, "bad": n % 2 == 0}) for n in range(10)]
    )
    (report,) = await run_until_quiet(reader, clock)
    assert (report.delivered, report.dead) == (5, 5)


async def test_a_request_that_is_too_large_is_halved_and_the_smaller_size_remembered(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    texts = ["x" * 200] * 40
    texts[13] = "x" * 900
    events = [
        make_event(project, user_id="ada", event_data={"n": n, "text": text, "more": [text] * 3})
        for n, text in enumerate(texts)
    ]
    await write_events(database, events)
    amplitude.largest = 3_500
    (report,) = await run_until_quiet(reader, clock)
    assert (report.delivered, report.dead) == (39, 1)
    assert by_user(amplitude)["ada"] == [n for n in range(40) if n != 13]
    refused = sum(len(request.body) > amplitude.largest for request in amplitude.requests)
    assert refused <= 6, "later requests are no larger than what was taken"


async def test_refused_without_a_reason_the_culprit_is_found_by_halving(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = mixpanel.handle

    def refuse_wholly(request: Any) -> Any:
        if b'"culprit":true' in request.body:
            mixpanel.faults.append(None)
            return type(taken(request))(400, {"code": 400, "error": "no idea", "status": "Bad Request"})
        return taken(request)

    monkeypatch.setattr(mixpanel, "handle", refuse_wholly)
    events = [make_event(project, user_id="ada", event_data={"n": n, "culprit": n == 6}) for n in range(10)]
    await write_events(database, events)
    reports = await run_until_quiet(to_mixpanel, clock)
    assert (reports[0].delivered, reports[0].dead) == (9, 1)


async def test_throttled_persons_wait_while_others_flow(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 50)
    amplitude.throttled = {"user-2"}
    report = await reader.run_once()
    assert (report.delivered, report.parked, report.state) == (40, 10, DeliveryState.RUNNING)
    assert "user-2" not in by_user(amplitude)
    assert report.retry_at == clock() + timedelta(seconds=15)

    # What comes later of the same person waits behind it, and is not even sent.
    await write(database, project, 5)
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
        await write(database, project, 25, first=25 * round_)
        await reader.run_once()
        clock.move(seconds=9)
    amplitude.throttled = set()
    await run_until_quiet(reader, clock)
    assert by_user(amplitude)["user-1"] == [*range(1, 150, 5)]


async def test_wrong_credentials_pause_and_new_ones_resume(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 20)
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
    written = await write(database, project, 60, users=1)
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
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
    reader: DestinationReader,
) -> None:
    amplitude.throttled = {"user-0"}
    await write(database, project, 10, users=1)
    await reader.run_once()
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    muted = await make_reader(database, project, destination("amplitude", options, muted=True), client, clock)
    await write(database, project, 30)
    amplitude.throttled = set()
    asked = len(amplitude.requests)
    report = await muted.run_once()
    assert (report.skipped, report.state) == (40, DeliveryState.SANDBOX)
    assert len(amplitude.requests) == asked
    found = await overview(database, project, "amplitude")
    assert found.counts == {("page_view", "skipped", "sandbox"): 40}
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
    assert found.counts == {
        ("api_request", "skipped", "filter"): 1,
        ("page_view", "skipped", "no_person"): 1,
        ("$identify", "skipped", "empty"): 1,
        ("login", "delivered", ""): 1,
    }


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
        assert await delivery_views.retry_dead(connection, project.id, "amplitude", clock()) == 1
    waiting = await overview(database, project, "amplitude")
    assert (total(waiting, "dead"), waiting.parked) == (0, 1)
    await run_until_quiet(reader, clock)
    assert total(await overview(database, project, "amplitude"), "dead") == 1

    # The provider has changed its mind: the same bytes are taken now.
    async with database.acquire() as connection:
        await delivery_views.retry_dead(connection, project.id, "amplitude", clock(), [event.event_id])
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
    await write(database, project, 4, users=2)
    amplitude.throttled = {"user-0"}
    await reader.run_once()
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM events WHERE user_id = 'user-0'")
    await run_until_quiet(reader, clock)
    found = await overview(database, project, "amplitude")
    assert found.counts == {("page_view", "delivered", ""): 2, ("page_view", "skipped", "gone"): 2}
    assert found.parked == 0


async def test_retention_waits_for_events_that_wait_for_delivery(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 4, users=2)
    amplitude.throttled = {"user-0"}
    await reader.run_once()
    async with database.acquire() as connection:
        (expired,) = await expired_partitions(connection, NOW + timedelta(days=400))
        assert expired.blocked_by == f"2 events of project {project.id} wait for another attempt at amplitude"
        amplitude.throttled = set()
        await run_until_quiet(reader, clock)
        (expired,) = await expired_partitions(connection, NOW + timedelta(days=400))
        assert expired.blocked_by is None


async def test_an_answer_lost_longer_ago_than_repetitions_are_recognised_ends_as_unknown(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write(database, project, 3, users=1)
    amplitude.faults.append(Fault("reset", taken=True))
    amplitude.broken = DOWN
    await reader.run_once()
    await write(database, project, 3, users=1)
    clock.move(days=8)
    amplitude.broken = None
    await run_until_quiet(reader, clock)
    found = await overview(database, project, "amplitude")
    assert (total(found, "unknown"), total(found, "delivered")) == (3, 3)
    assert not amplitude.repeated, "Amplitude would have stored them a second time"


async def test_events_that_cannot_be_read_as_numbers_die_instead_of_stopping_the_line(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_events(database, [make_event(project), make_event(project)])
    async with database.acquire() as connection:
        # More digits than Python turns into an integer.
        await connection.execute(
            "UPDATE events SET event_data = jsonb_build_object('n', repeat('9', 5000)::numeric) WHERE seq = 1"
        )
    (report,) = await run_until_quiet(reader, clock)
    assert (report.delivered, report.dead) == (1, 1)


async def test_profiles_are_updated(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
) -> None:
    await write(
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
    await write(database, project, 5, users=5, user_properties={"$add": {"visits": 1}})
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
    await write(database, project, 5, users=5, user_properties={"$add": {"visits": 1}})
    mixpanel.faults.extend([None, DOWN])
    await run_until_quiet(to_mixpanel, clock)
    assert [profile["visits"] for profile in mixpanel.profiles.values()] == [1] * 5
    assert total(await overview(database, project, "mixpanel"), "delivered") == 5


async def test_the_last_thousand_payloads_of_the_sandbox_stay(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    reader = await make_reader(database, project, destination("sandbox", {}), client, clock)
    written = await write(database, project, 1050)
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
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write(database, project, 20)
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
    await write(database, project, 3)
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
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    written = await write(database, project, 100, users=1)
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

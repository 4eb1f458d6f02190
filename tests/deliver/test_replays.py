"""Replays of one destination: what is sent, how fast, behind whom, and that the live events notice nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replaying import NewReplay
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.project import Project
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.outbound.connections import Client
from analytics_api.store import readers
from analytics_api.store.deliveries import reader_name
from analytics_api.store.destinations import delete_destination
from analytics_api.store.engine import Database
from analytics_api.store.readers import ensure_reader
from analytics_api.store.replays import replay_reader
from tests.support.delivering import (
    DOWN,
    MovableClock,
    by_user,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    total,
    write_numbered,
)
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, GoogleAnalyticsStandIn, MixpanelStandIn
from tests.support.replaying import ReplayBench
from tests.support.retention import blocked_by


@pytest.fixture
def bench(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    reader: DestinationReader,
) -> ReplayBench:
    """Replays to Amplitude, beside the live reader that begins at the beginning."""
    return ReplayBench(database, project, reader.destination, client, clock)


@pytest.fixture
def to_mixpanel_again(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    to_mixpanel: DestinationReader,
) -> ReplayBench:
    return ReplayBench(database, project, to_mixpanel.destination, client, clock)


async def test_everything_again_in_order_with_the_same_ids(
    database: Database,
    project: Project,
    reader: DestinationReader,
    bench: ReplayBench,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    ids = await write_numbered(database, project, 50)
    await run_until_quiet(reader, clock)
    before = await overview(database, project, "amplitude")
    amplitude.forget()

    replay = await bench.start()
    await bench.run(bench.reader(replay))
    assert {event["insert_id"] for event in amplitude.stored} == set(ids)
    assert not amplitude.repeated
    assert all(numbers == sorted(numbers) for numbers in by_user(amplitude).values())
    view = await bench.view(replay)
    assert (view.state, view.done, view.counts[("delivered", "")], view.progress) == ("done", 50, 50, 1.0)
    assert view.replay.estimated == 50
    assert view.replay.finished_at is not None
    assert await overview(database, project, "amplitude") == before, "the live figures know nothing of it"


async def test_the_provider_recognises_what_it_has(
    database: Database,
    project: Project,
    reader: DestinationReader,
    bench: ReplayBench,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 20)
    await run_until_quiet(reader, clock)
    await bench.run(bench.reader(await bench.start()))
    assert len(amplitude.stored) == 20
    assert sum(amplitude.repeated.values()) == 20


CHOICES: list[tuple[NewReplay, set[int]]] = [
    (NewReplay(event_types=("b",)), {1, 4, 7, 10}),
    (NewReplay(event_types=("a", "b"), user_ids=("user-0",)), {0, 4, 6, 10}),
    (NewReplay(anonymous_ids=("device-2",)), {2, 5, 8, 11}),
    (NewReplay(anonymous_ids=("device-2",), user_ids=("user-1",)), {1, 2, 3, 5, 7, 8, 9, 11}),
    (NewReplay(properties={"even": True}), {0, 2, 4, 6, 8, 10}),
    (NewReplay(properties={"even": True, "deep": {"n": 4}}), {4}),
    (NewReplay(since="2026-03-08"), {0, 1, 2}),
    (NewReplay(since="2026-03-03", until="2026-03-05"), {5, 6, 7}),
    (NewReplay(until="2026-02-28T12:00:00Z"), {11}),
    (NewReplay(until="2026-02-28T12:00:01+00:00"), {10, 11}),
    (NewReplay(since="2026-03-10T11:59:00Z", by_arrival=True, event_types=("c",)), {2, 5, 8, 11}),
    (NewReplay(until="2026-03-09", by_arrival=True), set()),
]


@pytest.mark.parametrize(("new", "expected"), CHOICES, ids=lambda value: str(value)[:60])
async def test_a_choice(
    database: Database,
    project: Project,
    bench: ReplayBench,
    amplitude: AmplitudeStandIn,
    new: NewReplay,
    expected: set[int],
) -> None:
    events = [
        make_event(
            project,
            "abc"[n % 3],
            user_id=f"user-{n % 2}" if n % 3 < 2 else None,
            anonymous_id=f"device-{n % 3}",
            event_data={"n": n, "even": n % 2 == 0, "deep": {"n": n, "m": 1}},
            occurred_at=NOW - timedelta(days=n),
            received_at=NOW,
        )
        for n in range(12)
    ]
    await write_events(database, events)
    if not expected:
        with pytest.raises(Unprocessable, match="nothing to send"):
            await bench.start(new)
        return
    replay = await bench.start(new)
    await bench.run(bench.reader(replay))
    assert {event["event_properties"]["n"] for event in amplitude.stored} == expected
    assert (await bench.view(replay)).replay.estimated == len(expected)


async def test_events_that_come_later_are_not_part_of_it(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 10)
    replay = await bench.start()
    await write_numbered(database, project, 10, first=10)
    await bench.run(bench.reader(replay))
    assert len(amplitude.stored) == 10


async def test_no_faster_than_asked(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn, clock: MovableClock
) -> None:
    await write_numbered(database, project, 200, users=40)
    replay = await bench.start(NewReplay(events_per_second=20))
    reader = bench.reader(replay)
    began, sent = clock(), 0
    while (report := await reader.run_once()).retry_at is not None:
        seconds = (clock() - began).total_seconds()
        sent = len(amplitude.stored)
        assert sent <= 20 * seconds + 20, "a second's events ahead at most"
        # Another process that comes too early sends nothing either.
        if report.retry_at > clock():
            assert (await bench.reader(replay, owner="other").run_once()).delivered == 0
            assert len(amplitude.stored) == sent
            clock.now = report.retry_at
    assert len(amplitude.stored) == 200
    assert (clock() - began).total_seconds() == pytest.approx(9, abs=0.1)


async def test_another_rate_while_it_runs(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 60)
    replay = await bench.start(NewReplay(events_per_second=5))
    reader = bench.reader(replay)
    await reader.run_once()
    assert len(amplitude.stored) == 5
    await bench.change(replay, events_per_second=1000)
    await bench.run(reader)
    assert len(amplitude.stored) == 60


async def test_paused_resumed_cancelled(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn, clock: MovableClock
) -> None:
    await write_numbered(database, project, 40)
    replay = await bench.start(NewReplay(events_per_second=10))
    reader = bench.reader(replay)
    await reader.run_once()
    assert (await bench.change(replay, state="paused")).state == "paused"
    clock.move(minutes=5)
    report = await reader.run_once()
    assert (report.state, report.retry_at) == (DeliveryState.PAUSED, None)
    assert len(amplitude.stored) == 10
    assert (await bench.view(replay)).why(clock()) == "paused by hand"

    assert (await bench.change(replay, state="running")).state == "running"
    await reader.run_once()
    assert len(amplitude.stored) == 20
    assert (await bench.change(replay, state="cancelled")).state == "cancelled"
    clock.move(minutes=5)
    assert (await reader.run_once()).retry_at is None
    view = await bench.view(replay)
    assert (view.done, view.progress, len(amplitude.stored)) == (20, 0.5, 20)
    for state in ("running", "paused", "cancelled"):
        with pytest.raises(Conflict, match="cancelled already"):
            await bench.change(replay, state=state)


async def test_cancelled_while_a_request_is_in_flight(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 10)
    replay = await bench.start()

    amplitude.faults.append(Fault("slow", seconds=0.3))
    task = asyncio.create_task(bench.reader(replay).run_once())
    while not amplitude.requests:
        await asyncio.sleep(0.01)
    await bench.change(replay, state="cancelled")
    assert (await task).state == DeliveryState.HELD_ELSEWHERE
    view = await bench.view(replay)
    assert (view.state, view.done, view.parked) == ("cancelled", 0, 0)


async def test_live_events_go_first(
    database: Database,
    project: Project,
    reader: DestinationReader,
    bench: ReplayBench,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 10)
    replay = await bench.start()
    async with database.acquire() as connection:
        lease = await readers.claim(
            connection, project.id, reader_name("amplitude"), "x", clock(), timedelta(minutes=1)
        )
    assert lease is not None
    report = await bench.reader(replay).run_once()
    assert (report.delivered, report.retry_at) == (0, clock() + timedelta(seconds=0.5))
    assert "go first" in ((await bench.view(replay)).why(clock()) or "")
    async with database.acquire() as connection:
        await readers.release(connection, lease)
    assert (await bench.reader(replay).run_once()).delivered == 10

    # While the live stream waits for the destination to recover, it alone probes.
    await run_until_quiet(reader, clock)
    await write_numbered(database, project, 5)
    replay = await bench.start()
    amplitude.broken = DOWN
    live = await reader.run_once()
    assert live.state == DeliveryState.WAITING
    asked = len(amplitude.requests)
    report = await bench.reader(replay).run_once()
    assert (report.retry_at, len(amplitude.requests)) == (live.retry_at, asked)


async def test_a_throttled_replay_does_not_hold_live_events(
    database: Database,
    project: Project,
    reader: DestinationReader,
    bench: ReplayBench,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 30)
    await run_until_quiet(reader, clock)
    before = await overview(database, project, "amplitude")
    replay = await bench.start()
    replaying = bench.reader(replay)
    amplitude.broken = Fault("status", status=429, body={"code": 429}, headers={"Retry-After": "600"})
    assert (await replaying.run_once()).retry_at == clock() + timedelta(seconds=600)
    assert await overview(database, project, "amplitude") == before

    # The same persons' live events flow at once, while the replay waits.
    amplitude.broken = None
    await write_numbered(database, project, 10, first=30)
    assert (await reader.run_once()).delivered == 10
    assert (await replaying.run_once()).delivered == 0
    await bench.run(replaying)
    view = await bench.view(replay)
    assert (view.state, view.done) == ("done", 30)

    # And so when single persons are throttled: they wait in the replay only.
    replay = await bench.start()
    replaying = bench.reader(replay)
    amplitude.throttled = {"user-1"}
    await replaying.run_once()
    assert (await bench.view(replay)).parked == 8
    amplitude.throttled = set()
    await write_events(database, [make_event(project, user_id="user-1", event_data={"n": 99})])
    assert (await reader.run_once()).delivered == 1
    found = await overview(database, project, "amplitude")
    assert (found.parked, total(found, "delivered")) == (0, 41)
    await bench.run(replaying)
    assert (await bench.view(replay)).done == 40


async def test_bad_credentials_pause_it_until_there_are_others(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 5)
    replay = await bench.start()
    right, amplitude.api_key = amplitude.api_key, "another"
    reports = await bench.run(bench.reader(replay))
    assert reports[-1].state == DeliveryState.PAUSED
    view = await bench.view(replay)
    assert (view.state, "Invalid API key" in (view.pause or ""), view.done) == ("paused", True, 0)
    assert right not in (view.pause or "")
    bench.to = destination("amplitude", {"api_key": "another", "url": amplitude.url})
    await bench.run(bench.reader(replay))
    assert (await bench.view(replay)).done == 5


async def test_dead_events_and_lost_answers(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    events = [make_event(project, user_id="ada", event_data={"n": n, "bad": n == 3}) for n in range(25)]
    await write_events(database, events)
    replay = await bench.start()
    amplitude.faults.extend(
        [Fault("reset", taken=True), Fault("html"), Fault("status", status=500, taken=True)]
    )
    await bench.run(bench.reader(replay))
    view = await bench.view(replay)
    assert (view.state, view.counts["delivered", ""], view.counts["dead", ""]) == ("done", 24, 1)
    assert by_user(amplitude)["ada"] == [n for n in range(25) if n != 3]


async def test_increments_are_not_repeated(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    to_mixpanel_again: ReplayBench,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
) -> None:
    bench = to_mixpanel_again
    given: dict[str, Any] = {"user_properties": {"$add": {"visits": 1}}}
    await write_numbered(database, project, 10, users=1, **given)
    await write_events(database, [make_event(project, "$identify", user_id="user-0", **given)])
    await run_until_quiet(to_mixpanel, clock)
    assert mixpanel.profiles["user-0"]["visits"] == 11
    replay = await bench.start()
    await bench.run(bench.reader(replay))
    view = await bench.view(replay)
    assert view.counts == {("delivered", ""): 10, ("skipped", "repetition"): 1}
    assert mixpanel.profiles["user-0"]["visits"] == 11
    await bench.run(bench.reader(await bench.start(NewReplay(allow_repetitions=True))))
    assert mixpanel.profiles["user-0"]["visits"] == 22
    assert len(mixpanel.stored) == 10


async def test_backfill_of_a_destination_that_began_later(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    mixpanel: MixpanelStandIn,
) -> None:
    given: dict[str, Any] = {"user_properties": {"$add": {"visits": 1}}}
    await write_numbered(database, project, 10, users=2, **given)
    to = destination("mixpanel", {"token": mixpanel.token, "url": mixpanel.url})
    live = await make_reader(database, project, to, client, clock, start=10)
    await write_numbered(database, project, 6, users=2, **given)
    await run_until_quiet(live, clock)
    bench = ReplayBench(database, project, to, client, clock)

    # First for a look one person's, then the rest: what has been sent is not counted twice.
    first = await bench.start(NewReplay(backfill=True, user_ids=("user-1",)))
    assert first.estimated == 5
    await bench.run(bench.reader(first))
    assert (mixpanel.profiles["user-0"]["visits"], mixpanel.profiles["user-1"]["visits"]) == (3, 8)
    rest = await bench.start(NewReplay(backfill=True))
    await bench.run(bench.reader(rest))
    assert (mixpanel.profiles["user-0"]["visits"], mixpanel.profiles["user-1"]["visits"]) == (8, 8)
    assert len(mixpanel.stored) == 16


async def test_what_would_be_counted_twice_is_refused(
    database: Database, project: Project, client: Client, clock: MovableClock
) -> None:
    async with GoogleAnalyticsStandIn() as google:
        options = {
            "measurement_id": google.measurement_id,
            "api_secret": google.api_secret,
            "url": google.url,
            "old_events": "send",
        }
        to = destination("ga4", options)
        await write_numbered(database, project, 4)
        live = await make_reader(database, project, to, client, clock, start=3)
        await run_until_quiet(live, clock)
        bench = ReplayBench(database, project, to, client, clock)
        with pytest.raises(Conflict, match=r"1 event .* no repetition .* allow_repetitions"):
            await bench.start()
        replay = await bench.start(NewReplay(backfill=True))
        await bench.run(bench.reader(replay))
        assert sorted(event["params"]["n"] for event in google.stored) == [0, 1, 2, 3]
        with pytest.raises(Conflict, match="3 events"):
            await bench.start(NewReplay(backfill=True))
        await bench.run(bench.reader(await bench.start(NewReplay(backfill=True, allow_repetitions=True))))
        assert len(google.stored) == 7


async def test_amplitude_recognises_repetitions_for_a_week(
    database: Database, project: Project, bench: ReplayBench, clock: MovableClock
) -> None:
    await write_events(database, [make_event(project)])
    clock.move(days=7, seconds=-1)
    await bench.start()
    clock.move(seconds=1)
    with pytest.raises(Conflict, match=r"1 event .* for 7 days"):
        await bench.start()


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (NewReplay(since="yesterday"), "from: use a date"),
        (NewReplay(until="2026-02-30"), "until: use a date"),
        (NewReplay(until="9999-12-31"), "until: use a date"),
        (NewReplay(since="2026-03-02", until="2026-03-01"), "later than from"),
        (NewReplay(event_types=("nothing",)), "nothing to send"),
    ],
)
async def test_what_cannot_be_replayed(
    database: Database, project: Project, bench: ReplayBench, new: NewReplay, words: str
) -> None:
    await write_numbered(database, project, 1)
    with pytest.raises(Unprocessable, match=words):
        await bench.start(new)


async def test_a_muted_destination_is_sent_nothing(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 1)
    bench.to = destination("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url}, muted=True)
    with pytest.raises(Conflict, match="Sandbox mode"):
        await bench.start()


async def test_nothing_of_a_removed_destination_is_left(
    database: Database, project: Project, bench: ReplayBench, amplitude: AmplitudeStandIn
) -> None:
    await write_numbered(database, project, 10, user_properties={"$set": {"a": 1}})
    replay = await bench.start()
    amplitude.throttled = {"user-1"}
    reader = bench.reader(replay)
    await reader.run_once()
    async with database.acquire() as connection:
        assert await delete_destination(connection, project.id, "amplitude")
    assert (await reader.run_once()).retry_at is None
    with pytest.raises(NotFound):
        await bench.view(replay)
    for table in ("readers", "parked_events", "delivery_counts", "replays"):
        assert await database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_retention_waits_for_it(
    database: Database, project: Project, bench: ReplayBench, reader: DestinationReader, clock: MovableClock
) -> None:
    old = NOW - timedelta(days=500)
    await write_events(database, [make_event(project, occurred_at=old) for _ in range(3)])
    await run_until_quiet(reader, clock)
    replay = await bench.start(NewReplay(allow_repetitions=True))
    async with database.acquire() as connection:
        assert replay_reader(replay.id) in await blocked_by(connection, project, NOW - timedelta(days=300))
    await bench.run(bench.reader(replay))
    async with database.acquire() as connection:
        assert "reader" not in await blocked_by(connection, project, NOW - timedelta(days=300))


async def test_a_reader_without_noted_beginning(
    database: Database, project: Project, bench: ReplayBench
) -> None:
    await write_numbered(database, project, 3)
    async with database.acquire() as connection:
        await connection.execute("UPDATE readers SET start_position = NULL")
        with pytest.raises(Conflict, match="was not noted"):
            await bench.start(NewReplay(backfill=True))
        await ensure_reader(connection, project.id, reader_name("amplitude"), 0, NOW)
    await bench.run(bench.reader(await bench.start()))

"""What a destination that fails, refuses or answers nonsense does to the events on their way to it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.project import Project
from analytics_api.outbound import http
from analytics_api.store.dead_letters import DeadChoice, dead_letters
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
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn
from tests.support.providers.server import Received, Reply


async def test_a_destination_that_is_down_keeps_its_position_and_is_probed(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    await write_numbered(database, project, 60)
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
    await write_numbered(database, project, 5)
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
    written = await write_numbered(database, project, 10, users=1)
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
    written = await write_numbered(database, project, 100, users=1)
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
        letters = await dead_letters(connection, project.id, DeadChoice("amplitude"), limit=10)
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


async def test_what_one_half_must_send_again_comes_before_the_other_half(
    database: Database,
    project: Project,
    reader: DestinationReader,
    amplitude: AmplitudeStandIn,
    clock: MovableClock,
) -> None:
    """Of the first half one event is refused, and the others of that request are not taken because of it."""
    events = [
        make_event(project, user_id="ada", event_data={"n": n, "bad": n == 1, "text": "x" * 500})
        for n in range(8)
    ]
    await write_events(database, events)
    amplitude.largest = 3_500
    await run_until_quiet(reader, clock)
    assert any(len(request.body) > amplitude.largest for request in amplitude.requests)
    assert by_user(amplitude) == {"ada": [0, 2, 3, 4, 5, 6, 7]}


async def test_refused_without_a_reason_the_culprit_is_found_by_halving(
    database: Database,
    project: Project,
    to_mixpanel: DestinationReader,
    mixpanel: MixpanelStandIn,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = mixpanel.handle

    def refuse_wholly(request: Received) -> Reply:
        if b'"culprit":true' in request.body:
            return Reply(400, {"code": 400, "error": "no idea", "status": "Bad Request"})
        return taken(request)

    monkeypatch.setattr(mixpanel, "handle", refuse_wholly)
    events = [make_event(project, user_id="ada", event_data={"n": n, "culprit": n == 6}) for n in range(10)]
    await write_events(database, events)
    reports = await run_until_quiet(to_mixpanel, clock)
    assert (reports[0].delivered, reports[0].dead) == (9, 1)
    assert [record["properties"]["n"] for record in mixpanel.stored] == [0, 1, 2, 3, 4, 5, 7, 8, 9]


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

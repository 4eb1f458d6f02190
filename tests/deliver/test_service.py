"""All destinations of a process: where they start, that none disturbs another, that retries come by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from analytics_api.deliver.report import DeliveryState
from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client
from analytics_api.schedule import JOBS
from analytics_api.store.engine import Database
from analytics_api.store.projects import create_project
from tests.support.delivering import overview, total
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn

Make = Callable[..., Destinations]


@pytest.fixture
async def make(
    database: Database, client: Client, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> AsyncIterator[Make]:
    """Destinations towards both stand-ins, closed at the end."""
    async with AsyncExitStack() as stack:

        def build(*, sandbox_mode: bool = False, owner: str = "test") -> Destinations:
            configs = [
                DestinationConfig("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url}),
                DestinationConfig("mixpanel", {"token": mixpanel.token, "url": mixpanel.url}),
            ]
            made = Destinations(
                database, configs, client, owner=owner, sandbox_mode=sandbox_mode, batch_size=50
            )
            stack.push_async_callback(made.close)
            return made

        yield build


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_new_destination_starts_now(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> None:
    await write_events(database, [make_event(project) for _ in range(10)])
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project) for _ in range(3)])
    reports = await destinations.flush()
    assert [(report.destination, report.delivered) for report in reports] == [
        ("amplitude", 3),
        ("mixpanel", 3),
    ]
    assert (len(amplitude.stored), len(mixpanel.stored)) == (3, 3)


async def test_a_restart_goes_on_where_it_was(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    first = make()
    await first.ensure()
    await write_events(database, [make_event(project) for _ in range(3)])
    await first.close()
    second = make(owner="second")
    await second.ensure()
    await second.flush()
    assert len(amplitude.stored) == 3


async def test_sandbox_mode_shows_every_project_from_its_beginning(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> None:
    async with database.write() as session:
        other = await create_project(session, "other", now=datetime.now(UTC))
    await write_events(database, [make_event(project), make_event(project), make_event(other)])
    destinations = make(sandbox_mode=True)
    await destinations.ensure()
    await write_events(database, [make_event(project)])
    reports = {(report.project, report.destination): report for report in await destinations.flush()}
    assert reports["default", "sandbox"].delivered == 3
    assert reports["other", "sandbox"].delivered == 1
    assert reports["default", "amplitude"].skipped == 1
    assert ("other", "amplitude") not in reports
    assert not amplitude.requests
    assert not mixpanel.requests


async def test_sandbox_mode_switched_off_floods_nobody_and_leaves_no_reader_behind(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    sandboxed = make(sandbox_mode=True)
    await sandboxed.ensure()
    await write_events(database, [make_event(project) for _ in range(20)])
    await sandboxed.flush()
    await sandboxed.close()
    real = make(owner="second")
    await real.ensure()
    assert [report.destination for report in await real.flush()] == ["amplitude", "mixpanel"]
    assert not amplitude.requests
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM readers WHERE name LIKE '%sandbox%'") == 0


async def test_one_project_alone(database: Database, project: Project, make: Make) -> None:
    destinations = make(sandbox_mode=True)
    async with database.write() as session:
        await create_project(session, "other", now=datetime.now(UTC))
    assert {report.project for report in await destinations.flush("other")} == {"other"}


async def test_a_hanging_destination_holds_no_other_up(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project, user_id=f"u{n}") for n in range(500)])
    amplitude.broken = Fault("hang")
    flush = asyncio.create_task(destinations.flush())
    await until(lambda: len(mixpanel.stored) == 500 and amplitude.in_flight > 0)
    assert not flush.done()
    assert not amplitude.stored
    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)


async def test_a_flush_without_patience_says_who_is_busy_and_leaves_them_to_it(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project, user_id=f"u{n}") for n in range(100)])
    reports = await destinations.flush(patience=0)
    assert {report.destination: report.state for report in reports} == {
        "amplitude": DeliveryState.BUSY,
        "mixpanel": DeliveryState.BUSY,
    }
    await until(lambda: len(amplitude.stored) == len(mixpanel.stored) == 100)
    assert all(report.state == DeliveryState.RUNNING for report in await destinations.flush())


async def test_while_one_hangs_the_others_get_every_flush_in_as_many_requests_as_without_it(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn, mixpanel: MixpanelStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    (flush,) = (job for job in JOBS if job.name == "flush")
    services: Any = SimpleNamespace(destinations=destinations)

    async def requests_of_three_flushes() -> int:
        before = len(mixpanel.requests)
        for _ in range(3):
            expected = len(mixpanel.stored) + 200
            await write_events(database, [make_event(project, user_id=f"u{n}") for n in range(200)])
            while len(mixpanel.stored) < expected:
                await flush.run(services)
                await asyncio.sleep(0.01)
        return len(mixpanel.requests) - before

    healthy = await requests_of_three_flushes()
    amplitude.broken = Fault("hang")
    assert await requests_of_three_flushes() == healthy
    assert amplitude.in_flight > 0
    # Closing waits for requests under way.
    amplitude.broken = None
    amplitude.hang_up()


async def test_a_failed_destination_is_tried_again_without_another_flush(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project) for _ in range(5)])
    amplitude.faults.append(Fault("status", status=503, headers={"Retry-After": "1"}))
    reports = await destinations.flush()
    assert reports[0].state == DeliveryState.WAITING
    assert reports[0].retry_at is not None
    await until(lambda: len(amplitude.stored) == 5)
    await destinations.close()
    assert total(await overview(database, project, "amplitude"), "delivered") == 5


async def test_after_close_nothing_is_sent(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project) for _ in range(5)])
    amplitude.faults.append(Fault("status", status=503, headers={"Retry-After": "1"}))
    await destinations.flush()
    await destinations.close()
    asked = len(amplitude.requests)
    await destinations.flush()
    assert len(amplitude.requests) == asked


async def test_two_flushes_at_once_in_one_process_send_nothing_twice(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project, user_id=f"u{n % 9}") for n in range(300)])
    both = await asyncio.gather(destinations.flush(), destinations.flush())
    assert sum(report.delivered for reports in both for report in reports) == 600
    assert len(amplitude.stored) == 300
    assert not amplitude.repeated


async def test_two_processes_at_once_one_of_them_says_that_the_other_delivers(
    database: Database, project: Project, make: Make, amplitude: AmplitudeStandIn
) -> None:
    one, two = make(owner="one"), make(owner="two")
    await one.ensure()
    await write_events(database, [make_event(project, user_id=f"u{n % 9}") for n in range(300)])
    amplitude.broken = Fault("slow", seconds=0.3)
    first = asyncio.create_task(one.flush())
    await until(lambda: amplitude.in_flight > 0)
    reports = {report.destination: report for report in await two.flush()}
    assert reports["amplitude"].state == DeliveryState.HELD_ELSEWHERE
    assert [report.delivered for report in await first] == [300, 300]
    assert not amplitude.repeated


async def test_a_database_that_fails_is_reported_and_not_raised(
    database: Database, project: Project, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    destinations = make()
    await destinations.ensure()
    await write_events(database, [make_event(project)])
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE parked_events RENAME TO hidden_events")
    reports = await destinations.flush()
    assert [report.state for report in reports] == [DeliveryState.ERROR, DeliveryState.ERROR]
    assert "parked_events" in (reports[0].reason or "")
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE hidden_events RENAME TO parked_events")
    assert [report.delivered for report in await destinations.flush()] == [1, 1]


async def test_a_provider_that_is_not_known(database: Database, client: Client) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"'ampltude' is not known: use one of amplitude, ga4, mixpanel, posthog, sandbox",
    ):
        Destinations(database, [DestinationConfig("ampltude")], client, owner="test")


def test_secrets_do_not_show() -> None:
    assert "hush" not in repr(DestinationConfig("amplitude", {"api_key": "hush"}))

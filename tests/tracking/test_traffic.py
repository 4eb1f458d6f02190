"""Requests become events or counts per minute, and no count is lost or doubled on its way to the database."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api import telemetry
from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.traffic import MinuteCount, MinuteKey, add_requests, purge_requests
from analytics_api.tracking import TrafficCounter, sort_requests
from tests.support.events import make_project, open_database
from tests.support.serving import until

MINUTE = datetime(2026, 3, 10, 12, 7, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


def request_of(project: Project | None, **changes: Any) -> ApiRequest:
    """A request to the intake."""
    plain = ApiRequest(
        at=MINUTE + timedelta(seconds=31),
        method="POST",
        route="/api/v1/analytics/events",
        status=202,
        seconds=0.25,
        caller="write:1" if project else None,
        project=project,
        streamed=False,
    )
    return plain._replace(**changes)


async def stored(database: Database) -> list[tuple[object, ...]]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            """SELECT project_id, minute, method, route, status, caller, requests, seconds, slowest
               FROM request_minutes ORDER BY 1, 2, 3, 4, 5, 6"""
        )
    return [tuple(row) for row in rows]


async def test_requests_are_added_up_per_minute_route_status_and_caller(
    database: Database, project: Project
) -> None:
    counter = TrafficCounter()
    counter.start(database, seconds=3600)
    counter.add(request_of(project))
    counter.add(request_of(project, seconds=0.5, at=MINUTE))
    counter.add(request_of(project, status=503))
    assert await counter.run_once() == 2
    assert await counter.run_once() == 0
    counter.add(request_of(project, seconds=0.125))
    counter.add(request_of(None, status=401))
    counter.add(request_of(project, at=MINUTE + timedelta(minutes=1)))
    await counter.stop()
    route = "/api/v1/analytics/events"
    later = MINUTE + timedelta(minutes=1)
    assert await stored(database) == [
        (0, MINUTE, "POST", route, 401, "(unknown)", 1, Decimal("0.25"), Decimal("0.25")),
        (project.id, MINUTE, "POST", route, 202, "write:1", 3, Decimal("0.875"), Decimal("0.5")),
        (project.id, MINUTE, "POST", route, 503, "write:1", 1, Decimal("0.25"), Decimal("0.25")),
        (project.id, later, "POST", route, 202, "write:1", 1, Decimal("0.25"), Decimal("0.25")),
    ]


async def test_processes_add_to_the_same_minute_at_once(database: Database) -> None:
    counts = {
        MinuteKey(1, MINUTE, "GET", f"/{number}", 200, "local"): MinuteCount(1, 0.5, 0.5)
        for number in range(50)
    }

    async def add(backwards: bool) -> None:
        items = list(counts.items())[:: -1 if backwards else 1]
        for _ in range(20):
            async with database.acquire() as connection:
                await add_requests(connection, dict(items))

    await asyncio.gather(*(add(backwards) for backwards in (False, True, False, True)))
    assert {row[6:8] for row in await stored(database)} == {(80, Decimal(40))}


async def test_the_loop_writes_and_survives_a_refusal(
    database: Database, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    counter = TrafficCounter()
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE request_minutes RENAME TO hidden")
        counter.add(request_of(project))
        with caplog.at_level(logging.WARNING, "analytics_api.tracking.traffic"):
            counter.start(database, seconds=0.01)
            await until(lambda: "could not be stored" in caplog.text)
        counter.add(request_of(project))
        await connection.execute("ALTER TABLE hidden RENAME TO request_minutes")
    await counter.stop()
    assert [row[6] for row in await stored(database)] == [2]


async def test_a_refusal_keeps_the_counts_and_is_raised(database: Database, project: Project) -> None:
    counter = TrafficCounter()
    counter.start(database, seconds=3600)
    counter.add(request_of(project))
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE request_minutes RENAME TO hidden")
        with pytest.raises(asyncpg.UndefinedTableError):
            await counter.run_once()
        await connection.execute("ALTER TABLE hidden RENAME TO request_minutes")
    await counter.stop()
    assert [row[6] for row in await stored(database)] == [1]


async def test_memory_is_bounded_and_what_is_dropped_is_counted(database: Database, project: Project) -> None:
    def dropped() -> float:
        return telemetry.registry.get_sample_value("analytics_untracked_requests_total") or 0.0

    before = dropped()
    counter = TrafficCounter(most_keys=2)
    for status in (200, 201, 202, 203, 200):
        counter.add(request_of(project, status=status))
    counter.start(database, seconds=3600)
    await counter.stop()
    assert [(row[4], row[6]) for row in await stored(database)] == [(200, 2), (201, 1)]
    assert dropped() - before == 2


async def test_old_minutes_are_purged(database: Database, project: Project) -> None:
    counter = TrafficCounter()
    counter.start(database, seconds=3600)
    counter.add(request_of(project))
    counter.add(request_of(project, at=MINUTE - timedelta(minutes=1)))
    await counter.stop()
    async with database.acquire() as connection:
        assert await purge_requests(connection, MINUTE) == 1
    assert [row[1] for row in await stored(database)] == [MINUTE]


KEYS = st.tuples(st.sampled_from(["GET", "POST"]), st.sampled_from([200, 404]), st.sampled_from(["a", "b"]))


@given(st.lists(st.tuples(KEYS, st.floats(0, 100))))
def test_counting_in_any_order_gives_sum_and_maximum(
    requests: list[tuple[tuple[str, int, str], float]],
) -> None:
    expected: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    counts: dict[tuple[str, int, str], MinuteCount] = defaultdict(MinuteCount)
    for key, seconds in requests:
        expected[key].append(seconds)
        counts[key].add(MinuteCount(1, seconds, seconds))
    assert {key: count.requests for key, count in counts.items()} == {
        key: len(seconds) for key, seconds in expected.items()
    }
    for key, seconds_of in expected.items():
        assert counts[key].slowest == max(seconds_of)
        assert counts[key].seconds == pytest.approx(sum(seconds_of))


class TestSorting:
    """Which requests become events and which are counted."""

    INTAKE = ("POST /api/v1/analytics/events",)

    def sort(self, request: ApiRequest, *, tracking: bool = True) -> str:
        tracked: list[ApiRequest] = []
        counted: list[ApiRequest] = []
        track = tracked.append if tracking else None
        sort_requests(track=track, count=counted.append, intake=self.INTAKE)(request)
        assert len(tracked) + len(counted) == 1
        return "event" if tracked else "count"

    async def test_product_calls_become_events(self, project: Project) -> None:
        assert self.sort(request_of(project, method="GET")) == "event"
        assert self.sort(request_of(project, route="/api/v1/analytics/config")) == "event"

    async def test_intake_streams_and_strangers_are_counted(self, project: Project) -> None:
        assert self.sort(request_of(project)) == "count"
        assert (
            self.sort(request_of(project, route="/api/v1/analytics/events/stream", streamed=True)) == "count"
        )
        assert self.sort(request_of(None, route="(unmatched)", status=404)) == "count"

    async def test_everything_is_counted_when_events_are_not_wanted(self, project: Project) -> None:
        assert self.sort(request_of(project, route="/api/v1/analytics/config"), tracking=False) == "count"

    def test_each_request_is_in_the_durations_of_its_route(self) -> None:
        def requests() -> float:
            labels = {"method": "GET", "route": "/only-here", "status": "200"}
            return telemetry.registry.get_sample_value("analytics_http_request_seconds_count", labels) or 0.0

        before = requests()
        self.sort(request_of(None, method="GET", route="/only-here", status=200))
        assert requests() - before == 1

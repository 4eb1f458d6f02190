"""The rollups against a recount in plain Python, over random histories, chunk sizes and zones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.reader import READER, RollupReader
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost
from analytics_api.store import readers
from tests.support.databases import in_thread
from tests.support.events import NOW, make_event, make_project, open_database, write_events
from tests.support.rollups import compare

TYPES = ["page_view", "signup_completed", "payment_completed", "payment_refunded", "api_request", "custom"]
ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]
START = datetime(2026, 3, 28, tzinfo=UTC)  # the clocks change in Berlin on the 29th

happening = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(TYPES),
        "person": st.sampled_from(["a", "b", "c", None]),
        # Fine steps over a few hours make long sessions, wide ones make pauses.
        "minutes": st.integers(0, 4 * 24 * 60) | st.integers(0, 200).map(lambda step: step * 15),
        "is_bot": st.sampled_from([False, False, False, True]),
        "payment": st.sampled_from(["p1", "p2", "p3", None]),
        "amount": st.sampled_from(["0", "9.99", "100"]),
        "trusted": st.sampled_from([True, True, False]),
    }
)


def build(project: Project, happenings: Sequence[dict[str, Any]]) -> list[NewEvent]:
    events = []
    for index, item in enumerate(happenings):
        data: dict[str, Any] = {}
        revenue = None
        if item["event_type"].startswith("payment") and item["payment"]:
            data = {
                "payment_id": item["payment"],
                "refund_id": item["payment"],
                "amount": float(item["amount"]),
            }
        if item["event_type"] == "payment_completed" and item["trusted"]:
            revenue = item["amount"]
        events.append(
            make_event(
                project,
                item["event_type"],
                user_id=item["person"],
                event_id=f"{project.slug}-{index}",
                occurred_at=START + timedelta(minutes=item["minutes"]),
                event_data=data,
                revenue=revenue,
                is_bot=item["is_bot"],
                trusted=item["trusted"],
            )
        )
    return events


async def play(
    url: str, happenings: Sequence[dict[str, Any]], zone: str, cuts: Sequence[int], chunk: int
) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, happenings)
        reader = RollupReader(database, "reader", chunk=chunk)
        edges = sorted({0, *(cut % (len(events) + 1) for cut in cuts), len(events)})
        for start, end in pairwise(edges):
            await write_events(database, events[start:end])
            await reader.run_once()
        await compare(database, project, events)
        await reader.disconnect()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    happenings=st.lists(happening, min_size=1, max_size=40),
    zone=st.sampled_from(ZONES),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    chunk=st.sampled_from([1, 3, 1000]),
)
def test_rollups_equal_a_recount_whatever_the_order_and_the_chunks(
    database_url: str, happenings: list[dict[str, Any]], zone: str, cuts: list[int], chunk: int
) -> None:
    in_thread(play(database_url, happenings, zone, cuts, chunk))


async def test_two_readers_racing_count_every_event_once(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        events = [
            make_event(project, f"kind-{number % 5}", user_id=f"u{number % 50}", event_id=f"race-{number}")
            for number in range(3000)
        ]
        racing = [RollupReader(database, f"reader-{number}", chunk=50) for number in range(3)]

        async def run(reader: RollupReader) -> int:
            total = 0
            for _ in range(12):
                total += sum(report.events for report in await reader.run_once())
                await asyncio.sleep(0)
            return total

        async def write() -> None:
            for start in range(0, 3000, 250):
                await write_events(database, events[start : start + 250])

        counts = await asyncio.gather(write(), *(run(reader) for reader in racing))
        last = sum(report.events for report in await racing[0].run_once())
        assert sum(count or 0 for count in counts) + last == 3000
        await compare(database, project, events)
        for reader in racing:
            await reader.disconnect()


async def test_a_reader_whose_lease_was_taken_writes_nothing(database_url: str) -> None:
    """Stopped for longer than its lease, it wakes up after another one has gone on."""
    async with open_database(database_url) as database:
        project = await make_project(database)
        await write_events(database, [make_event(project) for _ in range(10)])
        async with database.acquire() as connection:
            await readers.ensure_reader(connection, project.id, READER, 0, NOW)
            stopped = await readers.claim(
                connection, project.id, READER, "stopped", NOW, timedelta(seconds=1)
            )
            assert stopped is not None
        other = RollupReader(database, "other")
        await other.run_once()
        async with database.acquire() as connection:
            with pytest.raises(LeaseLost):
                async with connection.transaction():
                    await connection.execute("UPDATE event_days SET events = events + 10")
                    await readers.advance(connection, stopped, 10, NOW)
        assert await database.pool.fetchval("SELECT sum(events) FROM event_days") == 10
        await other.disconnect()


async def test_an_interrupted_run_leaves_effects_and_position_together(database_url: str) -> None:
    """The connection dies in the middle of a drain; the next run goes on exactly where the commit stopped."""
    async with open_database(database_url) as database:
        project = await make_project(database)
        events = [
            make_event(project, event_id=f"cut-{number}", user_id=f"u{number % 9}") for number in range(400)
        ]
        await write_events(database, events)
        reader = RollupReader(database, "reader", chunk=7)
        for _ in range(6):
            run = asyncio.create_task(reader.run_once())
            await asyncio.sleep(0.03)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        await reader.run_once()
        await compare(database, project, events)
        await reader.disconnect()


async def test_user_properties_follow_the_newest_time(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)

        def at(hours: int, operations: dict[str, Any]) -> NewEvent:
            return make_event(project, occurred_at=NOW + timedelta(hours=hours), user_properties=operations)

        reader = RollupReader(database, "reader", chunk=2)
        for event in [
            at(0, {"$set": {"plan": "pro", "seats": 3}, "$set_once": {"source": "ad"}}),
            at(-5, {"$set": {"plan": "free", "city": "Oslo"}, "$set_once": {"source": "mail"}}),  # history
            at(1, {"$add": {"seats": 2, "logins": 1}, "$append": {"tags": "a"}}),
            at(2, {"$append": {"tags": "b"}, "$unset": {"city": True}}),
            at(-1, {"$set": {"city": "Rome"}}),  # older than the $unset
        ]:
            await write_events(database, [event])
            await reader.run_once()
        properties = await database.pool.fetchval("SELECT properties FROM persons")
        await reader.disconnect()
    assert json.loads(properties) == {
        "plan": "pro",
        "seats": 5,
        "source": "mail",
        "logins": 1,
        "tags": ["a", "b"],
    }

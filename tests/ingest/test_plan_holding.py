"""Intake's way into the quarantine: one bad row fails alone, a database that is away loses nothing, queues are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.plan import Finding, HeldEvent, WarningKind
from analytics_api.domain.project import Project
from analytics_api.errors import Unavailable
from analytics_api.ingest.plan import holding
from analytics_api.ingest.plan.holding import Holder
from analytics_api.ingest.plan.release import release_events
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from analytics_api.store.quarantine import Selection, hold
from tests.support.events import NOW, make_event, make_project, open_database

WHY = Finding(WarningKind.SCHEMA, "event_data.a", "event_data.a is required")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture
async def holder(database: Database) -> AsyncIterator[Holder]:
    holder = Holder(database, queue_bytes=1_000_000)
    holder.start()
    yield holder
    await holder.close()


async def held(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT event_type FROM quarantined_events ORDER BY event_type")
    return [row[0] for row in rows]


async def test_requests_share_statements_and_get_their_own_answers(
    database: Database, project: Project, holder: Holder
) -> None:
    events = [
        HeldEvent(make_event(project, f"type-{n // 2}", event_id=f"id-{n // 2}"), WHY) for n in range(200)
    ]
    answers = await asyncio.gather(*(holder.hold([event]) for event in events))
    assert sorted(answer[0] for answer in answers) == [False] * 100 + [True] * 100
    assert len(await held(database)) == 100


async def test_one_bad_row_fails_alone(database: Database, project: Project, holder: Holder) -> None:
    good = [HeldEvent(make_event(project, f"good-{number}"), WHY) for number in range(6)]
    bad = HeldEvent(replace(make_event(project, "bad"), event_data="no json"), WHY)
    outcomes = await holder.hold([*good[:4], bad, *good[4:]])
    assert [outcome is True for outcome in outcomes] == [True] * 4 + [False] + [True] * 2
    assert "refused" in str(outcomes[4])
    assert await held(database) == [f"good-{number}" for number in range(6)]


async def test_a_database_that_is_away_is_waited_for_and_then_told(
    database: Database, project: Project, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    async def away(connection: asyncpg.Connection, events: list[HeldEvent]) -> list[bool]:
        nonlocal tried
        tried += 1
        if tried < 3:
            raise asyncpg.ConnectionDoesNotExistError("gone")
        return await hold(connection, events)

    monkeypatch.setattr(holding, "hold", away)
    event = HeldEvent(make_event(project, "late"), WHY)
    assert await holder.hold([event]) == [True]
    monkeypatch.setattr(holding, "RETRY_SECONDS", 0.0)
    tried = 0
    with pytest.raises(Unavailable):
        await holder.hold([HeldEvent(make_event(project, "never"), WHY)])
    assert await held(database) == ["late"]


async def test_a_full_queue_is_told_and_a_closed_one_takes_nothing(
    database: Database, project: Project
) -> None:
    holder = Holder(database, queue_bytes=1)
    holder.start()
    first = asyncio.create_task(holder.hold([HeldEvent(make_event(project, "first"), WHY)]))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="full"):
        await holder.hold([HeldEvent(make_event(project, "second"), WHY)])
    await holder.close()
    assert await first == [True]
    with pytest.raises(Unavailable, match="stopping"):
        await holder.hold([HeldEvent(make_event(project, "third"), WHY)])


async def test_a_release_that_breaks_changes_nothing(
    database: Database, project: Project, holder: Holder
) -> None:
    await holder.hold([HeldEvent(make_event(project, "purchase"), WHY)])
    async with database.acquire() as connection:
        await connection.execute(
            "ALTER TABLE events ADD CONSTRAINT none CHECK (event_type <> 'purchase') NOT VALID"
        )
        chosen = Selection(project.id)
        with pytest.raises(Unavailable):
            await release_events(database, Partitions(), chosen, None, after=None, now=NOW)
        assert await held(database) == ["purchase"]
        await connection.execute("ALTER TABLE events DROP CONSTRAINT none")
    report = await release_events(database, Partitions(), chosen, None, after=None, now=NOW)
    assert (report.released, report.next) == (1, None)
    assert await held(database) == []
    assert await database.pool.fetchval("SELECT received_at FROM events") == NOW


async def test_events_are_counted_when_they_are_released_and_not_before(
    database: Database, project: Project, holder: Holder
) -> None:
    await holder.hold(
        [HeldEvent(make_event(project, f"type-{n}", event_id=f"id-{n}"), WHY) for n in range(3)]
    )
    reader = RollupReader(database, "test")

    async def counted() -> int | None:
        await reader.run_once()
        total: int | None = await database.pool.fetchval("SELECT sum(events)::int FROM event_days")
        return total

    try:
        assert await counted() is None
        chosen = Selection(project.id, event_type="type-1")
        await release_events(database, Partitions(), chosen, None, after=None, now=NOW)
        assert await counted() == 1
        again = await release_events(database, Partitions(), chosen, None, after=None, now=NOW)
        assert (again.released, await counted()) == (0, 1)
    finally:
        await reader.disconnect()


async def test_retention_ends_quarantine(database: Database, project: Project, holder: Holder) -> None:
    for name, days in (("old", 31), ("young", 29)):
        received_at = NOW - timedelta(days=days)
        event = make_event(project, name, received_at=received_at)
        await holder.hold([HeldEvent(event, WHY)])
    report = await apply_retention(database, NOW, retention_days=30, dedupe_days=30)
    assert report.quarantined == 1
    assert await held(database) == ["young"]

"""Retention: what is old goes, what somebody still needs stays, figures remain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.project import Project
from analytics_api.privacy.retention import RetentionReport, apply_retention
from analytics_api.store.delivery_standing import standings
from analytics_api.store.engine import Database
from analytics_api.store.jobs import claim_job, finish_job
from tests.support.events import make_event, make_project, open_database, write_events

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OLD = datetime(2024, 5, 15, 12, tzinfo=UTC)
OLD_PARTITION = "events_20240501_20240601"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


async def count_and_close(database: Database) -> None:
    reader = RollupReader(database, "reader")
    await reader.run_once()
    await reader.disconnect()
    await close_due_days(database, NOW, late_days=7)


async def retain(database: Database) -> RetentionReport:
    return await apply_retention(database, NOW, retention_days=365, dedupe_days=30)


async def test_old_events_go_and_their_figures_stay(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, user_id=f"u{n}", occurred_at=OLD) for n in range(5)])
    await write_events(database, [make_event(project, occurred_at=NOW) for _ in range(3)])
    await count_and_close(database)
    dau = "SELECT value FROM aggregated_metrics WHERE metric_type = 'dau' AND metric_date = '2024-05-15'"
    assert await database.pool.fetchval(dau) == 5
    assert (await retain(database)).dropped == [OLD_PARTITION]
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 3
    assert await database.pool.fetchval(dau) == 5
    states = await database.pool.fetch("SELECT DISTINCT state FROM project_days WHERE day = '2024-05-15'")
    assert [row["state"] for row in states] == ["sealed"]
    assert (await retain(database)).dropped == []


async def test_nothing_goes_that_was_not_counted(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    await write_events(database, [make_event(project, occurred_at=OLD, received_at=OLD)])
    report = await retain(database)
    assert report.dropped == []
    assert "reader rollups of project 1 is at 1 and the partition goes to 2" in report.blocked[OLD_PARTITION]


async def test_nothing_goes_whose_days_are_not_final(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    reader = RollupReader(database, "reader")
    await reader.run_once()
    await reader.disconnect()
    report = await retain(database)
    assert report.blocked == {OLD_PARTITION: "project 1 has no final figures for 2024-05-15"}


async def test_nothing_goes_that_a_destination_has_not_had(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    await database.pool.execute(
        "INSERT INTO readers (project_id, name, position, updated_at) VALUES (1, 'destination:amplitude', 0, $1)",
        NOW,
    )
    assert "reader destination:amplitude" in (await retain(database)).blocked[OLD_PARTITION]


async def test_history_that_arrived_lately_is_kept_for_as_long_as_anything_else(
    database: Database, project: Project
) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD, received_at=NOW - timedelta(days=1))])
    await count_and_close(database)
    assert await retain(database) == RetentionReport()


async def test_events_that_come_in_while_a_partition_is_being_dropped_are_seen(
    database: Database, project: Project
) -> None:
    """A writer holds the partition; retention waits for it and then finds that it is needed after all."""
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    writer = await database.connect()
    transaction = writer.transaction()
    await transaction.start()
    # As an INSERT takes them.
    await writer.execute(f"LOCK TABLE ONLY events, {OLD_PARTITION} IN ROW EXCLUSIVE MODE")
    retaining = asyncio.create_task(retain(database))
    await somebody_waits(database)
    await writer.execute(
        "INSERT INTO event_groups (project_id, lower, after_seq, last_seq, events, received_at) "
        "VALUES (1, '2024-05-01T00:00:00Z', 1, 2, 1, $1)",
        NOW,
    )
    await transaction.commit()
    await writer.close()
    report = await retaining
    assert report.dropped == []
    assert report.blocked == {OLD_PARTITION: "new events have arrived for it"}


async def test_a_query_that_begins_while_a_partition_is_being_dropped_is_answered(
    database: Database, project: Project
) -> None:
    """Dropping waits for what has a lock on the log without having one itself; neither is ended as part of a deadlock."""
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    reading = await database.connect()
    async with reading.transaction():
        # A query locks the log first and then its partitions, one after another.
        await reading.execute("LOCK TABLE ONLY events IN ACCESS SHARE MODE")
        retaining = asyncio.create_task(retain(database))
        await somebody_waits(database)
        assert await reading.fetchval("SELECT count(*) FROM events") == 1
        await standings(reading, project.id)
    await reading.close()
    assert (await retaining).dropped == [OLD_PARTITION]


async def test_partitions_can_be_made_while_others_are_dropped(database: Database, project: Project) -> None:
    """Both begin with the list of partitions, so that neither has what the other waits for."""
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    making = await database.connect()
    async with making.transaction():
        await making.execute("LOCK TABLE partitions IN SHARE ROW EXCLUSIVE MODE")
        dropping = asyncio.create_task(retain(database))
        await somebody_waits(database)
        await making.execute("CREATE TABLE piece (LIKE events)")
        await making.execute("LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE")
    await making.close()
    assert (await dropping).dropped == [OLD_PARTITION]


async def somebody_waits(database: Database) -> None:
    """Until a lock on a table is waited for."""
    while not await database.pool.fetchval(
        """
        SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        """
    ):
        await asyncio.sleep(0.01)


async def test_a_query_that_reads_for_long_is_not_disturbed(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    reading = await database.connect()
    async with reading.transaction():
        await reading.fetch("SELECT * FROM events")
        assert (await retain(database)).blocked == {OLD_PARTITION: "it is in use; the next run tries again"}
    await reading.close()
    assert (await retain(database)).dropped == [OLD_PARTITION]


async def test_old_keys_are_forgotten(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, event_id="old", received_at=NOW - timedelta(days=31))])
    await write_events(database, [make_event(project, event_id="new", received_at=NOW - timedelta(days=29))])
    assert (await retain(database)).keys == 1
    assert await write_events(database, [make_event(project, event_id="new")]) == [False]
    assert await write_events(database, [make_event(project, event_id="old")]) == [True]


async def test_a_job_is_run_by_one_process_and_taken_over_from_a_dead_one(database: Database) -> None:
    lasts, gap, minute = timedelta(minutes=30), timedelta(minutes=5), timedelta(minutes=1)

    async def claim(owner: str, now: datetime) -> bool:
        async with database.acquire() as connection:
            return await claim_job(connection, "retention", owner, now, lasts=lasts, gap=gap)

    assert sorted(await asyncio.gather(*(claim(f"p{n}", NOW) for n in range(5)))) == [False] * 4 + [True]
    assert not await claim("late", NOW + 10 * minute), "it is still running"
    async with database.acquire() as connection:
        owner = await connection.fetchval("SELECT lease_owner FROM jobs")
        await finish_job(connection, "retention", owner, NOW + 2 * minute, None)
    assert not await claim("again", NOW + 3 * minute), "it has just run"
    assert await claim("next", NOW + 6 * minute)
    assert not await claim("heir", NOW + 35 * minute)
    gap = timedelta(hours=12)
    assert await claim("heir", NOW + 37 * minute), "its process has died, so it has not been done"

"""Retention: what is old goes, what somebody still needs stays, figures remain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.project import Project
from analytics_api.domain.retention import Periods
from analytics_api.privacy.retention import RetentionReport, apply_retention
from analytics_api.store.delivery_standing import standings
from analytics_api.store.engine import Database
from analytics_api.store.jobs import claim_job, finish_job
from analytics_api.store.log import fold_groups, safe_position
from analytics_api.store.retention_periods import save_periods
from analytics_api.store.retention_states import RetentionState, find_state
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


async def retain(database: Database, drop_attempts: int = 20) -> RetentionReport:
    return await apply_retention(
        database,
        NOW,
        retention_days=365,
        dedupe_days=30,
        rest=0,
        events_per_step=3,
        drop_attempts=drop_attempts,
    )


async def fold(database: Database) -> None:
    async with database.acquire() as connection:
        await fold_groups(connection, await safe_position(connection))


async def decide(database: Database, project: Project, days: int | None = None, **event_types: int) -> None:
    async with database.acquire() as connection:
        await save_periods(connection, project.id, Periods(days, event_types), NOW)


async def last_run(database: Database, project: Project) -> RetentionState:
    async with database.acquire() as connection:
        found = await find_state(connection, project.id)
    assert found is not None
    return found


async def types_left(database: Database) -> dict[str, int]:
    rows = await database.pool.fetch("SELECT event_type, count(*) AS events FROM events GROUP BY 1")
    return {row["event_type"]: row["events"] for row in rows}


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
    assert (
        "reader rollups of project 1 is at 1 and the partition goes to 2"
        in report.blocked["default"][OLD_PARTITION]
    )


async def test_nothing_goes_whose_days_are_not_final(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    reader = RollupReader(database, "reader")
    await reader.run_once()
    await reader.disconnect()
    report = await retain(database)
    assert report.blocked == {"default": {OLD_PARTITION: "project 1 has no final figures for 2024-05-15"}}


async def test_nothing_goes_that_a_destination_has_not_had(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project, occurred_at=OLD)])
    await count_and_close(database)
    await database.pool.execute(
        "INSERT INTO readers (project_id, name, position, updated_at) VALUES (1, 'destination:amplitude', 0, $1)",
        NOW,
    )
    assert "reader destination:amplitude" in (await retain(database)).blocked["default"][OLD_PARTITION]


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
    assert report.blocked == {"default": {OLD_PARTITION: "new events have arrived for it"}}


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
        blocked = (await retain(database, drop_attempts=1)).blocked
        assert blocked == {"default": {OLD_PARTITION: "it is in use; the next run tries again"}}
    await reading.close()
    assert (await retain(database)).dropped == [OLD_PARTITION]


async def test_types_with_a_shorter_period_go_from_partitions_that_stay(
    database: Database, project: Project
) -> None:
    days = [NOW - timedelta(days=number) for number in range(28, 33)]
    await write_events(
        database,
        [
            make_event(project, name, occurred_at=day)
            for day in days
            for name in ("noise", "signup_completed")
        ],
    )
    await decide(database, project, noise=30)
    await count_and_close(database)
    report = await retain(database)
    assert (report.events, report.dropped, report.blocked) == (2, [], {})
    assert await types_left(database) == {"noise": 3, "signup_completed": 5}
    sealed = await database.pool.fetch("SELECT day FROM project_days WHERE state = 'sealed' ORDER BY day")
    assert [row["day"] for row in sealed] == [days[4].date(), days[3].date()]
    state = await last_run(database, project)
    assert (state.events, state.finished_at, state.blocked, state.blocked_since) == (2, NOW, {}, None)


async def test_a_project_with_a_shorter_period_empties_its_part_and_the_partition_goes_with_the_last(
    database: Database, project: Project
) -> None:
    other = await make_project(database, "other")
    for each in (project, other):
        await write_events(database, [make_event(each, occurred_at=OLD) for _ in range(4)])
    await count_and_close(database)
    await decide(database, project, 100)
    await decide(database, other, 3000)
    assert (await retain(database)).events == 4
    assert await types_left(database) == {"page_view": 4}
    held = await database.pool.fetch(
        "SELECT project_id FROM event_groups UNION SELECT project_id FROM partition_ranges"
    )
    assert project.id in {row["project_id"] for row in held}, "notes that are not summed up are needed still"
    await fold(database)
    await decide(database, other, 100)
    report = await retain(database)
    assert (report.events, report.dropped) == (0, [OLD_PARTITION])
    assert await types_left(database) == {}
    assert (await last_run(database, other)).partitions == [OLD_PARTITION]


async def test_what_a_reader_or_a_destination_still_needs_stays_and_is_named(
    database: Database, project: Project
) -> None:
    old = NOW - timedelta(days=32)
    for name in ("read", "parked", "unread"):
        await write_events(database, [make_event(project, name, occurred_at=old)])
    await decide(database, project, 30)
    await count_and_close(database)
    rows = await database.pool.fetch("SELECT event_type, person_id, seq FROM events ORDER BY seq")
    await database.pool.execute(
        "INSERT INTO readers (project_id, name, position, updated_at) VALUES (1, 'destination:mine', $1, $2)",
        rows[1]["seq"],
        NOW,
    )
    await database.pool.execute(
        """
        INSERT INTO parked_events (project_id, destination, person_id, seq, event_type, occurred_at, received_at,
            attempts, reason, parked_at, retry_at)
        VALUES (1, 'mine', $1, $2, 'parked', $3, $3, 1, 'HTTP 503', $3, $3)
        """,
        rows[1]["person_id"],
        rows[1]["seq"],
        old,
    )
    report = await retain(database)
    assert report.events == 1
    assert await types_left(database) == {"parked": 1, "unread": 1}
    day = old.date()
    assert report.blocked["default"] == {
        f"parked of {day}": "1 of them wait for another attempt at a destination",
        f"unread of {day}": f"reader destination:mine is at {rows[1]['seq']} and has not read 1 of them",
    }
    state = await last_run(database, project)
    assert (state.blocked, state.blocked_since) == (report.blocked["default"], NOW)
    await database.pool.execute("DELETE FROM parked_events")
    await database.pool.execute("UPDATE readers SET position = $1", rows[2]["seq"])
    assert (await retain(database)).events == 2
    assert (await last_run(database, project)).blocked_since is None


async def test_days_that_are_not_final_or_have_changed_since_keep_their_events(
    database: Database, project: Project
) -> None:
    old = NOW - timedelta(days=32)
    await write_events(database, [make_event(project, occurred_at=old)])
    await decide(database, project, 30)
    reader = RollupReader(database, "reader")
    await reader.run_once()
    blocked = (await retain(database)).blocked["default"]
    assert blocked == {f"page_view of {old.date()}": f"project 1 has no final figures for {old.date()}"}
    await close_due_days(database, NOW, late_days=7)
    await write_events(database, [make_event(project, occurred_at=old)])
    await reader.run_once()
    await reader.disconnect()
    [reason] = (await retain(database)).blocked["default"].values()
    assert "are to be made again (late_events)" in reason
    await close_due_days(database, NOW, late_days=7)
    assert (await retain(database)).events == 2
    dau = "SELECT value FROM aggregated_metrics WHERE metric_type = 'events' AND metric_date = $1"
    assert await database.pool.fetchval(dau, old.date()) == 2


async def test_the_quarantine_follows_the_periods(database: Database, project: Project) -> None:
    for name, age in (("noise", 20), ("noise", 5), ("other", 20), ("other", 40)):
        await database.pool.execute(
            """
            INSERT INTO quarantined_events (person_id, event_id, project_id, has_person, is_bot, trusted, event_type,
                event_data, context, occurred_at, received_at, kind, path, reason)
            VALUES (gen_random_uuid(), gen_random_uuid(), $1, true, false, false, $2, '{}', '{}', $3, $3, 'schema', '', '')
            """,
            project.id,
            name,
            NOW - timedelta(days=age),
        )
    await decide(database, project, 30, noise=10)
    assert (await retain(database)).quarantined == 2
    left = await database.pool.fetch("SELECT event_type, received_at FROM quarantined_events ORDER BY 1")
    assert [(row["event_type"], (NOW - row["received_at"]).days) for row in left] == [
        ("noise", 5),
        ("other", 20),
    ]


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

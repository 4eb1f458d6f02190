"""Closing of days: when, what is kept, how it is corrected, and that it never races the rollup reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from analytics_api.aggregate.closing import ClosingReport, close_due_days, last_due_day
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.metrics import METRICS
from analytics_api.domain.project import Project
from analytics_api.store import readers
from analytics_api.store.counting import prepare, roll_up
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Rate, Spend, save_rates, save_spend
from analytics_api.store.log import next_chunk, safe_position
from analytics_api.store.metrics import days
from analytics_api.store.metrics.beginning import look_up
from analytics_api.store.metrics.stored import RevisionFilter, revisions
from tests.support.events import make_project, open_database, write_events
from tests.support.figures import LATE_DAYS, at, event_on, payment_on, point, record, subscription_on, values


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


async def close(database: Database, now: datetime, patience: float = 20) -> ClosingReport:
    """One run; the report of the one project."""
    [report] = await close_due_days(database, now, late_days=LATE_DAYS, patience_seconds=patience)
    return report


async def kept(database: Database, name: str) -> dict[date, tuple[Any, str]]:
    """Value and state of every kept figure of a metric."""
    rows = await database.pool.fetch(
        "SELECT metric_date, value, state FROM aggregated_metrics WHERE metric_type = $1 ORDER BY metric_date",
        name,
    )
    return {row["metric_date"]: (row["value"], row["state"]) for row in rows}


async def revised(database: Database, project: Project) -> list[tuple[Any, ...]]:
    """Revisions, oldest first: (metric, bucket, old, new, cause)."""
    async with database.read() as connection:
        found = await revisions(connection, project.id, RevisionFilter(), 1000)
    return [
        (row["metric_type"], row["metric_date"], row["old_value"], row["new_value"], row["cause"])
        for row in reversed(found)
    ]


@pytest.mark.parametrize(
    ("now", "zone", "due"),
    [
        ("2026-03-10T00:59:59Z", "UTC", "2026-03-08"),
        ("2026-03-10T01:00:00Z", "UTC", "2026-03-09"),
        ("2026-03-10T23:59:59Z", "UTC", "2026-03-09"),
        ("2026-03-09T19:14:59Z", "Asia/Kathmandu", "2026-03-08"),
        ("2026-03-09T19:15:00Z", "Asia/Kathmandu", "2026-03-09"),
        ("2026-01-10T04:30:00Z", "America/St_Johns", "2026-01-09"),
        ("2026-01-10T04:29:59Z", "America/St_Johns", "2026-01-08"),
        # Berlin on the day whose 02:00 does not exist and on the one that has it twice.
        ("2026-03-29T00:00:00Z", "Europe/Berlin", "2026-03-28"),
        ("2026-10-24T23:00:00Z", "Europe/Berlin", "2026-10-24"),
        # Havana goes from 00:00 to 01:00, so the new day begins at 01:00; in autumn 01:00 comes after 00:xx twice.
        ("2026-03-08T05:00:00Z", "America/Havana", "2026-03-07"),
        ("2026-03-08T04:59:59Z", "America/Havana", "2026-03-06"),
        ("2026-11-01T04:30:00Z", "America/Havana", "2026-10-30"),
    ],
)
def test_a_day_is_due_at_one_in_the_morning_of_the_next(now: str, zone: str, due: str) -> None:
    assert last_due_day(datetime.fromisoformat(now), ZoneInfo(zone)) == date.fromisoformat(due)


async def test_all_missed_days_are_closed_and_the_answers_stay_the_same(
    database: Database, project: Project
) -> None:
    """Two years after a downtime: gaps count 0, every metric has a figure for every bucket that is over."""
    events = [event_on(project, date(2024, 1, 10) + timedelta(days=11 * n), f"p{n % 7}") for n in range(60)]
    events += [event_on(project, "2024-01-10", f"p{n}", "signup_completed") for n in range(7)]
    events += [payment_on(project, "2024-02-01", f"p{n}", "9.99") for n in range(3)]
    await record(database, events)
    now = at("2026-02-11")
    before = {
        metric.name: await values(database, project, metric.name, "2024-01-01", "2026-02-10", now=now)
        for metric in METRICS
    }
    report = await close(database, now)
    assert report.closed_days == (date(2026, 2, 10) - date(2024, 1, 10)).days + 1
    assert (report.revisions, report.behind) == (0, False)
    for metric in METRICS:
        after = await values(database, project, metric.name, "2024-01-01", "2026-02-10", now=now)
        assert after == before[metric.name], metric.name
    assert len(await kept(database, "dau")) == report.closed_days
    assert list(await kept(database, "mau"))[-1] == date(2026, 1, 1)
    assert list(await kept(database, "wau"))[-1] == date(2026, 2, 2)
    assert (await point(database, project, "dau", "2024-01-10", now=now)).calculated_at == now

    again = await close(database, now + timedelta(hours=1))
    assert (again.closed_days, again.figures) == (0, 0)


async def test_figures_settle_and_become_final_by_being_made_once_more(
    database: Database, project: Project
) -> None:
    await record(
        database,
        [event_on(project, "2026-03-02", "ada"), event_on(project, "2026-03-02", "ada", "signup_completed")],
    )
    await close(database, at("2026-03-03"))
    assert (await kept(database, "dau"))[date(2026, 3, 2)] == (1, "settling")
    # On the day itself nothing is kept; its figure is made when it is asked for.
    assert date(2026, 3, 3) not in await kept(database, "dau")
    await close(database, at("2026-03-09"))
    assert (await kept(database, "dau"))[date(2026, 3, 2)] == (1, "settling")
    await close(database, at("2026-03-10"))
    assert (await kept(database, "dau"))[date(2026, 3, 2)] == (1, "final")
    state = await database.pool.fetchval("SELECT state FROM project_days WHERE day = '2026-03-02'")
    assert state == "final"

    # Conversion settles with its own window of 30 days, and until then it follows every payment.
    conversion = "signup_to_payment_conversion"
    assert (await kept(database, conversion))[date(2026, 3, 2)] == (0, "settling")
    await record(database, [payment_on(project, "2026-03-12", "ada", "5")])
    answer = await point(database, project, conversion, "2026-03-02", now=at("2026-03-12"))
    assert answer.figure.value == 1
    await close(database, at("2026-03-31"))
    assert (await kept(database, conversion))[date(2026, 3, 2)][1] == "settling"
    await close(database, at("2026-04-02"))
    assert (await kept(database, conversion))[date(2026, 3, 2)] == (1, "final")
    assert await revised(database, project) == []


async def test_a_late_event_shows_at_once_and_leaves_a_revision_of_final_figures_only(
    database: Database, project: Project
) -> None:
    now = at("2026-03-31")
    await record(database, [event_on(project, "2026-03-02", "ada"), event_on(project, "2026-03-30", "ada")])
    await close(database, now)
    late = [event_on(project, "2026-03-03", "bob"), event_on(project, "2026-03-03", "bob")]
    # The 30th is still settling: its figures may change without a word.
    await record(database, [*late, event_on(project, "2026-03-30", "bob")])
    expected = {date(2026, 3, 2): 1, date(2026, 3, 3): 1, date(2026, 3, 4): 0}
    assert await values(database, project, "dau", "2026-03-02", "2026-03-04", now=now) == expected
    assert await values(database, project, "wau_rolling", "2026-03-02", "2026-03-04", now=now) == {
        date(2026, 3, 2): 1, date(2026, 3, 3): 2, date(2026, 3, 4): 2,
    }  # fmt: skip

    report = await close(database, now + timedelta(hours=1))
    assert report.corrected_days == 2
    assert {
        day: value for day, (value, _) in (await kept(database, "dau")).items() if day in expected
    } == expected
    changes = await revised(database, project)
    assert ("dau", date(2026, 3, 3), 0, 1, "late_events(2)") in changes
    assert ("wau_rolling", date(2026, 3, 9), 0, 1, "late_events(2)") in changes
    assert ("wau", date(2026, 3, 2), 1, 2, "late_events(2)") in changes
    assert ("mau_rolling", date(2026, 3, 22), 1, 2, "late_events(2)") in changes
    assert len(changes) == report.revisions
    assert all(bucket < date(2026, 3, 24) for _, bucket, *_ in changes)
    assert await database.pool.fetchval("SELECT count(*) FROM dirty_days") == 0


async def test_history_from_before_the_first_day_changes_what_looks_back_on_it(
    database: Database, project: Project
) -> None:
    now = at("2026-05-20")
    await record(database, [event_on(project, "2026-03-02", "ada")])
    await close(database, now)
    # Eve's day is too far away for the window, Bob's is not.
    await record(database, [event_on(project, "2025-12-01", "eve"), event_on(project, "2026-02-20", "bob")])
    windows = {date(2026, 3, 2): 2, date(2026, 3, 3): 2}
    assert await values(database, project, "mau_rolling", "2026-03-02", "2026-03-03", now=now) == windows
    await record(database, [event_on(project, "2026-02-20", "ada")])
    await close(database, now)
    assert (await kept(database, "mau_rolling"))[date(2026, 3, 2)] == (2, "final")
    assert (await kept(database, "new_persons"))[date(2026, 3, 2)] == (0, "final")
    assert (await kept(database, "churn_rate"))[date(2026, 3, 1)] == (Decimal("0.5"), "final")
    changes = await revised(database, project)
    assert ("mau_rolling", date(2026, 3, 2), 1, 2, "backfill, late_events") in changes
    assert ("new_persons", date(2026, 3, 2), 1, 0, "late_events") in changes


async def test_a_late_subscription_changes_all_months_since(database: Database, project: Project) -> None:
    now = at("2026-09-20")
    await record(database, [subscription_on(project, "2026-03-02", "ada", "created", "10")])
    await close(database, now)
    await record(database, [subscription_on(project, "2026-03-05", "bob", "created", "5")])
    months = [date(2026, month, 1) for month in range(3, 9)]
    answers = await values(database, project, "mrr", months[0], months[-1], now=now)
    assert answers == dict.fromkeys(months, 15)
    await close(database, now)
    assert await kept(database, "mrr") == dict.fromkeys(months, (15, "final"))
    changes = [change for change in await revised(database, project) if change[0] == "mrr"]
    assert changes == [("mrr", month, 10, 15, "late_events(1)") for month in months]


async def test_rates_and_spend_correct_the_figures_they_belong_to(
    database: Database, project: Project
) -> None:
    now = at("2026-06-20")
    await record(database, [payment_on(project, "2026-03-02", "ada", "10", currency="EUR")])
    await close(database, now)
    assert (await kept(database, "revenue"))[date(2026, 3, 2)][0] == 0
    async with database.write() as connection:
        await save_rates(connection, project, [Rate("EUR", date(2026, 3, 2), Decimal("1.5"))], now)
        spend = Spend(date(2026, 2, 20), date(2026, 3, 1), "ads", "", Decimal(100), "USD")
        await save_spend(connection, project, [spend], now)
    assert (await point(database, project, "revenue", "2026-03-02", now=now)).figure.value == 15
    assert (await point(database, project, "cac", "2026-03-01", now=now)).figure.value == 10
    report = await close(database, now)
    changes = await revised(database, project)
    assert ("revenue", date(2026, 3, 2), 0, 15, "fx") in changes
    assert ("cac", date(2026, 3, 1), None, 10, "fx, spend") in changes
    assert report.revisions == len(changes)


async def test_a_figure_of_an_older_definition_is_made_again(database: Database, project: Project) -> None:
    now = at("2026-03-31")
    await record(database, [event_on(project, "2026-03-02", "ada")])
    await close(database, now)
    await database.pool.execute(
        "UPDATE aggregated_metrics SET definition_version = 0, value = 7 WHERE metric_type = 'dau'"
    )
    assert (await point(database, project, "dau", "2026-03-02", now=now)).figure.value == 1
    await close(database, now)
    assert (await kept(database, "dau"))[date(2026, 3, 2)] == (1, "final")
    assert ("dau", date(2026, 3, 2), 7, 1, "definition") in await revised(database, project)


async def test_days_stay_open_while_the_rollups_are_behind(database: Database, project: Project) -> None:
    await record(database, [event_on(project, "2026-03-02", "ada")])
    await write_events(database, [event_on(project, "2026-03-03", "ada")])
    report = await close(database, at("2026-03-31"), patience=0)
    assert (report.behind, report.closed_days) == (True, 0)
    assert await kept(database, "dau") == {}
    await record(database, [])
    assert (await close(database, at("2026-03-31"), patience=0)).closed_days == 29


async def test_closing_waits_for_the_rollups(database: Database, project: Project) -> None:
    await write_events(database, [event_on(project, "2026-03-02", "ada")])
    closing = asyncio.create_task(close(database, at("2026-03-31")))
    await asyncio.sleep(0.05)
    await record(database, [])
    assert (await closing).closed_days == 29


async def test_a_project_without_events_has_nothing_to_close(database: Database, project: Project) -> None:
    report = await close(database, at("2026-03-31"), patience=0)
    assert (report.closed_days, report.figures, report.behind) == (0, 0, False)


async def test_a_chunk_begun_before_days_were_closed_is_counted_again(
    database: Database, project: Project
) -> None:
    """Such a chunk does not see the closed days: committed as it is, it would change them unnoticed."""
    await record(database, [event_on(project, "2026-03-02", "ada")])
    await write_events(database, [event_on(project, "2026-03-02", "late")])
    now = at("2026-03-31")
    connection = await database.connect()
    await prepare(connection)
    safe = await safe_position(connection)
    lease = await readers.claim(connection, project.id, "rollups", "slow", now, timedelta(seconds=30))
    assert lease is not None
    chunk = await next_chunk(connection, project.id, lease.position, safe, 1000)
    assert chunk is not None
    with pytest.raises(asyncpg.SerializationError):
        async with connection.transaction(isolation="repeatable_read"):
            assert await roll_up(connection, project, chunk, now) == 1
            async with days.figures_transaction(database) as closing:
                await days.hold_rollups(closing, project.id)
                await days.close_days(
                    closing, project.id, date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 2), now
                )
            await readers.advance(connection, lease, chunk.upto, now)
    await readers.release(connection, lease)
    await connection.close()
    await record(database, [])
    async with database.read() as reading:
        beginning = await look_up(reading, project)
    assert beginning.changed == [days.DirtyDay(date(2026, 3, 2), "late_events", 1)]
    assert beginning.first_day == date(2026, 3, 2)
    assert await database.pool.fetchval("SELECT sum(events) FROM event_days") == 2


async def test_writers_readers_and_closing_at_once_lose_nothing(database: Database, project: Project) -> None:
    start = date(2026, 3, 1)
    now = at("2026-04-20")
    reader = RollupReader(database, "reader", chunk=20)
    written = asyncio.Event()

    async def write() -> None:
        for batch in range(12):
            await write_events(
                database,
                [
                    event_on(
                        project, start + timedelta(days=(batch * 5 + number * 3) % 45), f"p{number % 11}"
                    )
                    for number in range(40)
                ],
            )
        written.set()

    async def count() -> None:
        while not written.is_set():
            await reader.run_once()
            await asyncio.sleep(0)
        await reader.run_once()

    async def closing() -> None:
        while not written.is_set():
            await close(database, now)

    await asyncio.gather(write(), count(), closing())
    await close(database, now)
    await reader.disconnect()
    recounted = await database.pool.fetch("SELECT day, sum(events) AS events FROM event_days GROUP BY day")
    found = await kept(database, "events")
    assert {day: value for day, (value, _) in found.items() if value} == {
        row["day"]: row["events"] for row in recounted
    }
    assert sum(value or 0 for value, _ in found.values()) == 480

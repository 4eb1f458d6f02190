"""What the rollup reader does with events that cannot be counted, with projects that fail, and with stopped writers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from analytics_api.aggregate import reader as module
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import WriterBusy
from analytics_api.store import log, readers
from analytics_api.store.engine import Database
from analytics_api.store.groups import WRITERS_LOCK
from tests.support.events import NOW, make_event, make_project, open_database, write_events


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(database: Database, clock: Clock) -> AsyncIterator[RollupReader]:
    reader = RollupReader(database, "reader", clock=clock, chunk=1000)
    yield reader
    await reader.disconnect()


def noise(length: int) -> str:
    """Text that does not compress, with characters of up to four bytes."""
    return "".join(random.Random(length).choices("abcXYZ059-_äß中\U0001f600\U0001f680", k=length))


async def counted(database: Database, project: Project) -> int:
    return int(
        await database.pool.fetchval(
            "SELECT coalesce(sum(events), 0) FROM event_days WHERE project_id = $1", project.id
        )
    )


async def spoil(database: Database, event_type: str = "bad") -> None:
    """From now on events of that type break a rule of the database when they are counted."""
    await database.pool.execute(
        f"ALTER TABLE event_days ADD CONSTRAINT spoilt CHECK (event_type <> '{event_type}')"
    )


async def test_ids_from_outside_may_be_of_any_length(
    database: Database, project: Project, reader: RollupReader
) -> None:
    long = noise(9_000)
    paid = {"amount": 10, "currency": "USD", "payment_id": long}
    subscribed = {"amount": 5, "currency": "USD", "interval": "month", "subscription_id": long}
    refunded = {**paid, "amount": 4, "refund_id": long + "r"}
    await write_events(
        database,
        [
            make_event(project, "payment_completed", event_data=paid, revenue="10", currency="USD"),
            make_event(project, "payment_completed", event_data=paid, revenue="10", currency="USD"),
            make_event(project, "payment_refunded", event_data=refunded),
            make_event(project, "subscription_created", event_data=subscribed),
            make_event(project, noise(200), user_id=noise(512), anonymous_id="x" + noise(511)),
            make_event(project, "page_view", user_id=None, anonymous_id=noise(510)),
        ],
    )
    [report] = await reader.run_once()
    assert (report.events, report.error) == (6, None)
    payments = await database.pool.fetch("SELECT kind, payment_id, amount FROM payments ORDER BY kind")
    assert [(row["kind"], int(row["amount"])) for row in payments] == [("payment", 10), ("refund", 4)]
    assert payments[0]["payment_id"] == payments[1]["payment_id"], "the refund names the payment"
    assert await database.pool.fetchval("SELECT count(*) FROM subscription_changes") == 1
    assert await database.pool.fetchval("SELECT count(*) FROM rollup_failures") == 0


async def test_sums_of_numbers_from_outside_may_be_of_any_size(
    database: Database, project: Project, reader: RollupReader
) -> None:
    for operations in ({"$add": {"n": 2**64 - 1}}, {"$add": {"n": 1e308}}):
        events = [make_event(project, user_properties=operations) for _ in range(3)]
        await write_events(database, events)
        [report] = await reader.run_once()
        assert (report.events, report.error) == (3, None)
    assert await database.pool.fetchval("SELECT count(*) FROM rollup_failures") == 0
    assert await database.pool.fetchval("SELECT (properties ->> 'n')::float8 FROM persons") == 1e308


async def test_an_event_that_cannot_be_counted_is_set_aside_alone(
    database: Database, project: Project, reader: RollupReader
) -> None:
    def event(number: int) -> NewEvent:
        return make_event(project, "bad" if number in (17, 400, 401) else "good", user_id=f"u{number % 7}")

    await write_events(database, [event(number) for number in range(700)])
    await spoil(database)
    [report] = await reader.run_once()
    assert (report.events, report.error) == (697, None)
    assert await counted(database, project) == 697
    assert await database.pool.fetchval("SELECT sum(events) FROM person_days") == 697
    aside = await database.pool.fetch(
        "SELECT e.event_type, f.error FROM rollup_failures f JOIN events e USING (seq)"
    )
    assert [row["event_type"] for row in aside] == ["bad"] * 3
    assert "CheckViolationError" in aside[0]["error"]
    await write_events(database, [event(1)])
    [report] = await reader.run_once()
    assert report.events == 1
    async with database.acquire() as connection:
        assert (await readers.troubles(connection)).set_aside == 3


async def test_too_many_bad_events_are_our_fault_and_stop_the_reader(
    database: Database, project: Project, reader: RollupReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SET_ASIDE", 2)
    await write_events(database, [make_event(project, "bad") for _ in range(20)])
    await spoil(database)
    [report] = await reader.run_once()
    assert "more than 2 events" in (report.error or "")
    await database.pool.execute("ALTER TABLE event_days DROP CONSTRAINT spoilt")
    await reader.run_once(wait=False)
    assert await counted(database, project) == 18


async def test_a_project_that_fails_rests_and_holds_up_nobody(
    database: Database, project: Project, reader: RollupReader, clock: Clock
) -> None:
    other = await make_project(database, "other")
    await database.pool.execute(
        f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.project_id = {project.id} THEN RAISE 'no such luck'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON event_days FOR EACH ROW EXECUTE FUNCTION fail()
        """
    )
    await write_events(database, [make_event(project), make_event(other), make_event(other)])
    reports = {report.project: report for report in await reader.run_once()}
    assert "no such luck" in (reports["default"].error or "")
    assert (reports["other"].events, reports["other"].error) == (2, None)
    async with database.acquire() as connection:
        assert (await readers.troubles(connection)).failing == {"rollups": 1}

    assert await reader.run_once() == [], "it rests"
    assert [report.project for report in await reader.run_once(wait=False)] == ["default"], (
        "unless it is asked"
    )
    await database.pool.execute("DROP TRIGGER fail ON event_days")
    clock.now += timedelta(minutes=2)
    [report] = await reader.run_once()
    assert (report.project, report.events, report.error) == ("default", 1, None)
    assert await counted(database, project) == 1
    async with database.acquire() as connection:
        assert (await readers.troubles(connection)).failing == {}


async def test_a_stopped_writer_is_said_and_delays_nobody_else(
    database: Database, project: Project, reader: RollupReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "PATIENCE", 0.2)
    async with database.acquire() as stopped:
        async with stopped.transaction():
            await stopped.execute("SELECT pg_advisory_xact_lock_shared($1)", WRITERS_LOCK)
            assert await write_events(database, [make_event(project)]) == [True]
            with pytest.raises(WriterBusy):
                await reader.run_once()
            assert await counted(database, project) == 0, "what the stopped one will write may come before it"
        [report] = await reader.run_once()
    assert report.events == 1

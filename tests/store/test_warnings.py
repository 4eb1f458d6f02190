"""Ingestion warnings, counted in memory and in the table: sums, bounds, and a database that is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from analytics_api.domain.plan import WarningKind
from analytics_api.ingest.plan import counter
from analytics_api.ingest.plan.counter import SAMPLE_BYTES, WarningCounter, sample_of
from analytics_api.store.engine import Database
from analytics_api.store.warnings import (
    WarningCount,
    WarningKey,
    add_warnings,
    list_warnings,
    purge_warnings,
)
from tests.support.events import NOW, open_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


def count(events: int = 1, seconds: int = 0, message: str = "odd", sample: str | None = None) -> WarningCount:
    moment = NOW + timedelta(seconds=seconds)
    return WarningCount(events, moment, moment, message, sample)


def key(path: str, project_id: int = 1) -> WarningKey:
    return WarningKey(project_id, WarningKind.SCHEMA, "purchase", path)


async def rows(database: Database, project_id: int = 1) -> dict[tuple[str, str], int]:
    async with database.acquire() as connection:
        found = await list_warnings(connection, project_id)
    return {(one.kind, one.path): one.events for one in found}


async def test_counts_of_several_processes_are_added(database: Database) -> None:
    async def process(number: int) -> None:
        for round_ in range(5):
            async with database.acquire() as connection:
                # In another order each time: rows must be taken in one order all the same.
                paths = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
                counts = {key(path): count(2, seconds=round_, sample='{"x": 1}') for path in paths}
                await add_warnings(connection, counts)

    await asyncio.gather(*(process(number) for number in range(6)))
    assert await rows(database) == {("schema", path): 60 for path in "abc"}
    async with database.acquire() as connection:
        [one] = [
            one
            for one in await list_warnings(connection, 1, kind=WarningKind.SCHEMA, event_type="purchase")
            if one.path == "a"
        ]
        assert await list_warnings(connection, 1, kind=WarningKind.MONEY) == []
    assert (one.first_seen, one.last_seen, one.sample) == (NOW, NOW + timedelta(seconds=4), '{"x": 1}')


async def test_a_project_has_a_bounded_number_of_rows(database: Database) -> None:
    async with database.acquire() as connection:
        await add_warnings(connection, {key(f"a{n}"): count() for n in range(8)}, most=10)
        more = {key(f"b{n}"): count(10 - n) for n in range(8)} | {key("a0"): count(5), key("z", 2): count()}
        await add_warnings(connection, more, most=10)
        await add_warnings(connection, {key("a1"): count(), key("late"): count(3)}, most=10)
    found = await rows(database)
    assert len(found) <= 11
    assert (found["schema", "a0"], found["schema", "a1"]) == (6, 2)
    assert sum(found.values()) == 8 + sum(10 - n for n in range(8)) + 5 + 4
    assert found["other", ""] >= 3
    assert await rows(database, 2) == {("schema", "z"): 1}


async def test_old_warnings_are_forgotten(database: Database) -> None:
    async with database.acquire() as connection:
        await add_warnings(connection, {key("old"): count(), key("new"): count(seconds=10)})
        assert await purge_warnings(connection, NOW + timedelta(seconds=5)) == 1
    assert await rows(database) == {("schema", "new"): 1}


async def test_the_counter_holds_a_bounded_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "MOST_KEYS", 3)
    counted = WarningCounter(database, clock=lambda: NOW)
    for number in range(10):
        for _ in range(2):
            counted.add(1, WarningKind.SCHEMA, "purchase", f"p{number}", "odd")
    counted.add(2, WarningKind.SCHEMA, "purchase", "p", "odd")
    await counted.flush()
    assert await rows(database) == {
        ("schema", "p0"): 2, ("schema", "p1"): 2, ("schema", "p2"): 2, ("other", ""): 14,
    }  # fmt: skip
    assert await rows(database, 2) == {("schema", "p"): 1}
    assert await counted.flush() == 0


async def test_what_no_column_holds_is_cleaned(database: Database) -> None:
    counted = WarningCounter(database, clock=lambda: NOW)
    counted.add(1, WarningKind.UNKNOWN_FIELD, "page\0view", "field\0" + "x" * 500, "nul \0")
    assert await counted.flush() == 1
    [(_, path)] = await rows(database)
    assert path.startswith("field\ufffdxxx")
    assert len(path) == 300


async def test_counts_survive_a_database_that_is_away(database: Database) -> None:
    counted = WarningCounter(database, clock=lambda: NOW)
    counted.add(1, WarningKind.SCHEMA, "purchase", "a", "odd")
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE ingestion_warnings RENAME TO gone")
        with pytest.raises(asyncpg.UndefinedTableError):
            await counted.flush()
        counted.add(1, WarningKind.SCHEMA, "purchase", "a", "odd")
        await connection.execute("ALTER TABLE gone RENAME TO ingestion_warnings")
    await counted.flush()
    assert await rows(database) == {("schema", "a"): 2}


def test_a_sample_is_small_json() -> None:
    assert json.loads(sample_of({"a": 1, "b": {"c": [None]}})) == {"a": 1, "b": {"c": [None]}}
    data = {"long": "ä" * 5_000, **{f"field-{number}": "y" * 90 for number in range(50)}}
    text = sample_of(data)
    assert len(text.encode()) <= SAMPLE_BYTES
    sample = json.loads(text)
    assert sample["long"] == "ä" * 100 + "…"
    assert "field-0" in sample

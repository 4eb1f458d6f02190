"""Conditions on thousands of persons: nobody who was named is missed, and few others are let through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analytics_api.store.analysis.columns import Rows
from analytics_api.store.analysis.named import may_be_one_of, uuid_hash
from analytics_api.store.engine import Database
from analytics_api.store.filter_sql import Binds
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database

many = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


def rows_of(people: list[UUID]) -> Rows:
    halves = [[person.int >> 64 for person in people], [person.int & (1 << 64) - 1 for person in people]]
    return Rows(np.array(halves, np.uint64), {})


async def hashed(url: str, ids: list[UUID]) -> list[int]:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        rows = await connection.fetch(
            "SELECT uuid_hash(id) FROM unnest($1::uuid[]) WITH ORDINALITY AS t (id, n) ORDER BY n", ids
        )
    finally:
        await connection.close()
    return [row[0] & 0xFFFF_FFFF for row in rows]


@many
@given(ids=st.lists(st.uuids(), min_size=1, max_size=200))
def test_an_id_has_the_hash_that_the_server_gives_it(database_url: str, ids: list[UUID]) -> None:
    assert uuid_hash(rows_of(ids).ids).tolist() == in_thread(hashed(database_url, ids))


async def found(database: Database, named: list[UUID], asked: list[UUID]) -> set[UUID]:
    """Who of those asked about is let through."""
    binds = Binds()
    async with database.read() as connection:
        condition = await may_be_one_of(connection, rows_of(named), "id", binds)
        rows = await connection.execute(
            text(f"SELECT id FROM unnest(CAST(:asked AS uuid[])) AS t (id) WHERE {condition}"),
            {"asked": asked, **binds.parameters},
        )
        return {row.id for row in rows}


@pytest.mark.parametrize("count", [0, 1, 31, 32, 1_000, 20_000])
async def test_nobody_named_is_missed_and_few_others_are_let_through(database: Database, count: int) -> None:
    named, others = ([uuid4() for _ in range(each)] for each in (count, 5_000))
    through = await found(database, named, named + others)
    assert through >= set(named)
    # One in 32 is expected at most.
    assert len(through & set(others)) < 5_000 / 20


async def test_those_who_have_become_one_with_somebody_are_him(database: Database) -> None:
    project = await make_project(database)
    named, before, others = ([uuid4() for _ in range(500)] for _ in range(3))
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO person_merges (project_id, person_id, canonical_id) VALUES (:project, :person, :canonical)"
            ),
            [
                {"project": project.id, "person": person, "canonical": canonical}
                for person, canonical in [
                    *zip(before, named, strict=True),
                    *((uuid4(), other) for other in others),
                ]
            ],
        )
    through = await found(database, named, named + before + others)
    assert through >= {*named, *before}
    assert len(through & set(others)) < 100


async def test_on_a_server_that_hashes_otherwise_nobody_is_missed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_api.store.analysis.named.uuid_hash", lambda ids: uuid_hash(ids).byteswap())
    named = [uuid4() for _ in range(500)]
    assert await found(database, named, named) == set(named)

"""Connections that were lost, or left amid something, are replaced before they are used."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text

from analytics_api.store.statements import fetch
from tests.support.events import open_database

_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def test_a_connection_that_was_lost_while_nobody_used_it_is_replaced(database_url: str) -> None:
    async with open_database(database_url) as database:
        for _ in range(2):
            async with database.read() as first, database.read() as second:
                for each in (first, second):
                    assert [row.one for row in await fetch(each, "SELECT 1 AS one", {})] == [1]
            await database.pool.execute(_OTHERS)
        async with database.write() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("way", ["read", "look", "write"])
async def test_who_goes_away_at_any_moment_leaves_no_transaction_to_the_next(
    database_url: str, way: str
) -> None:
    async with open_database(database_url) as database:

        async def use() -> None:
            async with getattr(database, way)() as connection:
                await (
                    connection.fetchval("SELECT 1") if way == "look" else connection.scalar(text("SELECT 1"))
                )

        for number in range(300):
            left = asyncio.create_task(use())
            await asyncio.sleep(number * 20e-6)
            left.cancel()
            with suppress(asyncio.CancelledError):
                await left
            async with database.write() as connection:
                assert await connection.scalar(text("SELECT 1")) == 1
            async with database.look() as looking:
                assert await looking.fetchval("SELECT 1") == 1


async def test_parameters_and_columns_are_the_same_on_both_ways(database_url: str) -> None:
    sql = "SELECT CAST(:day AS date) + CAST(:days AS integer) AS later, CAST(:days AS integer) * 2 AS doubled, CAST(:none AS text) AS nothing, 'a:b' AS text"
    given = {"days": 3, "day": None, "none": None, "not asked for": 1}
    async with open_database(database_url) as database:
        async with database.read() as connection:
            [read] = await fetch(connection, sql, given)
        async with database.write() as connection:
            [written] = await fetch(connection, sql, {name: given[name] for name in ("days", "day", "none")})
    assert tuple(read) == tuple(written) == (None, 6, None, "a:b")
    assert read._mapping == dict(written._mapping)

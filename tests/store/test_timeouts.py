"""Connections: what they are limited by."""

from __future__ import annotations

from sqlalchemy import text

from tests.support.events import open_database


async def test_statements_of_requests_are_cut_off(database_url: str) -> None:
    ask = "SHOW statement_timeout"
    async with open_database(database_url) as database:
        async with database.look() as looking:
            limits = [await looking.fetchval(ask)]
        async with database.read() as reading, database.write() as writing:
            limits += [await session.scalar(text(ask)) for session in (reading, writing)]
        assert limits == ["30s"] * 3
        assert await database.pool.fetchval(ask) == "0", "what works at night may take longer"

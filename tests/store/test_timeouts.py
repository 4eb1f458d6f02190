"""Connections: what they are limited by."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request
from sqlalchemy import text

from analytics_api.app import create_app
from analytics_api.settings import Settings
from analytics_api.store.engine import request_limits
from tests.support.events import open_database
from tests.support.serving import served

ASK = "SHOW statement_timeout"


async def test_statements_of_requests_are_cut_off(database_url: str) -> None:
    async with open_database(database_url) as database:
        async with database.look() as looking:
            limits = [await looking.fetchval(ASK)]
        async with database.read() as reading, database.write() as writing:
            limits += [await session.scalar(text(ASK)) for session in (reading, writing)]
        assert limits == ["30s"] * 3
        assert await database.pool.fetchval(ASK) == "0", "what works at night may take longer"


async def test_whatever_a_request_acquires_is_cut_off(database_url: str) -> None:
    """Also what services acquire that the background work uses, too; afterwards the connection is as it was."""
    app = create_app(Settings(_env_file=None, sandbox_mode=True), database_url)

    async def limits(request: Request) -> list[Any]:
        async with request.app.state.services.database.acquire() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            return [pid, await connection.fetchval(ASK)]

    app.add_api_route("/limits", limits)
    async with app.router.lifespan_context(app), served(app) as server:
        pid, limit = (await server.client.get("/limits")).json()
        assert limit == "30s"
        connections = [await app.state.database.pool.acquire() for _ in range(3)]
        try:
            found = {each.get_server_pid(): await each.fetchval(ASK) for each in connections}
        finally:
            for each in connections:
                await app.state.database.pool.release(each)
        assert found[pid] == "0"


async def test_a_request_that_ends_in_the_middle_leaves_a_connection_as_it_was(database_url: str) -> None:
    """Cancelled in a statement of a transaction that it had begun by hand, cut off by its limit, or without its server process."""
    async with open_database(database_url) as database:

        async def work(statement: str) -> None:
            with request_limits():
                async with database.acquire() as connection:
                    await connection.transaction().start()
                    await connection.execute("SET LOCAL statement_timeout = '200ms'")
                    started.set()
                    await connection.execute(statement)

        for statement, cancelled in (
            ("SELECT pg_sleep(60)", True),
            ("SELECT pg_sleep(60)", False),
            ("SELECT pg_terminate_backend(pg_backend_pid())", False),
            ("SELECT 1", False),
        ):
            started = asyncio.Event()
            task = asyncio.create_task(work(statement))
            await started.wait()
            if cancelled:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with database.acquire() as connection:
                assert await connection.fetchval(ASK) == "0", statement
                assert not connection.is_in_transaction()

"""Databases for tests: one server per session, one migrated template, one copy of it for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
from sqlalchemy import URL, make_url

from analytics_api.store.embedded import EmbeddedServer

Result = TypeVar("Result")
EXTERNAL = "ANALYTICS_TEST_DATABASE_URL"


def in_thread(coroutine: Coroutine[object, object, Result]) -> Result:
    """Run a coroutine to its end outside the loop of the test."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


async def _execute(server: URL, *statements: str) -> None:
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def execute(server: URL, *statements: str) -> None:
    """Run statements one by one, each in its own transaction."""
    in_thread(_execute(server, *statements))


def text(url: URL) -> str:
    """The URL with its password."""
    return url.render_as_string(hide_password=False)


@contextmanager
def running_server() -> Iterator[URL]:
    """The server that ANALYTICS_TEST_DATABASE_URL names, else an embedded one in a temporary folder."""
    given = os.environ.get(EXTERNAL)
    if given:
        yield make_url(given).set(drivername="postgresql+asyncpg")
        return
    folder = Path(tempfile.mkdtemp(prefix="analytics-test-"))
    server = EmbeddedServer(folder)
    try:
        url = make_url(server.start())
        # A test's data need not survive a power failure; everything else is as in production.
        execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def scratch_database(server: URL, *, template: str | None = None) -> Iterator[URL]:
    """A new database, a copy of `template` if one is named, dropped at the end."""
    name = f"analytics_test_{uuid.uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
    try:
        yield server.set(database=name)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")

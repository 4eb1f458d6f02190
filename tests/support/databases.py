"""Databases for tests: one server per session, one migrated template, one copy of it for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
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
MEMORY_BYTES = 8 * 2**30
"""Free, for the servers of two pytest workers, a gigabyte of log each, their databases, and what tests put into their folders."""
REAPER = """
import shutil, sys
from pathlib import Path
from analytics_api.store.embedded import EmbeddedServer
sys.stdin.read()
folder = Path(sys.argv[1])
server = EmbeddedServer(folder)
if (folder / "postgres").exists():
    server.start()
server.stop()
shutil.rmtree(folder)
"""


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


def memory_folder() -> Path | None:
    """A folder in memory with room for the tests' databases; None where there is none. Each is copied ten times as fast there."""
    found = Path("/dev/shm")
    return found if found.is_dir() and shutil.disk_usage(found).free >= MEMORY_BYTES else None


@contextmanager
def running_server() -> Iterator[URL]:
    """The server that ANALYTICS_TEST_DATABASE_URL names, else an embedded one in a temporary folder."""
    given = os.environ.get(EXTERNAL)
    if given:
        yield make_url(given).set(drivername="postgresql+asyncpg")
        return
    folder = Path(tempfile.mkdtemp(prefix="analytics-test-", dir=memory_folder()))
    with embedded_server(folder) as url:
        # A test's data need not survive a power failure; everything else is as in production.
        execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url


@contextmanager
def embedded_server(folder: Path) -> Iterator[URL]:
    """An embedded server in `folder`. At the end it is stopped and the folder removed, also if this process is killed.

    A process of its own waits for the end of its input, which comes when nobody holds the pipe any more.
    """
    command = [sys.executable, "-c", REAPER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as reaper:
        server = EmbeddedServer(folder)
        try:
            yield make_url(server.start())
        finally:
            server.stop()
    if reaper.returncode:
        raise RuntimeError(f"the embedded server in {folder} could not be stopped")


@contextmanager
def scratch_database(server: URL, *, template: str | None = None) -> Iterator[URL]:
    """A new database, a copy of `template` if one is named, dropped at the end."""
    name = f"analytics_test_{uuid.uuid4().hex}"
    # Copied as files: as entries of the log it takes twice as long.
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY file_copy")
    try:
        yield server.set(database=name)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")

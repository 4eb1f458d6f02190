"""Fixtures for all rooms: real PostgreSQL databases, real processes, the shared data sets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL

from analytics_api.store.embedded import EmbeddedServer
from tests.support import processes
from tests.support.databases import memory_folder, running_server, scratch_database, text
from tests.support.processes import ServerProcess

# No test fails because a machine is slow.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SHARED_DATA = "ANALYTICS_SHARED_DATA"


def pytest_configure(config: pytest.Config) -> None:
    """Folders of tests lie in memory where there is room: a server of a test's own starts and stops there without waiting for a disk.

    And what Python has compiled is kept, also where it is told not to, as in many containers: the tests start five hundred
    processes, and to compile the product takes a seventh of a server's start.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    memory = memory_folder()
    if memory is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that speak SQL, so that CI can run just them against another PostgreSQL; not those of whole processes."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "database_server" in fixtures and not fixtures & {"browser", "process"}:
            item.add_marker("database")


@pytest.fixture(scope="session")
def database_server() -> Iterator[URL]:
    """A PostgreSQL server in which databases can be made: embedded, or the one of ANALYTICS_TEST_DATABASE_URL."""
    with running_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(database_server: URL) -> Iterator[str]:
    """Name of a database with the newest schema and no rows. Each pytest-xdist worker makes its own."""
    from analytics_api.store.migrate import upgrade

    with scratch_database(database_server) as url:
        upgrade(text(url))
        yield str(url.database)


@pytest.fixture
def database_url(database_server: URL, migrated_template: str) -> Iterator[str]:
    """URL (postgresql+asyncpg://...) of a database of the test's own, with the newest schema."""
    with scratch_database(database_server, template=migrated_template) as url:
        yield text(url)


@pytest.fixture
def empty_database_url(database_server: URL) -> Iterator[str]:
    """URL of a database of the test's own without any table."""
    with scratch_database(database_server) as url:
        yield text(url)


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    return processes.free_port()


@pytest.fixture
def shared_data() -> Path:
    """Folder with the real data sets and their known answers; the test is skipped when it is not at hand."""
    folder = os.environ.get(SHARED_DATA)
    if not folder:
        pytest.skip(f"needs the real data sets: set {SHARED_DATA} to their folder")
    if not Path(folder).is_dir():
        pytest.fail(f"{SHARED_DATA}={folder} is no folder")
    return Path(folder)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts `analytics-api serve`: `process({"ANALYTICS__SANDBOX_MODE": "true"})`, then `.url`, `.stop()`, `.kill()`.

    Further arguments replace the command: `process(env, "run")`. Without ANALYTICS__DATABASE_URL it uses an embedded
    server in the test's folder, which is stopped afterwards even if its process was killed.
    """
    with ExitStack() as stack:

        def start(
            env: Mapping[str, str], *arguments: str, port: int | None = None, wait: bool = True
        ) -> ServerProcess:
            if "ANALYTICS__DATABASE_URL" not in env:
                data_dir = Path(env.get("ANALYTICS__DATA_DIR", ".data"))
                stack.callback(_stop_embedded, tmp_path / data_dir)
            started = stack.enter_context(ServerProcess(env, tmp_path, *arguments, port=port))
            return started.start(wait=wait)

        yield start


def _stop_embedded(data_dir: Path) -> None:
    if (data_dir / "postgres").exists():
        server = EmbeddedServer(data_dir)
        server.start()
        server.stop()

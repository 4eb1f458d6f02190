"""Fixtures of the client's tests: a real server process, and a stand-in that goes wrong on request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from tests.support.databases import scratch_database, text
from tests.support.intake import IntakeStandIn
from tests.support.processes import ServerProcess


@pytest.fixture(autouse=True)
def _nobody_opted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DO_NOT_TRACK", "ANALYTICS_URL", "ANALYTICS_KEY", "ANALYTICS_SANDBOX", "ANALYTICS_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANALYTICS_SPOOL", "off")


@pytest.fixture(scope="module")
def server_database(database_server: URL, migrated_template: str) -> Iterator[str]:
    """URL of the database of `server`."""
    with scratch_database(database_server, template=migrated_template) as url:
        yield text(url)


@pytest.fixture(scope="module")
def server(server_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """`analytics-api serve`, which asks for no key."""
    env = {"ANALYTICS__DATABASE_URL": server_database, "ANALYTICS__SANDBOX_MODE": "true"}
    with ServerProcess(env, tmp_path_factory.mktemp("server")) as process:
        yield process.start()


Stored = Callable[[str], Awaitable[list[asyncpg.Record]]]


@pytest.fixture
async def stored(server_database: str) -> AsyncIterator[Stored]:
    """A function: rows of the log of an event type, in order."""
    connection = await asyncpg.connect(
        make_url(server_database).set(drivername="postgresql").render_as_string(hide_password=False)
    )

    async def find(event_type: str) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            "SELECT *, event_id::text AS id FROM events WHERE event_type = $1 ORDER BY seq", event_type
        )
        return rows

    yield find
    await connection.close()


@pytest.fixture
async def intake() -> AsyncIterator[IntakeStandIn]:
    async with IntakeStandIn() as stand_in:
        yield stand_in

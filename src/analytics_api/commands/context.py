"""What every command works with: the migrated database for its time, and a clean end."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from analytics_api.access.withheld import without_persons
from analytics_api.database import database_url
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError
from analytics_api.settings import Settings, load_settings
from analytics_api.store.audit import Act, Outcome, end, record
from analytics_api.store.engine import Database
from analytics_api.store.migrate import upgrade
from analytics_api.store.projects import DEFAULT, ensure_project, get_project

ProjectOption = Annotated[str, typer.Option("--project", "-p", help="Project by its slug.")]

T = TypeVar("T")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The migrated database, for the time of one command."""
    with database_url(settings) as url:
        await asyncio.to_thread(upgrade, url)
        database = Database(url, pool_size=4)
        try:
            await database.open()
            async with database.write() as connection:
                await ensure_project(
                    connection,
                    DEFAULT,
                    time_zone=settings.time_zone,
                    currency=settings.currency,
                    now=system_clock(),
                )
            async with _recorded(database):
                yield database
        finally:
            await database.close()


_LOOKS = frozenset(
    {
        "list",
        "show",
        "breakdown",
        "reconciliation",
        "replays",
        "dead-letters",
        "dry-run",
        "export",
        "codegen",
        "test",
    }
)
"""Commands that change nothing."""
_SHOWN_ALONE = frozenset({"origins", "retention"})
"""Those that change nothing when they are given a project alone."""


@asynccontextmanager
async def _recorded(database: Database) -> AsyncIterator[None]:
    """Put a command that changes something into the audit log, with its arguments. They hold no secrets: those are asked for."""
    given = sys.argv[1:]
    command = given[: 3 if given[:1] == ["alerts"] else 2]
    if _LOOKS.intersection(command[-1:]) or (len(given) == 3 and given[1] in _SHOWN_ALONE):
        yield
        return
    act = Act("command line", " ".join(command), after={"arguments": without_persons(given[len(command) :])})
    async with database.write() as connection:
        number = await record(connection, act, system_clock(), None)
    outcome = Outcome.FAILED
    try:
        yield
        outcome = Outcome.DONE
    finally:
        async with database.write() as connection:
            await end(connection, number, outcome)


@asynccontextmanager
async def opened_project(slug: str) -> AsyncIterator[tuple[Database, Project, asyncpg.Connection]]:
    """The database, a project and a connection. Raises NotFound."""
    async with opened(load_settings()) as database:
        async with database.read() as session:
            project = await get_project(session, slug)
        async with database.acquire() as connection:
            yield database, project, connection


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; Ctrl-C is exit code 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def asked_secrets(names: Sequence[str]) -> dict[str, str]:
    """Secrets from the terminal or from standard input, so that they show in no list of processes."""
    found = {}
    for name in names:
        value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        if not value:
            raise ConfigurationError(
                f"--secret {name}: nothing was given; write it as a line to standard input."
            )
        found[name] = value
    return found


def parse_pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """`a=b` options as a dictionary. Raises ConfigurationError naming the option."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise ConfigurationError(f"{option} {pair!r}: write NAME=VALUE.")
        found[name] = value
    return found

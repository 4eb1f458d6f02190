"""Brings a database to the newest schema."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path

import asyncpg

from analytics_api.store.engine import Database

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_REVISION = re.compile(r'^revision = "(.+)"$', re.MULTILINE)


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url`. Safe to call from several processes at once. Blocks; call it outside a loop.

    Raises ConfigurationError when the database cannot be used.
    """
    applied = asyncio.run(_applied(url))
    if revision == "head" and applied == {newest_revision()}:
        return
    # Alembic and its templates take a seventh of the time of a command, and nearly always there is nothing to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, revision)


@cache
def newest_revision() -> str:
    """Name of the schema that this version needs: what the last migration, by the name of its file, says."""
    last = max((MIGRATIONS / "versions").glob("[0-9]*.py"), key=lambda file: file.name)
    found = _REVISION.search(last.read_text())
    if found is None:
        raise RuntimeError(f"{last} names no revision")
    return found.group(1)


async def applied_revisions(connection: asyncpg.Connection) -> set[str]:
    """What Alembic has noted about this database; empty when it has no tables yet."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return set()
    return {row["version_num"] for row in await connection.fetch("SELECT version_num FROM alembic_version")}


async def _applied(url: str) -> set[str]:
    """Says in one sentence, too, what is wrong with a database that cannot be used."""
    database = Database(url, pool_size=1)
    try:
        await database.open()
        async with database.acquire() as connection:
            return await applied_revisions(connection)
    finally:
        await database.close()

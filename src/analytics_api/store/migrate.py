"""Brings a database to the newest schema."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

from analytics_api.store.engine import Database

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url`. Safe to call from several processes at once. Blocks; call it outside a loop.

    Raises ConfigurationError when the database cannot be used.
    """
    asyncio.run(_probe(url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, revision)


async def _probe(url: str) -> None:
    """Say in one sentence what is wrong with a database that cannot be used."""
    database = Database(url, pool_size=1)
    try:
        await database.open()
    finally:
        await database.close()

"""Alembic's entry: migrates the given connection, or the database that the settings name."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from analytics_api.store.engine import connect_arguments, normalise_url
from analytics_api.store.tables import metadata

MIGRATION_LOCK = 0x616E616C  # "anal": one migration at a time, whoever starts it


def migrate(connection: Connection) -> None:
    """Run all revisions in one transaction each, one process at a time."""
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


async def migrate_url(url: str) -> None:
    """Open the database and migrate it."""
    normal = normalise_url(url)
    engine = create_async_engine(normal, poolclass=NullPool, connect_args=connect_arguments(url))
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def main() -> None:
    """Use the URL that `store.migrate` put in the configuration; by hand, take it from the settings."""
    url = context.config.attributes.get("url")
    if url is not None:
        asyncio.run(migrate_url(url))
        return
    from analytics_api.settings import load_settings
    from analytics_api.store.embedded import EmbeddedServer

    settings = load_settings()
    if settings.database_url is not None:
        asyncio.run(migrate_url(settings.database_url.get_secret_value()))
        return
    server = EmbeddedServer(settings.data_dir)
    try:
        asyncio.run(migrate_url(server.start()))
    finally:
        server.stop()


main()

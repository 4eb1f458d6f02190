"""Connections: one SQLAlchemy engine for queries and administration, one asyncpg pool for the log and its readers."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, cast

import asyncpg
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from analytics_api.errors import ConfigurationError
from analytics_api.store.statements import SNAPSHOT, as_database_error, driver_of

OLDEST_SERVER = 150000
APPLICATION_NAME = "analytics-api"
"""How our connections show in pg_stat_activity."""
CLOSE_SECONDS = 10.0
QUERY_TIMEOUT_MS = 30_000
"""No dashboard query may hold a connection longer; figures come from rollups and take milliseconds."""
_BEGIN_SNAPSHOT = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}"
)
QUICK_SECONDS = 0.05
"""Ten times what a dashboard takes."""

logger = logging.getLogger(__name__)

_for_request: ContextVar[bool] = ContextVar("for_request", default=False)

_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}


def normalise_url(url: str) -> URL:
    """Any PostgreSQL URL as one for asyncpg. Raises ConfigurationError when it is none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "ANALYTICS__DATABASE_URL is not a URL: write postgresql://user:password@host:5432/database."
        ) from None
    if parsed.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"ANALYTICS__DATABASE_URL names {parsed.drivername}; only PostgreSQL is supported (postgresql://...)."
        )
    return parsed.set(drivername="postgresql+asyncpg").difference_update_query(["sslmode"])


def connect_arguments(url: URL | str) -> dict[str, Any]:
    """asyncpg's keyword arguments that a URL cannot carry. `sslmode` works as libpq has it."""
    given = make_url(url).query.get("sslmode")
    arguments: dict[str, Any] = {"server_settings": {"application_name": APPLICATION_NAME, "jit": "off"}}
    if given is None:
        return arguments
    if given not in _SSL_MODES:
        raise ConfigurationError(
            f"ANALYTICS__DATABASE_URL: sslmode={given} is not one of {', '.join(sorted(_SSL_MODES))}."
        )
    arguments["ssl"] = ssl.create_default_context() if given == "verify-full" else given
    return arguments


def _require_open(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Raises DisconnectionError, at which the pool makes another connection."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


@contextmanager
def request_limits() -> Iterator[None]:
    """Whatever acquires a connection of a pool within has its statements cut off after 30 s: somebody waits for the answer."""
    token = _for_request.set(True)
    try:
        yield
    finally:
        _for_request.reset(token)


@asynccontextmanager
async def _snapshot(driver: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction that sees one state of everything and changes nothing. Raises DBAPIError when it cannot be begun."""
    try:
        with as_database_error(_BEGIN_SNAPSHOT, driver):
            await driver.execute(_BEGIN_SNAPSHOT)
    except BaseException:
        # Whoever gets it next must not be in this transaction, which may have begun although nobody waited for it.
        driver.terminate()
        raise
    try:
        yield
    finally:
        try:
            if not driver.is_closed():
                await driver.execute("ROLLBACK")
        except BaseException:
            driver.terminate()
            raise


class Database:
    """The database of one process. Made by the composition roots, closed with `close`."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = normalise_url(url)
        self._arguments = connect_arguments(url)
        self.engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=5,
            connect_args=self._arguments,
        )
        # What is lost is known without asking: a ping would be three round trips more for each answer.
        event.listen(self.engine.sync_engine, "checkout", _require_open)
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._reads_began: list[float] = []
        self._limited: set[int] = set()
        """Server processes of connections whose statements are cut off for a request."""

    async def open(self) -> None:
        """Connect and check the server. Raises ConfigurationError in one sentence when it cannot be used."""
        where = self.url.render_as_string(hide_password=True).replace("+asyncpg", "")
        try:
            self._pool = await asyncpg.create_pool(
                **self.asyncpg_arguments(), min_size=1, max_size=self._pool_size, reset=self._reset
            )
            async with self._pool.acquire() as connection:
                version = int(await connection.fetchval("SHOW server_version_num"))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ConfigurationError(f"The database at {where} cannot be reached: {error}.") from error
        if version < OLDEST_SERVER:
            raise ConfigurationError(f"PostgreSQL 15 or newer is needed; {where} runs {version // 10000}.")

    def asyncpg_arguments(self) -> dict[str, Any]:
        """Keyword arguments for `asyncpg.connect`."""
        query = dict(self.url.query)
        return {
            "host": query.pop("host", None) or self.url.host,
            "port": int(str(query.pop("port", "")) or self.url.port or 5432),
            "user": self.url.username,
            "password": self.url.password,
            "database": self.url.database,
            **query,
            **self._arguments,
        }

    async def connect(self) -> asyncpg.Connection:
        """A connection of the caller's own, outside the pool; the caller closes it."""
        return await asyncpg.connect(**self.asyncpg_arguments())

    @property
    def pool(self) -> asyncpg.Pool:
        """The asyncpg pool; `open` must have been called."""
        if self._pool is None:
            raise RuntimeError("Database.open() has not been called")
        return self._pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """A pooled asyncpg connection, for the log and its readers. Within `request_limits` statements are cut off after 30 s."""
        async with self.pool.acquire() as connection:
            if _for_request.get():
                self._limited.add(connection.get_server_pid())
                await connection.execute(f"SET statement_timeout = {QUERY_TIMEOUT_MS}")
            yield cast(asyncpg.Connection, connection)

    async def _reset(self, connection: asyncpg.Connection) -> None:
        """Undo what `acquire` has set, and nobody else may set anything for longer than a transaction.

        asyncpg's own way, which undoes whatever a session can have, is a round trip at the end of every use.
        """
        if connection.get_server_pid() in self._limited:
            self._limited.discard(connection.get_server_pid())
            await connection.execute("RESET statement_timeout")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent read-only snapshot. Statements are cut off after 30 s."""
        began = time.monotonic()
        self._reads_began.append(began)
        try:
            async with self.engine.connect() as connection:
                # To SQLAlchemy there is no transaction: it would begin one at its first statement, in a round trip of its own.
                await connection.execution_options(isolation_level="AUTOCOMMIT", **{SNAPSHOT: True})
                async with _snapshot(driver_of(connection)):
                    yield connection
        finally:
            self._reads_began.remove(began)

    def is_answering(self) -> bool:
        """Whether a snapshot is open that is soon answered: longer ones gain nothing by a few milliseconds."""
        began = self._reads_began
        return bool(began) and began[-1] > time.monotonic() - QUICK_SECONDS

    @asynccontextmanager
    async def look(self) -> AsyncIterator[asyncpg.Connection]:
        """As `read`, for what speaks asyncpg."""
        async with (
            self.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(f"SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end unless an exception leaves the block. Statements are cut off after 30 s."""
        async with self.engine.begin() as connection:
            await connection.exec_driver_sql(f"SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
            yield connection

    async def close(self) -> None:
        """Give all connections back; those still in use after a while are cut off."""
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
            except TimeoutError:
                logger.warning("connections were still in use at the end and are cut off")
                self._pool.terminate()
        await self.engine.dispose()

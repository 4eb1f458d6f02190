"""Statements of snapshots, asked of asyncpg itself: the way through SQLAlchemy takes longer than most of the answers."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

SNAPSHOT = "analytics_snapshot"
"""The execution option of a connection whose transaction has begun and that only reads (`Database.read`)."""


class Row(asyncpg.Record):
    """A row whose columns are attributes, as SQLAlchemy's are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(self.items())


async def fetch(connection: AsyncConnection, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
    """All rows of a statement with :named parameters; columns are attributes. Raises DBAPIError."""
    plain = connection.sync_connection
    if plain is None or SNAPSHOT not in plain.get_execution_options():
        return list(await connection.execute(_clause(sql), parameters))
    driver = driver_of(connection)
    numbered, names = _numbered(sql)
    with as_database_error(sql, driver):
        return await driver.fetch(numbered, *[parameters[name] for name in names], record_class=Row)


def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """The driver's connection behind one of SQLAlchemy's."""
    plain: Connection = connection.sync_connection  # type: ignore[assignment]
    driver: asyncpg.Connection = plain.connection.driver_connection  # type: ignore[assignment]
    return driver


@contextmanager
def as_database_error(sql: str, driver: asyncpg.Connection) -> Iterator[None]:
    """Errors of the driver as SQLAlchemy has them. Raises DBAPIError."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise DBAPIError(sql, None, error, connection_invalidated=driver.is_closed()) from error


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as `fetch` takes it, to be asked together with others."""

    sql: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    """What it selects, in that order."""


async def fetch_together(connection: AsyncConnection, asked: Sequence[Asked]) -> list[list[Any]]:
    """The rows of several statements in one round trip. Raises DBAPIError."""
    parameters = {
        f"q{place}_{name}": value
        for place, each in enumerate(asked)
        for name, value in each.parameters.items()
    }
    [found] = await fetch(connection, _together(tuple(each.sql for each in asked)), parameters)
    return [
        [_row_type(each.columns)(*row) for row in rows or ()] for each, rows in zip(asked, found, strict=True)
    ]


_NAME = re.compile(r"(?<![:\w]):(?=[a-z])")


@lru_cache(256)
def _together(statements: tuple[str, ...]) -> str:
    """A statement with one column for each of some, which holds all its rows. Their parameters get the names q0_..., q1_..."""
    parts = [
        f"(SELECT array_agg(r) FROM ({_NAME.sub(f':q{place}_', sql)}) AS r) AS a{place}"
        for place, sql in enumerate(statements)
    ]
    return f"SELECT {', '.join(parts)}"


@lru_cache(256)
def _row_type(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns)


@lru_cache(1024)
def _clause(sql: str) -> TextClause:
    """Looking for parameters in a long statement takes longer than many a figure."""
    return text(sql)


@lru_cache(1024)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1, $2, ... and which parameter each is."""
    compiled = _clause(sql).compile(dialect=dialect())  # type: ignore[no-untyped-call]
    return str(compiled), tuple(compiled.positiontup or ())

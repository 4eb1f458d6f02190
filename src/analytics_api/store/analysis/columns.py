"""Columns of events, straight from PostgreSQL's binary COPY into arrays: about a microsecond a row.

docs/decisions/0011-analysis-in-memory.md compares it with funnels in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.analysis.stream import Ints
from analytics_api.errors import Unprocessable
from analytics_api.store.analysis.scope import Statement

MOST_ROWS = 4_000_000
"""Of one statement: 250 MB while they are sorted."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_HEADER, _TRAILER = 19, 2
_NAME = re.compile(r"(?<![:\w]):([a-z]\w*)")


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of PostgreSQL's times."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(value: int) -> datetime:
    """The instant of a number of microseconds."""
    return EPOCH + timedelta(microseconds=value)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of (person, whole numbers)."""

    ids: NDArray[np.uint64]
    """The person's id in two halves, one row each."""
    columns: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.ids[0])

    def __getitem__(self, name: str) -> Ints:
        return self.columns[name]

    def ids_sql(self) -> str:
        """SQL for an array of the ids."""
        return f"'{{{self.ids.T.astype('>u8').tobytes().hex(',', 16)}}}'"

    def having(self, chosen: NDArray[Any]) -> Rows:
        """Some of the rows."""
        return Rows(self.ids[:, chosen], {name: column[chosen] for name, column in self.columns.items()})


async def copy_rows(
    connection: AsyncConnection, select: str, names: Sequence[str], parameters: Mapping[str, Any]
) -> Rows:
    """The rows of a statement that selects a uuid and then, under these names, bigint or timestamptz, never NULL.

    Raises Unprocessable when there are more than MOST_ROWS.
    """
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    received = bytearray()

    async def receive(data: bytes) -> None:
        received.extend(data)

    query, values = positional(f"SELECT * FROM ({select}) AS rows LIMIT {MOST_ROWS + 1}", parameters)
    await driver.copy_from_query(query, *values, output=receive, format="binary")
    fields: list[tuple[str, str]] = [("n", ">i2"), ("l", ">i4"), ("high", ">u8"), ("low", ">u8")]
    for name in names:
        fields += [(f"l_{name}", ">i4"), (name, ">i8")]
    shape = np.dtype(fields)
    count, rest = divmod(len(received) - _HEADER - _TRAILER, shape.itemsize)
    if rest:
        raise AssertionError("a column of a copied statement is NULL or of another type")
    if count > MOST_ROWS:
        raise Unprocessable(
            f"More than {MOST_ROWS} events would have to be looked at: ask for fewer days or narrower filters."
        )
    table = np.frombuffer(received, shape, count, _HEADER)
    return Rows(
        np.array([table["high"], table["low"]], np.uint64),
        {name: table[name].astype(np.int64) for name in names},
    )


def positional(sql: str, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """A statement with :names as the driver has it, with $1, $2, ..., and the values in that order.

    The ids of Rows are written into it: as values each would take a microsecond and a half.
    """
    order: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        value = parameters[found[1]]
        return (
            value.ids_sql() if isinstance(value, Rows) else f"${order.setdefault(found[1], len(order) + 1)}"
        )

    query = _NAME.sub(place, sql)
    return query, [parameters[name] for name in order]


def as_floats(column: Ints) -> NDArray[np.float64]:
    """What was selected by `float_sql`."""
    return column.view(np.float64)


def float_sql(number: str) -> str:
    """SQL for a number with a point as a column of `event_rows`: the bits of a double, NaN where there is none."""
    return f"('x' || encode(float8send(coalesce(CAST({number} AS float8), 'NaN')), 'hex'))::bit(64)::bigint"


async def event_times(statement: Statement) -> Rows:
    """Person and `time` of the wanted events of a statement."""
    select = f"SELECT {statement.PERSON} AS person_id, e.occurred_at AS time {statement.source()}"
    return await copy_rows(statement.scope.connection, select, ["time"], statement.parameters())


async def event_rows(statement: Statement, columns: Mapping[str, str]) -> Rows:
    """The wanted events of a statement: person, `time`, `seq`, and columns from SQL."""
    listed = "".join(f", CAST({sql} AS bigint) AS {name}" for name, sql in columns.items())
    select = (
        f"SELECT {statement.PERSON} AS person_id, e.occurred_at AS time, e.seq{listed} {statement.source()}"
    )
    return await copy_rows(
        statement.scope.connection, select, ["time", "seq", *columns], statement.parameters()
    )


async def masked_rows(
    statement: Statement, mask: str, bits: int, columns: Mapping[str, str], *, unmasked: str = "false"
) -> Rows:
    """The events of a statement with a bit of `mask`, and without one those that meet `unmasked`.

    Person, `time`, `seq`, `mask` of at most so many bits, and columns from SQL. `unmasked` may name columns of `events` without
    its alias.
    """
    shared = 2**63 >> bits > statement.scope.position
    # A number for two costs PostgreSQL, the connection and this process a third less.
    place = [f"seq << {bits} | mask"] if shared else ["seq", "mask"]
    listed = "".join(f", CAST({sql} AS bigint) AS {name}" for name, sql in columns.items())
    # OFFSET 0 keeps PostgreSQL from working out the columns twice.
    select = f"""
        SELECT person_id, time, {", ".join([*place, *columns])} FROM (
            SELECT {statement.PERSON} AS person_id, e.occurred_at AS time, e.seq, e.event_type, e.context,
                   CAST({mask} AS bigint) AS mask{listed} {statement.source()} OFFSET 0
        ) AS found WHERE mask <> 0 OR {unmasked}
    """
    names = ["time", "seq", *([] if shared else ["mask"]), *columns]
    rows = await copy_rows(statement.scope.connection, select, names, statement.parameters())
    if not shared:
        return rows
    packed = rows["seq"]
    return Rows(rows.ids, {**rows.columns, "seq": packed >> bits, "mask": packed & ((1 << bits) - 1)})


@dataclass(frozen=True, slots=True)
class People:
    """Persons by number."""

    ids: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ids[0])

    def uuids(self, numbers: Ints) -> list[UUID]:
        """Their ids."""
        halves = self.ids[:, numbers].tolist()
        return [UUID(int=high << 64 | low) for high, low in zip(*halves, strict=True)]


def numbered_people(*tables: Rows) -> tuple[People, list[Ints]]:
    """Numbers for all persons of some tables, in the order of their ids, and each table's column of numbers."""
    high, low = np.concatenate([table.ids for table in tables], axis=1)
    order = np.argsort(high)
    changes = _changes(high[order])
    if (_changes(low[order]) & ~changes).any():
        # Two persons have the first halves of their ids in common, or one id is the other's neighbour.
        order = np.lexsort((low, high))
        changes = _changes(high[order]) | _changes(low[order])
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(changes)
    firsts = order[changes | (np.arange(len(order)) == 0)]
    ends = np.cumsum([len(table) for table in tables])
    return People(np.stack([high[firsts], low[firsts]])), list(np.split(numbers, ends[:-1]))


def _changes(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Where a value differs from the one before; not at the first."""
    found = np.zeros(len(values), np.bool_)
    found[1:] = values[1:] != values[:-1]
    return found

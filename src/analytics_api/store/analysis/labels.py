"""Values of properties as numbers: a hash of 64 bits for each, and the names of the few that are shown.

Two of 100,000 values share a hash once in four thousand million times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import AllOf, Path
from analytics_api.store.analysis.columns import moment_of
from analytics_api.store.analysis.scope import Scope, Statement
from analytics_api.store.filter_sql import number_sql, text_sql
from analytics_api.store.statements import fetch

NO_VALUE = 0
LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class Example:
    """An event that has a value."""

    seq: int
    time: int


def hash_sql(text: str) -> str:
    """SQL for the number of a text."""
    return f"coalesce(hashtextextended({text}, 0), {NO_VALUE})"


def property_sql(statement: Statement, path: Path) -> str:
    """SQL for the text of a property."""
    if path.of_person:
        statement.join_person()
    return text_sql(path, statement.binds)


def number_of(statement: Statement, path: Path) -> str:
    """SQL for the number at a property."""
    if path.of_person:
        statement.join_person()
    return number_sql(path, statement.binds)


async def names(scope: Scope, path: Path, examples: Sequence[Example]) -> list[str | None]:
    """The values that some events have at a path, in the order of the events."""
    if not examples:
        return []
    times = [example.time for example in examples]
    # Which events are meant is known; what they had to meet need not be asked again.
    plain = replace(scope, filters=AllOf(), people=())
    statement = Statement(plain, moment_of(min(times)), moment_of(max(times) + 1), with_person=False)
    statement.only(f"e.seq = ANY ({statement.binds.bind([example.seq for example in examples], 'bigint[]')})")
    value = f"left({property_sql(statement, path)}, {LONGEST_NAME})"
    rows = await fetch(
        scope.connection, f"SELECT e.seq, {value} AS value {statement.source()}", statement.parameters()
    )
    found = {row.seq: row.value for row in rows}
    return [found[example.seq] for example in examples]


async def hash_of(connection: AsyncConnection, value: str | None) -> int:
    """The number of a text."""
    [row] = await fetch(connection, f"SELECT {hash_sql('CAST(:value AS text)')} AS hash", {"value": value})
    return int(row.hash)

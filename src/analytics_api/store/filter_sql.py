"""Filters as SQL. Paths, texts and patterns are bound values, never part of the statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import (
    EVENT_SECTIONS,
    FIELDS,
    NEGATED,
    ORDERING,
    AnyOf,
    Condition,
    Filter,
    Operator,
    Path,
    Value,
    conditions,
)

_NUMERAL = "^ *[+-]?([0-9]{1,40}([.][0-9]{0,40})?|[.][0-9]{1,40})([eE][+-]?[0-9]{1,2})? *$"
"""Texts that are numbers; short enough never to overflow."""
_NO_PATTERN, _QUERY_CANCELED = "2201B", "57014"
PATTERN_TIMEOUT_MS = 2_000
"""For making a pattern ready: counts within counts grow without end."""
_PERSON_COLUMNS = {"person": "properties", "first_touch": "first_touch"}


@dataclass(slots=True)
class Binds:
    """Values bound to one statement. `event` and `person` are its aliases of `events` and `persons`.

    The statement must join `persons` (LEFT, by the canonical person) when `domain.filters.asks_person` says so.
    """

    prefix: str = "f"
    """Names begin with it; two in one statement need different ones."""
    event: str = "e"
    person: str = "p"
    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object, kind: str) -> str:
        """SQL for a value of a PostgreSQL type."""
        name = f"{self.prefix}{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST(:{name} AS {kind})"


@dataclass(frozen=True, slots=True)
class _Operand:
    """SQL for the views of one value; each is NULL when there is no such view."""

    written: str
    """The text of what is no list and no object."""
    string: str
    """The text of a text."""
    number: str
    exists: str
    items: str | None = None
    """A JSON list, empty for anything else."""


def filter_sql(filters: Filter, binds: Binds) -> str:
    """A boolean SQL expression, never NULL."""
    if isinstance(filters, Condition):
        holds = _holds(
            NEGATED.get(filters.op, filters.op), filters.values, _operand(filters.path, binds), binds
        )
        return f"{'NOT ' if filters.op in NEGATED else ''}coalesce({holds}, false)"
    parts = [f"({filter_sql(part, binds)})" for part in filters.parts]
    return (" OR " if isinstance(filters, AnyOf) else " AND ").join(parts) or "true"


def number_sql(path: Path, binds: Binds) -> str:
    """SQL for the number at a path, also one written as text; NULL where there is none."""
    return _operand(path, binds).number


def text_sql(path: Path, binds: Binds) -> str:
    """SQL for the text of the text, number or truth value at a path; NULL where there is none."""
    return _operand(path, binds).written


async def check_patterns(connection: AsyncConnection, filters: Filter) -> None:
    """Raises ValueError when PostgreSQL does not take a pattern of `matches`."""
    wanted = [
        condition
        for condition in conditions(filters)
        if NEGATED.get(condition.op, condition.op) is Operator.MATCHES
    ]
    for condition in wanted:
        for pattern in condition.values:
            try:
                async with connection.begin_nested() as point:
                    await connection.execute(text(f"SET LOCAL statement_timeout = {PATTERN_TIMEOUT_MS}"))
                    await connection.execute(text("SELECT '' ~ CAST(:pattern AS text)"), {"pattern": pattern})
                    # Gives the caller's time limit back.
                    await point.rollback()
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state not in (_NO_PATTERN, _QUERY_CANCELED):
                    raise
                words = str(error.orig).rpartition("invalid regular expression: ")[2]
                if state == _QUERY_CANCELED:
                    words = "it is too complex"
                raise ValueError(
                    f"{condition.path} {condition.op}: {pattern!r} is no regular expression: {words}"
                ) from None


def _operand(path: Path, binds: Binds) -> _Operand:
    if path.section in FIELDS:
        return _field(path.section, binds)
    column = (
        f"{binds.event}.{path.section}"
        if path.section in EVENT_SECTIONS
        else f"{binds.person}.{_PERSON_COLUMNS[path.section]}"
    )
    ways = [f"{column} #> {binds.bind(list(keys), 'text[]')}" for keys in path.ways()]
    return _json_operand(ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})", binds)


def _json_operand(value: str, binds: Binds) -> _Operand:
    kind, plain = f"jsonb_typeof({value})", f"(({value}) #>> '{{}}')"
    return _Operand(
        written=f"CASE WHEN {kind} IN ('string', 'number', 'boolean') THEN {plain} END",
        string=f"CASE WHEN {kind} = 'string' THEN {plain} END",
        number=f"CASE WHEN {kind} = 'number' OR {kind} = 'string' AND {plain} ~ {binds.bind(_NUMERAL, 'text')} "
        f"THEN CAST({plain} AS numeric) END",
        exists=f"{kind} <> 'null'",
        items=f"CASE WHEN {kind} = 'array' THEN ({value}) ELSE '[]'::jsonb END",
    )


def _field(name: str, binds: Binds) -> _Operand:
    column = f"{binds.event}.{name}"
    exists = f"{column} IS NOT NULL"
    if name == "revenue":
        return _Operand(f"CAST({column} AS text)", "NULL::text", column, exists)
    if name == "is_bot":
        return _Operand(f"CAST({column} AS text)", "NULL::text", "NULL::numeric", exists)
    number = f"CASE WHEN {column} ~ {binds.bind(_NUMERAL, 'text')} THEN CAST({column} AS numeric) END"
    return _Operand(column, column, number, exists)


def _holds(op: Operator, values: tuple[Value, ...], operand: _Operand, binds: Binds) -> str:
    if op is Operator.EXISTS:
        return operand.exists
    if op is Operator.IS:
        return _is(values, operand, binds)
    if op in ORDERING:
        return _compared(op.value, values[0], operand, binds)
    if op is Operator.BETWEEN:
        low, high = values
        return f"{_compared('>=', low, operand, binds)} AND {_compared('<=', high, operand, binds)}"
    texts = binds.bind([value for value in values if isinstance(value, str)], "text[]")
    found = {
        Operator.CONTAINS: f"strpos({operand.string}, wanted.word) > 0",
        Operator.STARTS_WITH: f"starts_with({operand.string}, wanted.word)",
        Operator.ENDS_WITH: f"right({operand.string}, length(wanted.word)) = wanted.word",
        Operator.MATCHES: f"{operand.string} ~ wanted.word",
    }[op]
    some = f"EXISTS (SELECT 1 FROM unnest({texts}) AS wanted (word) WHERE {found})"
    if op is not Operator.CONTAINS or operand.items is None:
        return some
    item = _is(values, _json_operand("item.value", binds), binds)
    return (
        f"{some} OR EXISTS (SELECT 1 FROM jsonb_array_elements({operand.items}) AS item (value) WHERE {item})"
    )


def _is(values: tuple[Value, ...], operand: _Operand, binds: Binds) -> str:
    written = [str(value).lower() if isinstance(value, bool) else value for value in values]
    texts = [value for value in written if isinstance(value, str)]
    numbers = [value for value in written if isinstance(value, Decimal)]
    parts = []
    if texts:
        parts.append(f"coalesce({operand.written} = ANY ({binds.bind(texts, 'text[]')}), false)")
    if numbers:
        parts.append(f"coalesce({operand.number} = ANY ({binds.bind(numbers, 'numeric[]')}), false)")
    return f"({' OR '.join(parts)})"


def _compared(sign: str, limit: Value, operand: _Operand, binds: Binds) -> str:
    if isinstance(limit, Decimal):
        return f"{operand.number} {sign} {binds.bind(limit, 'numeric')}"
    return f'{operand.string} COLLATE "C" {sign} {binds.bind(limit, "text")}'

"""Filters as SQL. Paths, texts and patterns are bound values, never part of the statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_MAY_BE_NUMBER = re.compile(r"[\s+\-0-9]|$")
"""What keys begin with that PostgreSQL may read as a place in a list."""
_MAY_BE_WRITTEN = re.compile(r"-?[0-9]|true$|false$")
"""What texts begin with that a number or a truth value may be written as."""
_LIKE_SPECIAL = re.compile(r"[\\%_]")
_ESCAPED = r"\\\g<0>"
_AROUND = {Operator.CONTAINS: ("%", "%"), Operator.STARTS_WITH: ("", "%"), Operator.ENDS_WITH: ("%", "")}
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

    plain: str
    """The text that anything but null is written as, lists and objects as JSON."""
    written: str
    """The text of what is no list and no object."""
    string: str
    """The text of a text."""
    number: str
    exists: str
    is_text: str = "true"
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
    ways = [_inside(column, keys, binds) for keys in path.ways()]
    if len(ways) == 1:
        return _json_operand(*ways[0], binds)
    value = f"coalesce({', '.join(value for value, _ in ways)})"
    return _json_operand(value, f"({value} #>> '{{}}')", binds)


def _inside(column: str, keys: Sequence[str], binds: Binds) -> tuple[str, str]:
    """What is inside JSON, and its text. `->` takes a quarter of the time of `#>`, but finds nothing by number in a list."""
    if any(_MAY_BE_NUMBER.match(key) for key in keys):
        listed = binds.bind(list(keys), "text[]")
        return f"({column} #> {listed})", f"({column} #>> {listed})"
    *outer, last = [binds.bind(key, "text") for key in keys]
    around = " -> ".join([column, *outer])
    return f"({around} -> {last})", f"({around} ->> {last})"


def _json_operand(value: str, plain: str, binds: Binds) -> _Operand:
    kind = f"jsonb_typeof({value})"
    return _Operand(
        plain=plain,
        written=f"CASE WHEN {kind} IN ('string', 'number', 'boolean') THEN {plain} END",
        string=f"CASE WHEN {kind} = 'string' THEN {plain} END",
        number=f"CASE WHEN {kind} = 'number' OR {kind} = 'string' AND {plain} ~ {binds.bind(_NUMERAL, 'text')} "
        f"THEN CAST({plain} AS numeric) END",
        exists=f"{kind} <> 'null'",
        is_text=f"{kind} = 'string'",
        items=f"(CASE WHEN {kind} = 'array' THEN {value} ELSE '[]'::jsonb END)",
    )


def _field(name: str, binds: Binds) -> _Operand:
    column = f"{binds.event}.{name}"
    exists = f"{column} IS NOT NULL"
    if name in ("revenue", "is_bot"):
        written, number = f"CAST({column} AS text)", column if name == "revenue" else "NULL::numeric"
        return _Operand(written, written, "NULL::text", number, exists, "false")
    number = f"CASE WHEN {column} ~ {binds.bind(_NUMERAL, 'text')} THEN CAST({column} AS numeric) END"
    return _Operand(column, column, column, number, exists)


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
    texts = [value for value in values if isinstance(value, str)]
    if op is Operator.MATCHES:
        some, wanted = "~", texts
    else:
        before, after = _AROUND[op]
        some, wanted = "LIKE", [f"{before}{_LIKE_SPECIAL.sub(_ESCAPED, value)}{after}" for value in texts]
    parts = [f"{operand.plain} {some} ANY ({binds.bind(wanted, 'text[]')})", operand.is_text]
    # Whether it is a text is asked last: mostly it is. But a pattern may take long for what a list is written as.
    held = f"({' AND '.join(parts[::-1] if op is Operator.MATCHES else parts)})"
    if op is not Operator.CONTAINS or operand.items is None:
        return held
    if any(not isinstance(value, str) or _MAY_BE_WRITTEN.match(value) for value in values):
        item = _is(values, _json_operand("item.value", "(item.value #>> '{}')", binds), binds)
        inside = f"EXISTS (SELECT 1 FROM jsonb_array_elements({operand.items}) AS item (value) WHERE {item})"
    else:
        # Only texts in the list can be equal. PostgreSQL shares no statement with such an EXISTS between processes.
        inside = f"{operand.items} ?| {binds.bind(texts, 'text[]')}"
    return f"({held} OR {operand.plain} LIKE '[%' AND {inside})"


def _is(values: tuple[Value, ...], operand: _Operand, binds: Binds) -> str:
    written = [str(value).lower() if isinstance(value, bool) else value for value in values]
    texts = [value for value in written if isinstance(value, str)]
    numbers = [value for value in written if isinstance(value, Decimal)]
    parts = []
    if texts:
        # A list is written as [...], an object as {...}: for other texts need not be asked what it is.
        text = operand.written if any(value[:1] in ("[", "{") for value in texts) else operand.plain
        parts.append(f"coalesce({text} = ANY ({binds.bind(texts, 'text[]')}), false)")
    if numbers:
        parts.append(f"coalesce({operand.number} = ANY ({binds.bind(numbers, 'numeric[]')}), false)")
    return f"({' OR '.join(parts)})"


def _compared(sign: str, limit: Value, operand: _Operand, binds: Binds) -> str:
    if isinstance(limit, Decimal):
        return f"{operand.number} {sign} {binds.bind(limit, 'numeric')}"
    return f'{operand.string} COLLATE "C" {sign} {binds.bind(limit, "text")}'

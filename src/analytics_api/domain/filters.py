"""Filters: which events are meant, by what they and their persons are like. One language for metrics, funnels and segments.

    {"path": "event_data.cart.total", "op": ">=", "value": 20}
    {"any_of": [{"path": "person.plan", "op": "is", "value": ["pro", "team"]}, {"path": "user_id", "op": "not_exists"}]}

A list of filters means all of them. What is missing or null meets only a negated operator. A number and a text that is
written as that number are equal for a wanted number; a wanted text equals the text that a number or truth value is written as.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

EVENT_SECTIONS = ("event_data", "user_properties", "context")
PERSON_SECTIONS = ("person", "first_touch")
"""`person`: properties of the event's person as they are now; `first_touch`: where the person came from."""
SECTIONS = EVENT_SECTIONS + PERSON_SECTIONS
FIELDS = ("event_type", "user_id", "anonymous_id", "session_id", "revenue", "currency", "is_bot")

DEEPEST = 5
"""Names in a path. A name may hold dots, so looking one up tries 2 ** (names - 1) ways."""
LONGEST = 500
"""Characters of a path, a text or a pattern."""
MOST_VALUES = 200
MOST_CONDITIONS = 50
DEEPEST_GROUP = 3
LARGEST = Decimal(10) ** 100


class Operator(StrEnum):
    """What a condition asks of a value. Those of one meaning with the rules of destinations have their names."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    NOT_MATCHES = "not_matches"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    BETWEEN = "between"


NEGATED = {
    Operator.IS_NOT: Operator.IS,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_MATCHES: Operator.MATCHES,
    Operator.NOT_EXISTS: Operator.EXISTS,
}
"""Each holds whenever the other does not."""
BARE = (Operator.EXISTS, Operator.NOT_EXISTS)
ORDERING = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)
_OF_TEXT = (Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES, Operator.NOT_MATCHES)

Value = str | Decimal | bool


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value is: one of SECTIONS and names inside it, or one of FIELDS without names."""

    section: str
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: object) -> Path:
        """From names with dots between. Raises ValueError with a sentence that begins with the path."""
        if not isinstance(text, str) or len(text) > LONGEST or not _storable(text):
            raise ValueError(f"use a text such as event_data.plan, of at most {LONGEST} characters")
        section, *names = text.split(".")
        if section not in SECTIONS + FIELDS:
            close = difflib.get_close_matches(section, SECTIONS + FIELDS, n=1)
            hint = f"did you mean {'.'.join([close[0], *names])}? " if close else ""
            raise ValueError(
                f"{text!r} leads nowhere; {hint}Begin with {'., '.join(SECTIONS)}., or use one of {', '.join(FIELDS)}"
            )
        if section in FIELDS and names:
            raise ValueError(f"{text!r} leads nowhere; {section} has no parts")
        if section in SECTIONS and not (0 < len(names) <= DEEPEST and all(names)):
            raise ValueError(f"{text!r} is no path; use one to {DEEPEST} names with a dot between")
        return cls(section, tuple(names))

    def __str__(self) -> str:
        return ".".join((self.section, *self.names))

    @property
    def of_person(self) -> bool:
        """Whether it leads to the person instead of the event."""
        return self.section in PERSON_SECTIONS

    def ways(self) -> Iterator[tuple[str, ...]]:
        """The ways to read the names as keys, in the order in which they are tried: a key with dots before nested ones."""
        return _keys(self.names)


def _keys(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not names:
        yield ()
    for length in range(len(names), 0, -1):
        for rest in _keys(names[length:]):
            yield (".".join(names[:length]), *rest)


@dataclass(frozen=True, slots=True)
class Condition:
    """What one value must be like."""

    path: Path
    op: Operator
    values: tuple[Value, ...] = ()
    """Of which one is enough; the two ends for `between`."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of some filters; without any, every event."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of some filters."""

    parts: tuple[Filter, ...]


Filter = Condition | AllOf | AnyOf
EVERY_EVENT = AllOf()


def conditions(filters: Filter) -> Iterator[Condition]:
    """All conditions of a filter."""
    if isinstance(filters, Condition):
        yield filters
    else:
        for part in filters.parts:
            yield from conditions(part)


def asks_person(filters: Filter) -> bool:
    """Whether a filter asks for something of the person."""
    return any(condition.path.of_person for condition in conditions(filters))


def parse_filters(value: object, where: str = "filters") -> AllOf:
    """Filters from JSON: a list, or one alone. Raises ValueError whose words begin with the place: `filters[0].op: ...`."""
    listed = value if isinstance(value, list) else [value]
    parsed = AllOf(_parse_list(listed, where, 1))
    if sum(1 for _ in conditions(parsed)) > MOST_CONDITIONS:
        raise ValueError(f"{where}: give at most {MOST_CONDITIONS} conditions")
    return parsed


def parse_filter_text(texts: list[str], where: str = "filter") -> AllOf:
    """Filters from query strings: each JSON, or `PATH OPERATOR VALUE` as in `event_data.plan is pro`.

    VALUE is a text unless it reads as JSON: `5`, `true`, `"5"`, `["pro", "team"]`. Raises ValueError as `parse_filters` does.
    """
    parts: list[object] = []
    for number, text in enumerate(texts):
        found = _from_text(text, f"{where}[{number}]")
        parts.extend(found if isinstance(found, list) else [found])
    return parse_filters(parts, where)


def _from_text(text: str, where: str) -> object:
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(
                f"{where}: is no JSON; write it so, or as PATH OPERATOR VALUE: event_data.plan is pro"
            ) from None
    path, op, rest = [*text.split(" ", 2), "", ""][:3]
    given: dict[str, object] = {"path": path, "op": op}
    if rest:
        try:
            given["value"] = json.loads(rest)
        except (ValueError, RecursionError):
            given["value"] = rest
        if not isinstance(given["value"], str | int | float | list):
            given["value"] = rest
    return given


def _parse_list(listed: list[Any], where: str, depth: int) -> tuple[Filter, ...]:
    if depth > DEEPEST_GROUP:
        raise ValueError(f"{where}: nest all_of and any_of at most {DEEPEST_GROUP - 1} deep")
    return tuple(_parse(each, f"{where}[{number}]", depth) for number, each in enumerate(listed))


def _parse(value: object, where: str, depth: int) -> Filter:
    if not isinstance(value, dict):
        raise ValueError(
            f'{where}: write an object such as {{"path": "event_data.plan", "op": "is", "value": "pro"}}'
        )
    for name, group in (("all_of", AllOf), ("any_of", AnyOf)):
        if name in value:
            listed = value[name]
            if len(value) > 1 or not isinstance(listed, list) or not listed:
                raise ValueError(f"{where}.{name}: give a list of filters, and nothing beside it")
            made: Filter = group(_parse_list(listed, f"{where}.{name}", depth + 1))
            return made
    unknown = next((key for key in value if key not in ("path", "op", "value")), None)
    if unknown is not None:
        raise ValueError(f"{where}.{unknown}: is not known here; use path, op and value, or all_of, any_of")
    try:
        path = Path.parse(value.get("path"))
    except ValueError as error:
        raise ValueError(f"{where}.path: {error}") from None
    if value.get("op") not in list(Operator):
        raise ValueError(f"{where}.op: use one of {', '.join(Operator)}")
    op = Operator(value["op"])
    return Condition(path, op, _values(op, value.get("value"), f"{where}.value"))


def _values(op: Operator, given: object, where: str) -> tuple[Value, ...]:
    if op in BARE:
        if given is not None:
            raise ValueError(f"{where}: leave it out; {op} asks for none")
        return ()
    listed = given if isinstance(given, list) else [given]
    if op in ORDERING and isinstance(given, list):
        raise ValueError(f"{where}: {op} compares with one number or text; for a range use between")
    if op is Operator.BETWEEN and (not isinstance(given, list) or len(given) != 2):
        raise ValueError(f"{where}: give the two ends, both included, as in [10, 20]")
    if not 0 < len(listed) <= MOST_VALUES:
        raise ValueError(f"{where}: give one to {MOST_VALUES} values")
    values = tuple(_value(each, where) for each in listed)
    if op in _OF_TEXT and not all(isinstance(value, str) for value in values):
        raise ValueError(f"{where}: {op} compares with texts")
    if op in (*ORDERING, Operator.BETWEEN) and len({type(value) for value in values} & {str, Decimal}) != 1:
        raise ValueError(f"{where}: {op} compares with a number or a text")
    if op is Operator.BETWEEN and type(values[0]) is not type(values[1]):
        raise ValueError(f"{where}: give two numbers or two texts")
    return values


def _value(given: object, where: str) -> Value:
    if isinstance(given, bool):
        return given
    if isinstance(given, int | float | Decimal):
        number = Decimal(str(given))
        if not number.is_finite() or abs(number) >= LARGEST:
            raise ValueError(f"{where}: use a number below 1e100")
        return number
    if isinstance(given, str) and len(given) <= LONGEST and _storable(given):
        return given
    raise ValueError(
        f"{where}: use texts of at most {LONGEST} characters, numbers, true or false; not_exists asks for what is null or missing"
    )


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def as_json(filters: Filter) -> Any:
    """What `parse_filters` makes the same filter of; the outermost AllOf becomes a list. Equal filters give equal JSON."""
    if isinstance(filters, AllOf):
        return [_as_json(part) for part in filters.parts]
    return _as_json(filters)


def _as_json(filters: Filter) -> dict[str, Any]:
    if isinstance(filters, AllOf | AnyOf):
        name = "all_of" if isinstance(filters, AllOf) else "any_of"
        return {name: [_as_json(part) for part in filters.parts]}
    written: dict[str, Any] = {"path": str(filters.path), "op": filters.op.value}
    if filters.values:
        values = [_number(value) if isinstance(value, Decimal) else value for value in filters.values]
        written["value"] = values[0] if len(values) == 1 else values
    return written


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def in_words(filters: Filter) -> str:
    """A filter for people: `event_data.plan is pro or team and revenue > 10`. Empty for one that takes every event."""
    if isinstance(filters, Condition):
        joined = " and " if filters.op is Operator.BETWEEN else " or "
        return " ".join(
            [str(filters.path), filters.op.value.replace("_", " "), joined.join(map(_word, filters.values))]
        ).rstrip()
    parts = [
        f"({words})" if isinstance(part, AllOf | AnyOf) and len(part.parts) > 1 else words
        for part in filters.parts
        if (words := in_words(part))
    ]
    return (" and " if isinstance(filters, AllOf) else " or ").join(parts)


def _word(value: Value) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else value

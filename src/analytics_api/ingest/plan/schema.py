"""JSON Schemas of event data: checked when they are registered, compiled once, fast when events come.

Draft 2020-12 by the library jsonschema-rs, which compiles to native code: 0.3 µs for an object of five properties. Patterns run in
linear time, and nothing is ever fetched: a schema may refer to its own parts only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema_rs
import msgspec

from analytics_api.domain.plan import Finding, WarningKind
from analytics_api.errors import Unprocessable

LARGEST_SCHEMA = 32_768
"""Bytes of its JSON."""
MOST_PARTS = 5_000
"""Subschemas, those behind references counted each time: thirty definitions that each name the next twice would be looked
at a thousand million times."""
DEEPEST_SCHEMA = 64
MOST_FINDINGS = 5
"""Of one event; the rest would say the same again."""
LISTED_BYTES = 4_096
"""Of data that is looked through for all that is wrong with it; of more, the first thing is told. The library finds everything before it
tells anything: 12,000 wrong items against `anyOf` of 2 took 180 ms, of 50 five seconds, in which nobody else was served."""
LONGEST_REASON = 300

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMED_PARTS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTED_PARTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE_PARTS = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)

Schema = dict[str, Any]


class EventSchema:
    """A compiled schema of `event_data`."""

    __slots__ = ("_is_valid", "_validator")

    def __init__(self, schema: Schema) -> None:
        """Compile. Raises Unprocessable naming the place where the schema is wrong."""
        _check_parts(schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                schema,
                offline=True,
                validate_formats=True,
                # The engine without backtracking: no pattern can be made slow by what is sent.
                pattern_options=jsonschema_rs.RegexOptions(size_limit=1_000_000, dfa_size_limit=2_000_000),
                mask="the value",
            )
        except jsonschema_rs.ValidationError as error:
            raise _wrong([*error.instance_path], _what_is_wrong(error)) from None
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
            raise _wrong([], str(error)) from None
        self._is_valid = self._validator.is_valid

    def findings(self, data: dict[str, Any]) -> tuple[Finding, ...]:
        """What is wrong with the data of an event; nothing for nearly every event."""
        if self._is_valid(data):
            return ()
        found: dict[Finding, None] = {}
        for error in self._errors(data):
            found.update(dict.fromkeys(_findings(error, data)))
            if len(found) >= MOST_FINDINGS:
                break
        return tuple(found)[:MOST_FINDINGS]

    def _errors(self, data: dict[str, Any]) -> Iterable[jsonschema_rs.ValidationError]:
        if len(msgspec.json.encode(data)) <= LISTED_BYTES:
            return self._validator.iter_errors(data)
        try:
            self._validator.validate(data)
        except jsonschema_rs.ValidationError as first:
            return (first,)
        return ()


def schema_text(schema: Schema) -> str:
    """The JSON of a schema, as it is stored. Raises Unprocessable when it is too large or no JSON."""
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, RecursionError):
        raise Unprocessable(
            "schema: it holds NaN, Infinity or half a surrogate pair, or is nested too deeply."
        ) from None
    if size > LARGEST_SCHEMA:
        raise Unprocessable(f"schema: it has {size} bytes; the limit is {LARGEST_SCHEMA}: make it smaller.")
    return text


def _findings(error: jsonschema_rs.ValidationError, data: dict[str, Any]) -> Iterator[Finding]:
    base = [*error.instance_path]
    keyword = error.kind.name
    unexpected = _unexpected(error, data)
    if unexpected:
        for name in unexpected[:MOST_FINDINGS]:
            reason = f"{_place([*base, name])} is not in the schema"
            yield Finding(WarningKind.UNKNOWN_FIELD, _path([*base, name]), _cut(reason))
        return
    if keyword == "required":
        base.append(error.kind.as_dict()["property"])
        yield Finding(WarningKind.SCHEMA, _path(base), _cut(f"{_place(base)} is required"))
        return
    yield Finding(WarningKind.SCHEMA, _path(base), _cut(f"{_place(base)}: {error.message}"))


def _unexpected(error: jsonschema_rs.ValidationError, data: Any) -> list[str]:
    """Names of the properties that a schema has no room for; none when something else is wrong."""
    keywords = ("additionalProperties", "unevaluatedProperties")
    if error.kind.name in keywords:
        names: list[str] = error.kind.as_dict()["unexpected"]
        return names
    *before, last = error.schema_path or [""]
    if error.kind.name != "falseSchema" or last not in keywords or before[-1:] == ["properties"]:
        return []
    # A schema that knows no property at all allows none.
    for part in error.instance_path:
        data = data[part]
    return [*data] if isinstance(data, dict) else []


def _place(path: list[str | int]) -> str:
    """Where exactly: `event_data.items[3].price`."""
    return "event_data" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _path(path: list[str | int]) -> str:
    """The same for counting, where all places of a list are one: `event_data.items[].price`."""
    return _cut("event_data" + "".join("[]" if isinstance(part, int) else f".{part}" for part in path))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _check_parts(schema: Schema) -> None:
    """Raise Unprocessable for another dialect, references out of the schema or around in circles, and too many parts."""
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        raise _wrong(["$schema"], f"only draft 2020-12 is understood: leave it out or write {DIALECT}")
    _Parts(schema).count(schema, ())


class _Parts:
    """Counts the subschemas of a schema, following references."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._following: list[str] = []
        self._counted = 0

    def count(self, part: object, place: tuple[str | int, ...]) -> None:
        if not isinstance(part, dict):
            return
        self._counted += 1
        if self._counted > MOST_PARTS:
            raise _wrong([], f"it has more than {MOST_PARTS} parts, those behind references included")
        if len(place) > DEEPEST_SCHEMA:
            raise _wrong([*place], f"it is nested deeper than {DEEPEST_SCHEMA} levels")
        for keyword in ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$anchor"):
            if isinstance(part.get(keyword), str):
                raise _wrong(
                    [*place, keyword], "is not supported: use $ref with a path such as #/$defs/price"
                )
        if place and isinstance(part.get("$id"), str):
            raise _wrong([*place, "$id"], "is possible at the top only")
        for keyword in _SINGLE_PARTS:
            self.count(part.get(keyword), (*place, keyword))
        for keyword in _LISTED_PARTS:
            listed = part.get(keyword)
            for index, inner in enumerate(listed if isinstance(listed, list) else ()):
                self.count(inner, (*place, keyword, index))
        for keyword in _NAMED_PARTS:
            named = part.get(keyword)
            for name, inner in named.items() if isinstance(named, dict) else ():
                self.count(inner, (*place, keyword, name))
        if isinstance(part.get("$ref"), str):
            self._follow(part["$ref"], (*place, "$ref"))

    def _follow(self, reference: str, place: tuple[str | int, ...]) -> None:
        if not reference.startswith("#/"):
            raise _wrong(
                [*place],
                f"{reference[:100]!r} leads out of the schema: only #/... is followed, nothing is fetched",
            )
        if reference in self._following:
            raise _wrong([*place], f"{reference[:100]!r} leads back to itself")
        target: Any = self._root
        for name in reference[2:].split("/"):
            key = name.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        if not isinstance(target, dict | bool):
            raise _wrong([*place], f"there is no {reference[:100]!r} in the schema")
        self._following.append(reference)
        self.count(target, place)
        self._following.pop()


def _wrong(path: list[str | int], reason: str) -> Unprocessable:
    place = ".".join(["schema", *map(str, path)])
    return Unprocessable(f"{_cut(place)}: {_cut(reason)}.")


def _what_is_wrong(error: jsonschema_rs.ValidationError) -> str:
    keyword = error.instance_path[-1] if error.instance_path else None
    if keyword == "pattern" or (
        error.kind.name == "format" and error.kind.as_dict().get("format") == "regex"
    ):
        return "is no pattern that can be used (look-around and back-references are not supported)"
    if keyword == "type":
        return "is no type: use array, boolean, integer, null, number, object, string or a list of them"
    return str(error.message)

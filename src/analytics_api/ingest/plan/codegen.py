"""Types of a tracking plan's events for programs: Python for mypy, TypeScript for tsc. Pure; the same plan gives the same text."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = Mapping[str, Any] | bool
_DEEPEST = 20
"""Of references and objects; what is deeper is anything."""


class Language(StrEnum):
    """What types are written in."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"


def generate(language: Language, project: str, types: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str:
    """The text of a module. `types`: description and schema of `event_data`, by event type."""
    names = _class_names(types)
    write = _python if language is Language.PYTHON else _typescript
    return write(project, [_Event(name, names[name], *types[name]) for name in sorted(types)])


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    class_name: str
    description: str
    schema: Mapping[str, Any]

    @property
    def words(self) -> str:
        """The description, safe in a comment and a docstring of one line."""
        said = self.description or f"Properties of {self.name}."
        text = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
        return text.replace("\\", "/").replace('"""', "'''").replace("*/", "* /").rstrip('"')

    def fields(self) -> list[tuple[str, Schema, bool]]:
        """Name, schema and whether it is required, of each property."""
        required = set(self.schema.get("required", ()))
        properties = dict(self.schema.get("properties", {}))
        properties |= dict.fromkeys(required - set(properties), True)
        return [(name, properties[name], name in required) for name in sorted(properties)]


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How a language writes types."""

    names: Mapping[str, str]
    unknown: str
    listed: Callable[[str], str]
    mapped: Callable[[str], str]
    union: Callable[[list[str]], str]
    literal: Callable[[Any], str]


def _type_of(schema: Schema, root: Mapping[str, Any], grammar: _Grammar, depth: int = 0) -> str:
    """The type of a value; anything where the schema says nothing that a type could."""
    if isinstance(schema, bool) or depth > _DEEPEST:
        return grammar.unknown
    if "$ref" in schema:
        return _type_of(_referred(schema["$ref"], root), root, grammar, depth + 1)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values and all(isinstance(value, str | int | bool | None) for value in values):
        return grammar.union([grammar.literal(value) for value in values])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return grammar.union([_type_of(each, root, grammar, depth + 1) for each in schema[word]])
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if not kinds:
        return grammar.unknown
    return grammar.union([_kind(kind, schema, root, grammar, depth) for kind in kinds])


def _kind(
    kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], grammar: _Grammar, depth: int
) -> str:
    if kind == "array":
        return grammar.listed(_type_of(schema.get("items", True), root, grammar, depth + 1))
    if kind == "object":
        return grammar.mapped(_type_of(schema.get("additionalProperties", True), root, grammar, depth + 1))
    return grammar.names[kind]


def _referred(pointer: str, root: Mapping[str, Any]) -> Schema:
    """What a JSON pointer (RFC 6901) within the schema leads to."""
    found: Any = root
    for part in pointer.removeprefix("#").split("/")[1:]:
        try:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            return True
    return found if isinstance(found, Mapping | bool) else True


def _unique(types: list[str]) -> list[str]:
    return list(dict.fromkeys(types))


def _class_names(types: Mapping[str, Any]) -> dict[str, str]:
    """`photo_processed` as `PhotoProcessed`; a number behind it where two would be the same."""
    names: dict[str, str] = {}
    for event_type in sorted(types):
        words = re.findall(r"[a-z0-9]+", event_type.lower()) or ["event"]
        name = "".join(word.capitalize() for word in words)
        name = f"Event{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
        number, unique = 2, name
        while unique in names.values() or unique in _TAKEN:
            unique, number = f"{name}{number}", number + 1
        names[event_type] = unique
    return names


_TAKEN = frozenset(
    {"Any", "Events", "Literal", "Optional", "Protocol", "TypedAnalytics", "TypedDict", "Union"}
)


def _python_union(types: list[str]) -> str:
    types = _unique(types)
    return "Any" if "Any" in types else types[0] if len(types) == 1 else f"Union[{', '.join(types)}]"


_PYTHON = _Grammar(
    {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"},
    "Any",
    "list[{}]".format,
    "dict[str, {}]".format,
    _python_union,
    lambda value: "None" if value is None else f"Literal[{value!r}]",
)

_PYTHON_HEAD = '''"""Typed events of project {project}. Made by `analytics-api codegen`; do not edit."""

from __future__ import annotations

from typing import Any, Literal, Optional, Protocol, TypedDict, Union


class _Client(Protocol):
    def track(self, event_type: str, event_data: Optional[dict[str, Any]] = None, **more: Any) -> Optional[str]: ...
'''

_PYTHON_TRACKER = '''

class TypedAnalytics:
    """The events of the plan as methods of a client of analytics_client."""

    def __init__(self, client: Any) -> None:
        self._client: _Client = client
'''


def _python(project: str, events: list[_Event]) -> str:
    parts = [_PYTHON_HEAD.format(project=project)]
    methods = [_PYTHON_TRACKER]
    for event in events:
        name = event.class_name
        for part, required in (("Required", True), ("Optional", False)):
            fields = [
                f"{field!r}: {_type_of(schema, event.schema, _PYTHON)}"
                for field, schema, needed in event.fields()
                if needed is required
            ]
            total = "" if required else ", total=False"
            parts.append(f"\n\n_{name}{part} = TypedDict('_{name}{part}', {{{', '.join(fields)}}}{total})")
        parts.append(f'\n\n\nclass {name}(_{name}Required, _{name}Optional):\n    """{event.words}"""\n')
        methods.append(
            f"\n    def {_snake(name)}(self, event_data: {name}, **more: Any) -> Optional[str]:\n"
            f'        """{event.words}"""\n'
            f"        return self._client.track({event.name!r}, dict(event_data), **more)\n"
        )
    return "".join(parts + methods)


def _snake(name: str) -> str:
    text = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return f"{text}_" if keyword.iskeyword(text) else text


def _typescript_union(types: list[str]) -> str:
    types = _unique(types)
    return "unknown" if "unknown" in types else " | ".join(types)


_TYPESCRIPT = _Grammar(
    {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"},
    "unknown",
    "Array<{}>".format,
    "Record<string, {}>".format,
    _typescript_union,
    lambda value: json.dumps(value, ensure_ascii=False),
)


def _typescript(project: str, events: list[_Event]) -> str:
    parts = [f"/** Typed events of project {project}. Made by `analytics-api codegen`; do not edit. */\n"]
    for event in events:
        parts.append(f"\n/** {event.words} */\nexport interface {event.class_name} {{\n")
        for field, schema, required in event.fields():
            mark = "" if required else "?"
            parts.append(f"  {json.dumps(field)}{mark}: {_type_of(schema, event.schema, _TYPESCRIPT)};\n")
        parts.append("}\n")
    parts.append(
        "\n/** Event types and their properties, for AnalyticsClient<Events>. */\nexport interface Events {\n"
    )
    parts += [f"  {json.dumps(event.name)}: {event.class_name};\n" for event in events]
    return "".join([*parts, "}\n"])

"""Which columns a list has that is empty: from the description of its call (OpenAPI)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analytics_api.query.export.tables import columns_of


def described_columns(document: Mapping[str, Any], method: str, path: str, table: str) -> list[str]:
    """Columns of a list in the answer to a call, by its example or else its schema; none when neither tells.

    `table` is the list's path in the answer, as in `sources.channels`; "" is the answer itself.
    """
    answer = operation_of(document["paths"], method, path).get("responses", {}).get("200", {})
    content = answer.get("content", {}).get("application/json", {})
    names = table.split(".") if table else []
    if "example" in content:
        found = content["example"]
        for name in names:
            found = found.get(name, {}) if isinstance(found, dict) else {}
        return columns_of(found) if isinstance(found, list) else []
    schemas = document["components"]["schemas"]
    schema = _resolved(content.get("schema") or {}, schemas)
    outer: list[str] = []
    prefix = ""
    for name in names:
        if "items" in schema:
            schema = _resolved(schema["items"], schemas)
            outer += _columns(schema, schemas, prefix, lists=False)
            prefix += f"{name}."
        schema = _resolved(schema.get("properties", {}).get(name, {}), schemas)
    place = [f"{prefix}place"] if prefix else []
    return [*outer, *place, *_columns(_resolved(schema.get("items", {}), schemas), schemas, prefix)]


def operation_of(paths: Mapping[str, Any], method: str, path: str) -> Mapping[str, Any]:
    """What a description of an API says of a call; empty when nothing."""
    for template in (path, *paths):
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) and template in paths:
            found: Mapping[str, Any] = paths[template].get(method, {})
            return found
    return {}


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without reference, and without null where something else is possible."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, schemas)
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return schema


def _columns(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str = "", *, lists: bool = True
) -> list[str]:
    """Of an object, with those that hold lists or without; those of objects inside have dots in their names."""
    found = []
    for name, inner in schema.get("properties", {}).items():
        there = _resolved(inner, schemas)
        inside = _columns(there, schemas, f"{prefix}{name}.", lists=lists)
        found += inside or ([f"{prefix}{name}"] if lists or there.get("type") != "array" else [])
    return found

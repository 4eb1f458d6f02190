"""Writes api/openapi.json: the part of the API's description that the dashboard uses. `make web-types` runs it.

The paths are those that the sources name, so a change elsewhere in the API leaves the file as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analytics_api.app import PREFIX, create_app
from analytics_api.settings import Settings

HERE = Path(__file__).parent
OUT = HERE / "api" / "openapi.json"
_CALL = re.compile(r"""\b(?:api\.)?(?:get|ask|post|put|patch|del)\(\s*['"](/[^'"?]*)['"]""")
_USELESS = ("example", "examples", "description", "title", "summary", "operationId")


def used_paths() -> set[str]:
    """Paths below the prefix that the sources call."""
    return {
        path
        for file in (HERE / "src").rglob("*")
        if file.suffix in (".ts", ".vue") and file.name != "schema.d.ts"
        for path in _CALL.findall(file.read_text())
    }


def used_document() -> dict[str, Any]:
    """The description of these paths and of what they refer to, without what only people read."""
    document = create_app(Settings(_env_file=None), "postgresql+asyncpg://unused").openapi()
    wanted = used_paths()
    unknown = sorted(path for path in wanted if PREFIX + path not in document["paths"])
    if unknown:
        raise SystemExit(f"the API has no {', '.join(unknown)}")
    paths = {path: _plain(document["paths"][PREFIX + path]) for path in sorted(wanted)}
    for operations in paths.values():
        for operation in operations.values():
            operation.pop("security", None)
            operation["responses"] = {
                status: answer for status, answer in operation["responses"].items() if status.startswith("2")
            }
    schemas: dict[str, Any] = {}
    waiting = set(_references(paths))
    while waiting:
        name = waiting.pop()
        schemas[name] = _plain(document["components"]["schemas"][name])
        waiting |= set(_references(schemas[name])) - set(schemas)
    info = {"title": "What the dashboard uses", "version": "1"}
    return {
        "openapi": document["openapi"],
        "info": info,
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _plain(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _plain(each, names=key == "properties" and not names)
        for key, each in value.items()
        if names or key not in _USELESS
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each.rpartition("/")[2]
            else:
                yield from _references(each)


def text() -> str:
    """The file's content."""
    return json.dumps(used_document(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    OUT.write_text(text())

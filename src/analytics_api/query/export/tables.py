"""Any answer of the API as a table of CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from analytics_api.domain.csv_text import csv_line
from analytics_api.errors import Unprocessable


def as_csv(document: Any, wanted: str | None, columns: Callable[[str], list[str]]) -> bytes:
    """The list that an answer is or holds, a row each; an answer without a list is one row.

    `wanted`: the list of that path, as in `sources.channels`, where there are several. Raises Unprocessable naming them.
    `columns`: what the list of a path has, for one that is empty; the path of an answer that is a list is "".
    """
    if isinstance(document, list):
        return _written(document, columns(""))
    lists = dict(_lists(document))
    if wanted is None and len(lists) != 1:
        # What is no list is one row: totals of a report.
        return _written([_without_lists(document)], [])
    name = wanted if wanted is not None else next(iter(lists))
    if name not in lists:
        raise Unprocessable(f"table: use one of {', '.join(lists) or 'no table; leave it out'}.")
    return _written(lists[name], columns(name))


def _lists(value: Any, path: str = "") -> list[tuple[str, list[Any]]]:
    """Lists of objects inside objects, by path."""
    if not isinstance(value, dict):
        return []
    found = []
    for name, inner in value.items():
        here = f"{path}.{name}" if path else name
        if isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            found.append((here, inner))
        elif isinstance(inner, dict):
            found += _lists(inner, here)
    return found


def _without_lists(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_lists(inner) if isinstance(inner, dict) else inner
        for name, inner in value.items()
        if not isinstance(inner, list)
    }


def columns_of(rows: list[Any]) -> list[str]:
    """The columns that rows have together."""
    return list(dict.fromkeys(name for row in rows for name in _row(row)))


def _written(rows: list[Any], of_none: list[str]) -> bytes:
    flat = [_row(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row)) or of_none
    lines = [csv_line([*columns]), *(csv_line([row.get(name) for name in columns]) for row in flat)]
    return "".join(lines).encode() if columns else b""


def _row(row: Any) -> dict[str, Any]:
    return _flat(row) if isinstance(row, dict) else {"value": row}


def _flat(row: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Objects inside become columns with dots in their names; lists become JSON."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        here = f"{path}{name}"
        if isinstance(value, dict):
            found |= _flat(value, f"{here}.")
        elif isinstance(value, list):
            found[here] = orjson.dumps(value).decode()
        else:
            found[here] = value
    return found

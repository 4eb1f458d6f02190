"""Any answer of the API as a table: CSV, JSON lines or Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from analytics_api.domain.csv_text import csv_line
from analytics_api.errors import Unprocessable
from analytics_api.query.export.formats import Format, require_arrow


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with what each has of the columns."""

    columns: list[str]
    rows: list[dict[str, Any]]

    def written(self, kind: Format) -> bytes:
        """As a file. Raises Unprocessable when Parquet is asked for and pyarrow is not there."""
        if kind is Format.CSV:
            lines = [csv_line([*self.columns])]
            lines += [csv_line([row.get(name) for name in self.columns]) for row in self.rows]
            return "".join(lines).encode() if self.columns else b""
        if kind is Format.JSONL:
            return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in self.rows)
        return self._parquet()

    def _parquet(self) -> bytes:
        arrow = require_arrow()

        def array(name: str) -> Any:
            values = [row.get(name) for row in self.rows]
            try:
                found = arrow.array(values)
            except (arrow.ArrowException, OverflowError):
                # Numbers in some rows and texts in others.
                found = arrow.array([None if value is None else str(value) for value in values])
            # Of a column without any value the type is not known.
            return found.cast(arrow.string()) if arrow.types.is_null(found.type) else found

        sink = io.BytesIO()
        table = arrow.Table.from_arrays([array(name) for name in self.columns], names=self.columns)
        arrow.parquet.write_table(table, sink, compression="zstd")
        return sink.getvalue()


def as_table(document: Any, wanted: str | None, columns: Callable[[str], list[str]]) -> Table:
    """The list that an answer is or holds, a row each; an answer without a list is one row.

    `wanted`: the list of that path, as in `sources.channels`, where there are several. Raises Unprocessable naming them.
    `columns`: what the list of a path has, for one that is empty; the path of an answer that is a list is "".
    """
    if isinstance(document, list):
        return _table(document, columns(""))
    lists = dict(_lists(document))
    if wanted is None and len(lists) != 1:
        # What is no list is one row: totals of a report.
        return _table([_without_lists(document)], [])
    name = wanted if wanted is not None else next(iter(lists))
    if name not in lists:
        raise Unprocessable(f"table: use one of {', '.join(lists) or 'no table; leave it out'}.")
    return _table(lists[name], columns(name))


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


def _table(rows: list[Any], of_none: list[str]) -> Table:
    flat = [_row(row) for row in rows]
    return Table(list(dict.fromkeys(name for row in flat for name in row)) or of_none, flat)


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

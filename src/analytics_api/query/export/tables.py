"""Any answer of the API as a table: CSV, JSON lines or Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
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


def as_table(
    document: Any, wanted: str | None, columns: Callable[[str], list[str]], main: Sequence[str] = ()
) -> Table:
    """The list that an answer is or holds, a row each; an answer without a list is one row.

    `wanted`: the list of that path, as in `sources.channels`, where there are several; of lists inside a list, as in
    `cohorts.cells`, each entry is a row with what it belongs to. Without it the first of `main` that is there. Raises Unprocessable
    naming the lists. `columns`: what the list of a path has, for one that is empty; the path of an answer that is a list is "".
    """
    if isinstance(document, list):
        return _table(document, columns(""))
    paths = list(dict.fromkeys(_paths(document)))
    name = wanted if wanted is not None else next((path for path in main if path in paths), None)
    if name is None:
        outer = [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]
        totals = _without_lists(document)
        if len(outer) != 1 and totals:
            # What is no list is one row: totals of a report.
            return _table([totals], [])
        name = outer[0] if len(outer) == 1 else ""
    if name not in paths:
        raise Unprocessable(f"table: use one of {', '.join(paths) or 'no table; leave it out'}.")
    return _tabulated(_entries(document, name.split(".")), columns(name))


def _paths(value: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of lists of objects, those inside of others behind these."""
    for name, inner in value.items():
        here = f"{path}.{name}" if path else name
        if isinstance(inner, dict):
            yield from _paths(inner, here)
        elif isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            yield here
            for item in inner:
                yield from _paths(item, here)


def _entries(value: dict[str, Any], names: list[str], prefix: str = "") -> list[dict[str, Any]]:
    """A row for each entry of the list at a path. Entries of a list inside another come with their place and with what they are in."""
    inner, rest = value.get(names[0], []), names[1:]
    if isinstance(inner, dict):
        return _entries(inner, rest, prefix)
    if not rest:
        return [_flat(item, prefix) for item in inner]
    found = []
    for item in inner:
        outer = _flat(_without_lists(item), prefix)
        within = f"{prefix}{rest[0]}."
        for place, row in enumerate(_entries(item, rest, within)):
            found.append({**outer, **({f"{within}place": place} if len(rest) == 1 else {}), **row})
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
    return _tabulated([_row(row) for row in rows], of_none)


def _tabulated(rows: list[dict[str, Any]], of_none: list[str]) -> Table:
    found = dict.fromkeys(name for row in rows for name in row)
    # An object that is null in some rows has the columns of its fields in others, or could have.
    objects = {name[:place] for name in (*found, *of_none) for place, sign in enumerate(name) if sign == "."}
    nothing = {name for name in objects & found.keys() if all(row.get(name) is None for row in rows)}
    return Table(
        [name for name in found if name not in nothing] or of_none,
        [{name: value for name, value in row.items() if name not in nothing} for row in rows]
        if nothing
        else rows,
    )


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

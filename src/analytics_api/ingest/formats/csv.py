"""CSV with a header line; the fields that a column can hold and how columns are found."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import IO, Any

import msgspec

from analytics_api.errors import ConfigurationError
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.formats.line import FieldMap, Line, Lines, mapped
from analytics_api.ingest.payloads import EventPayload

USUAL_COLUMNS = {"event_type": "event", "timestamp": "ts", "event_data": "props"}
"""Our field -> the column that holds it when there is one. A column named like the field is found as well."""

LONGEST_CELL = 1 << 24
"""Characters; the csv module's own limit of 131,072 is less than some JSON has. So much is read again at most for a quote that
is not closed."""

FIELDS = EventPayload.__struct_fields__
_JSON_FIELDS = ("event_data", "user_properties", "context")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def read_csv(stream: IO[bytes], mapping: FieldMap) -> Lines:
    """Events of a CSV file. Raises ConfigurationError when there is no column for the event type."""
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    try:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        header = _header(reader)
        if header is None:
            return
        places = _places(header, mapping)
        width = len(header)
        pick = itemgetter(*(places.get(name, width) for name in FIELDS))
        for number, cells in _rows(reader, lines):
            if isinstance(cells, Rejected):
                yield number, cells, 0
                continue
            if len(cells) != width:
                if not cells:
                    continue
                if any(cells[width:]):
                    yield number, Rejected(f"{len(cells)} cells where the header has {width}"), 0
                    continue
                cells = [*cells[:width], *[""] * (width - len(cells))]
            # One more, empty cell stands for every field that has no column.
            cells.append("")
            yield _line(number, pick(cells), mapping)
    finally:
        # Else the wrapper closes the stream when it goes, while its owner still asks how far it is.
        text.detach()


def _line(number: int, values: tuple[str, ...], mapping: FieldMap) -> Line:
    name, data, properties, user, anonymous, session, event_id, time, context, revenue, currency = values
    size = len(name) + len(data) + len(properties) + len(user) + len(context)
    try:
        payload = EventPayload(
            name,
            _decode_object(data) if data else None,
            _decode_object(properties) if properties else None,
            user or None,
            anonymous or None,
            session or None,
            event_id or None,
            time or None,
            _decode_object(context) if context else None,
            revenue or None,
            currency or None,
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return number, _broken(dict(zip(FIELDS, values, strict=True))), size
    return mapped(number, payload, size, mapping)


def _broken(values: dict[str, str]) -> Rejected:
    """Which of the cells is no JSON object, and why."""
    for field in _JSON_FIELDS:
        try:
            if values[field]:
                _decode_object(values[field])
        except RecursionError:
            return Rejected(f"{field} is nested too deeply to be read")
        except (msgspec.DecodeError, UnicodeError) as error:
            return Rejected(f"{field} is not a JSON object: {error}")
    raise RuntimeError("called for a row without a broken cell")


def _rows(reader: Any, lines: _Lines) -> Iterator[tuple[int, list[str] | Rejected]]:
    """Rows with the number of the line on which each ends; a line with which none begins that can be read stands alone.

    A quote that is not closed takes all up to the next one for its cell: what came behind its line is read again.
    """
    while True:
        lines.taken.clear()
        try:
            for cells in reader:
                yield lines.number, cells
                lines.taken.clear()
            return
        except csv.Error as error:
            lines.put_back()
            yield lines.number, Rejected(f"the row is not CSV: {error}")


class _Lines:
    """Lines of a file, of which the last ones can be had again."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self._again: deque[str] = deque()
        self.number = 0
        """That of the last line."""
        self.taken: list[str] = []
        """Lines of the row that is being read."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self.number += 1
        self.taken.append(line)
        return line

    def put_back(self) -> None:
        """All lines of the row but its first."""
        behind = self.taken[1:]
        self._again.extendleft(reversed(behind))
        self.number -= len(behind)


def _header(reader: Any) -> list[str] | None:
    """The first line that is not empty. Raises ConfigurationError."""
    try:
        for cells in reader:
            if cells:
                return [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ConfigurationError(f"The header, the first line of the file, is not CSV: {error}.") from None
    return None


def _places(header: Sequence[str], mapping: FieldMap) -> dict[str, int]:
    """Field -> place of its column. Raises ConfigurationError naming the column that is missing."""
    found = {column: place for place, column in enumerate(header)}
    shown = ", ".join(found)
    unknown = mapping.columns.keys() - set(FIELDS)
    if unknown:
        raise ConfigurationError(
            f"--column {min(unknown)}=...: there is no such field; use one of {', '.join(FIELDS)}."
        )
    places = {}
    for name in FIELDS:
        chosen = mapping.columns.get(name)
        if chosen is not None and chosen not in found:
            raise ConfigurationError(
                f"--column {name}={chosen}: the file has no column {chosen!r}; it has {shown}."
            )
        for column in (chosen,) if chosen is not None else (USUAL_COLUMNS.get(name), name):
            if column in found:
                places[name] = found[column]
                break
    for name, meaning in (("event_type", "names the event"), ("timestamp", "says when it happened")):
        if name not in places:
            raise ConfigurationError(
                f"The file has no column {USUAL_COLUMNS[name]!r} or {name!r}; say which one {meaning}: "
                f"--column {name}=COLUMN (it has {shown})."
            )
    return places

"""Files of events: each format turns a line into an event as POST /events takes it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from analytics_api.errors import ConfigurationError
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.payloads import EventPayload, decode_event

CSV_COLUMNS = {
    "event_id": "event_id",
    "user_id": "user_id",
    "event_type": "event",
    "timestamp": "ts",
    "revenue": "revenue",
    "currency": "currency",
    "event_data": "props",
}
"""Our field -> the column that holds it by default. A column named like the field is found as well."""

_FIELDS = (*CSV_COLUMNS, "anonymous_id", "session_id", "user_properties", "context")
_JSON_FIELDS = frozenset({"event_data", "user_properties", "context"})


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How a file's words become ours."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our field -> column."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """Event type in the file -> ours."""


Line = tuple[int, EventPayload | Rejected, int]
"""Line number from 1, the event or why there is none, and its size in bytes."""


def open_file(path: Path) -> tuple[IO[bytes], IO[bytes]]:
    """The file as stored (for progress) and unpacked. Raises ConfigurationError when it cannot be read."""
    try:
        stored = path.open("rb")
        magic = stored.read(2)
        stored.seek(0)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    if magic == b"\x1f\x8b":
        return stored, gzip.GzipFile(fileobj=stored)
    return stored, stored


def read_csv(stream: IO[bytes], mapping: FieldMap) -> Iterator[Line]:
    """Events of a CSV file with a header line. Raises ConfigurationError when a needed column is missing."""
    reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=""))
    header = next(reader, None)
    if header is None:
        return
    places = _places(header, mapping)
    decoders = msgspec.json.Decoder(dict[str, object])
    for cells in reader:
        if not cells:
            continue
        values: dict[str, object] = {}
        size = 0
        try:
            for name, place in places:
                cell = cells[place] if place < len(cells) else ""
                size += len(cell)
                if cell:
                    values[name] = decoders.decode(cell) if name in _JSON_FIELDS else cell
            name = str(values.get("event_type", ""))
            values["event_type"] = mapping.event_types.get(name, name)
            yield reader.line_num, EventPayload(**values), size  # type: ignore[arg-type]
        except (msgspec.DecodeError, RecursionError) as error:
            yield reader.line_num, Rejected(f"{name}: {error}"), size


def _places(header: list[str], mapping: FieldMap) -> list[tuple[str, int]]:
    found = {column.strip(): place for place, column in enumerate(header)}
    places = []
    for name in _FIELDS:
        if name in mapping.columns:
            column = mapping.columns[name]
            if column not in found:
                raise ConfigurationError(
                    f"--column {name}={column}: the file has no column {column!r}; it has {', '.join(found)}."
                )
            places.append((name, found[column]))
        elif CSV_COLUMNS.get(name) in found:
            places.append((name, found[CSV_COLUMNS[name]]))
        elif name in found:
            places.append((name, found[name]))
    if "event_type" not in dict(places):
        raise ConfigurationError(
            f"The file has no column 'event' or 'event_type'; say which one names the event: --column event_type=COLUMN (it has {', '.join(found)})."
        )
    return places


def read_jsonl(stream: IO[bytes], mapping: FieldMap) -> Iterator[Line]:
    """Events of a file with one JSON object per line."""
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            payload = decode_event(line)
            payload.event_type = mapping.event_types.get(payload.event_type, payload.event_type)
            yield number, payload, len(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield number, Rejected(str(error)), len(line)


FORMATS = {"csv": read_csv, "jsonl": read_jsonl}


def guess_format(path: Path) -> str:
    """The format by the file's name: `.csv`, `.jsonl` or `.ndjson`, gzip or not. Raises ConfigurationError."""
    name = path.name.removesuffix(".gz").lower()
    if name.endswith(".csv"):
        return "csv"
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    raise ConfigurationError(
        f"{path.name}: the format cannot be told from the name; say --format {' or '.join(FORMATS)}."
    )

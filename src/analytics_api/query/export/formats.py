"""Pages of events as CSV, JSON lines or Parquet, one after the other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import orjson

from analytics_api.domain.csv_text import csv_line
from analytics_api.errors import Unprocessable
from analytics_api.query.events import event_answer
from analytics_api.query.metrics import as_utc


class Format(StrEnum):
    """What a file is written in."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


JSON = "json"
"""What is said for an answer as it is, not as a table."""

MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSONL: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}

COLUMNS = {
    "seq": "integer",
    "event_id": "text",
    "event_type": "text",
    "person_id": "text",
    "user_id": "text",
    "anonymous_id": "text",
    "session_id": "text",
    "event_data": "json",
    "user_properties": "json",
    "context": "json",
    "revenue": "decimal",
    "currency": "text",
    "occurred_at": "time",
    "received_at": "time",
    "is_bot": "boolean",
}
"""Columns of an exported event and what they hold."""


class Writer(Protocol):
    """Turns pages into bytes. `page` may take a while and is called outside the event loop."""

    def page(self, rows: Sequence[Any]) -> bytes:
        """The bytes that a page adds."""
        ...

    def end(self) -> bytes:
        """The bytes behind the last page."""
        ...


def require_arrow() -> Any:
    """pyarrow, which is large and optional. Raises Unprocessable when it is not there."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Unprocessable(
            "format: Parquet needs pyarrow on the server: pip install 'analytics-api[parquet]'."
        ) from None
    return pyarrow


def make_writer(kind: Format) -> Writer:
    """Raises Unprocessable when Parquet is asked for and pyarrow is not there."""
    if kind is Format.CSV:
        return CsvWriter()
    return JsonLinesWriter() if kind is Format.JSONL else ParquetWriter()


class CsvWriter:
    """A line of names, then one line for each event; JSON columns hold JSON."""

    def __init__(self) -> None:
        self._head = csv_line([*COLUMNS])

    def page(self, rows: Sequence[Any]) -> bytes:
        """Lines."""
        head, self._head = self._head, ""
        return (head + "".join(csv_line(_values(row)) for row in rows)).encode()

    def end(self) -> bytes:
        """The names, should there have been no event."""
        return self._head.encode()


class JsonLinesWriter:
    """One JSON object a line."""

    def page(self, rows: Sequence[Any]) -> bytes:
        """Lines."""
        return b"".join(orjson.dumps(event_answer(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)

    def end(self) -> bytes:
        """Nothing more."""
        return b""


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Keep it."""
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        """How much was written in all."""
        return self._size

    def take(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


GROUP_ROWS = 10_000
GROUP_BYTES = 8_000_000
"""A row group is written when it holds so many rows, or so much text."""


class ParquetWriter:
    """Compressed with zstd. Decimals are texts, times are UTC in microseconds."""

    def __init__(self) -> None:
        self._arrow = pyarrow = require_arrow()
        types = {
            "integer": pyarrow.int64(),
            "boolean": pyarrow.bool_(),
            "time": pyarrow.timestamp("us", tz="UTC"),
        }
        self._schema = pyarrow.schema(
            [(name, types.get(kind, pyarrow.string())) for name, kind in COLUMNS.items()]
        )
        self._sink = _Sink()
        self._rows: list[list[object]] = []
        self._size = 0
        self._file = pyarrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def page(self, rows: Sequence[Any]) -> bytes:
        """A row group, when there is enough for one."""
        self._rows += [_values(row, times=False) for row in rows]
        self._size += sum(len(row.event_data) + len(row.context) for row in rows)
        if len(self._rows) >= GROUP_ROWS or self._size >= GROUP_BYTES:
            self._write_group()
        return self._sink.take()

    def end(self) -> bytes:
        """The last group and the footer."""
        if self._rows:
            self._write_group()
        self._file.close()
        return self._sink.take()

    def _write_group(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._rows, self._size = [], 0
        self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))


def _values(row: Any, *, times: bool = True) -> list[object]:
    """The columns of an event; `times`: as text."""
    return [
        row.seq,
        str(row.event_id),
        row.event_type,
        str(row.person_id) if row.has_person else None,
        row.user_id,
        row.anonymous_id,
        row.session_id,
        row.event_data,
        row.user_properties,
        row.context,
        (row.revenue if times else str(row.revenue)) if row.revenue is not None else None,
        row.currency,
        _time(row.occurred_at) if times else row.occurred_at,
        _time(row.received_at) if times else row.received_at,
        row.is_bot,
    ]


def _time(moment: datetime) -> str:
    return as_utc(moment)

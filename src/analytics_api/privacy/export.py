"""An export as a zip archive, made while it is sent: each table as JSON lines and as CSV."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import IO, Any

import asyncpg

from analytics_api.domain.csv_text import cell as csv_cell
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.erasure import Scope
from analytics_api.store.privacy_export import JSON_COLUMNS, exported

README = """\
What is stored about the person, or the events that were chosen: each table as JSON lines (.jsonl) and as CSV.
In the CSV files a text that a spreadsheet would run as a formula begins with an apostrophe (').
"""
_SPOOLED_BYTES = 4_000_000


STATEMENT_MS = 300_000
"""The longest step of an export: going through the log for events of a type or a range."""


class _Sink:
    """What zipfile writes to: bytes that have not been sent yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        """What has come since the last call."""
        data, self._parts = b"".join(self._parts), []
        return data


async def archive(database: Database, project: Project, scope: Scope) -> AsyncIterator[bytes]:
    """The archive, piece by piece, of one snapshot. Memory does not grow with it."""
    sink = _Sink()
    connection = await database.connect()
    try:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:  # type: ignore[call-overload]
            packed.writestr("README.txt", README)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
                async for piece in _tables(packed, sink, connection, project, scope):
                    yield piece
        yield sink.taken()
    finally:
        connection.terminate()


async def _tables(
    packed: zipfile.ZipFile, sink: _Sink, connection: asyncpg.Connection, project: Project, scope: Scope
) -> AsyncIterator[bytes]:
    name: str | None = None
    lines: IO[bytes] | None = None
    # A zip holds one file after the other, so the CSV waits until the JSON lines are complete.
    with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as table:
        async for found, rows in exported(connection, project, scope):
            if found != name:
                if name is not None and lines is not None:
                    lines.close()
                    for piece in _copied(packed, sink, name, table):
                        yield piece
                name, lines = found, packed.open(f"{found}.jsonl", "w", force_zip64=True)
                table.write(_csv_line(rows[0].keys()).encode())
            if lines is not None:
                lines.write(b"".join(_json(row) for row in rows))
            table.write("".join(_csv_line(row.values()) for row in rows).encode())
            yield sink.taken()
        if name is not None and lines is not None:
            lines.close()
            for piece in _copied(packed, sink, name, table):
                yield piece


def _copied(packed: zipfile.ZipFile, sink: _Sink, name: str, table: Any) -> Iterator[bytes]:
    """Put the CSV into the archive and empty its file."""
    table.seek(0)
    with packed.open(f"{name}.csv", "w", force_zip64=True) as target:
        while block := table.read(1 << 20):
            target.write(block)
            yield sink.taken()
    table.seek(0)
    table.truncate()
    yield sink.taken()


def _csv_line(values: Iterable[object]) -> str:
    """A line with its end (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([csv_cell(value) for value in values])
    return line.getvalue()


def _json(row: asyncpg.Record) -> bytes:
    values = {
        name: json.loads(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in row.items()
    }
    return json.dumps(values, ensure_ascii=False, default=str).encode() + b"\n"

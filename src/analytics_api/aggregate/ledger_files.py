"""Spend and exchange rates from CSV files: all of a file or nothing of it, and again without effect."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from analytics_api.aggregate.entries import RateEntry, SpendEntry
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError, BadRequest, Unprocessable, wording
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Rate, Spend, save_rates, save_spend

MOST_ROWS = 10_000
MOST_BYTES = 10_485_760
MOST_ERRORS = 100
"""Told at once; somebody mends them by hand."""

SPEND_COLUMNS = ("date", "start_date", "end_date", "channel", "campaign", "amount", "currency")
RATE_COLUMNS = ("currency", "date", "rate")

Row = tuple[int, dict[str, str]]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class Entries:
    """What a file holds, once each."""

    rows: int
    spend: list[Spend] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)

    def totals(self) -> dict[str, Decimal]:
        """Amounts spent, by currency."""
        found: dict[str, Decimal] = {}
        for entry in self.spend:
            found[entry.currency] = found.get(entry.currency, Decimal(0)) + entry.amount
        return found


def read_table(content: bytes) -> list[Row]:
    """Rows of a CSV file with their line numbers, under the names in its first line. Raises BadRequest, or Unprocessable for
    more than MOST_ROWS."""
    if len(content) > MOST_BYTES:
        raise Unprocessable(f"The file is larger than {MOST_BYTES} bytes: split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The file is not UTF-8 (byte {error.start}): save it as such.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not any(names):
            raise BadRequest("The file is empty: its first line must name the columns.")
        if len(set(names)) < len(names):
            raise BadRequest("The first line names a column twice.")
        return list(_rows(reader, names))
    except csv.Error as error:
        raise BadRequest(f"Line {reader.line_num} is no CSV: {error}.") from None


def _rows(reader: Iterator[list[str]], names: Sequence[str]) -> Iterator[Row]:
    line = 1
    for number, cells in enumerate(reader, start=1):
        line = getattr(reader, "line_num", line + 1)
        if not any(cells):
            continue
        if number > MOST_ROWS:
            raise Unprocessable(f"The file has more than {MOST_ROWS} rows: split it.")
        if len(cells) != len(names):
            raise BadRequest(
                f"Line {line} has {len(cells)} cells; the first line names {len(names)} columns."
            )
        yield line, dict(zip(names, map(str.strip, cells), strict=True))


def spend_of(
    table: Sequence[Row],
    project: Project,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Entries:
    """Spend entries of a table. Rows of the same days, channel and campaign are added up: exports have a row for each ad.

    `columns` gives the file's name of a column of ours; `constants` what is the same in all rows. Raises Unprocessable that
    names the line and field of each wrong row.
    """
    rows = _renamed(table, SPEND_COLUMNS, columns or {}, constants or {})
    errors: list[dict[str, str | int]] = []
    found: dict[tuple[object, ...], Spend] = {}
    for line, entry in _valid(rows, SpendEntry, errors):
        one = entry.stored(project)
        key = (one.start, one.end, one.channel, one.campaign)
        known = found.get(key)
        if known is None:
            found[key] = one
        elif known.currency != one.currency:
            reason = f"an earlier row of the same days, channel and campaign is in {known.currency}"
            errors.append({"line": line, "field": "currency", "reason": reason})
        else:
            found[key] = Spend(*key, known.amount + one.amount, one.currency)
    _refuse(errors)
    return Entries(len(table), spend=list(found.values()))


def rates_of(
    table: Sequence[Row],
    project: Project,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Entries:
    """Exchange rates of a table. Raises Unprocessable as `spend_of`; two rates for a currency and day are wrong as well."""
    rows = _renamed(table, RATE_COLUMNS, columns or {}, constants or {})
    errors: list[dict[str, str | int]] = []
    found: dict[tuple[object, ...], Rate] = {}
    for line, entry in _valid(rows, RateEntry, errors):
        try:
            one = entry.stored(project)
        except AnalyticsError as error:
            errors.append({"line": line, "field": "currency", "reason": error.detail})
            continue
        if found.setdefault((one.currency, one.day), one).rate != one.rate:
            errors.append(
                {"line": line, "field": "rate", "reason": "an earlier row has another rate for this day"}
            )
    _refuse(errors)
    return Entries(len(table), rates=list(found.values()))


async def store_entries(
    database: Database, project: Project, entries: Entries, now: datetime, *, dry_run: bool = False
) -> int:
    """Store them in one transaction. Returns how many were new or different; a dry run only counts these."""
    async with database.write() as connection, connection.begin_nested() as whole:
        changed = await save_spend(connection, project, entries.spend, now) if entries.spend else 0
        changed += await save_rates(connection, project, entries.rates, now) if entries.rates else 0
        if dry_run:
            await whole.rollback()
    return changed


def _renamed(
    table: Sequence[Row], ours: Sequence[str], columns: Mapping[str, str], constants: Mapping[str, str]
) -> Iterator[Row]:
    for name in (*columns, *constants):
        if name not in ours:
            raise Unprocessable(f"{name!r} is no column of ours: use {', '.join(ours)}.")
    theirs = {name: columns.get(name, name) for name in ours if name not in constants}
    if table:
        there = table[0][1]
        for name, column in theirs.items():
            if column not in there and name in columns:
                raise Unprocessable(f"The file has no column {column!r}: it has {', '.join(there)}.")
    for line, cells in table:
        row = {name: cells[column] for name, column in theirs.items() if cells.get(column)}
        yield line, {**row, **constants}


def _valid(
    rows: Iterator[Row], model: type[Model], errors: list[dict[str, str | int]]
) -> Iterator[tuple[int, Model]]:
    for line, cells in rows:
        try:
            yield line, model.model_validate(cells)
        except ValidationError as error:
            errors.extend(
                {
                    "line": line,
                    "field": str(item["loc"][0]) if item["loc"] else "date",
                    "reason": wording(item),
                }
                for item in error.errors()
            )


def _refuse(errors: list[dict[str, str | int]]) -> None:
    if not errors:
        return
    first = errors[0]
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    raise Unprocessable(
        f"Nothing was stored. Line {first['line']}, {first['field']}: {str(first['reason']).rstrip('.')}{more}.",
        errors=errors[:MOST_ERRORS],
        wrong_rows=len({error["line"] for error in errors}),
    )

"""`analytics-api spend import` and `rates import`: what figures need and no event tells, from CSV files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from analytics_api.aggregate.ledger_files import (
    MOST_BYTES,
    RATE_COLUMNS,
    SPEND_COLUMNS,
    Entries,
    Row,
    rates_of,
    read_table,
    spend_of,
    store_entries,
)
from analytics_api.commands.context import ProjectOption, opened_project, parse_pairs, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError, ConfigurationError
from analytics_api.ingest.formats import open_file
from analytics_api.store.projects import DEFAULT

spend_app = typer.Typer(help="Acquisition spend.", no_args_is_help=True)
rates_app = typer.Typer(help="Exchange rates.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(spend_app, name="spend")
app.add_typer(rates_app, name="rates")

Read = Callable[[Sequence[Row], Project, Mapping[str, str], Mapping[str, str]], Entries]
File = Annotated[Path, typer.Argument(help="CSV with a line of headers; gzip or not.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Our column and the file's: amount=Spent. May be repeated."),
]
Constants = Annotated[
    list[str] | None, typer.Option("--set", help="A column that is the same in all rows: channel=paid.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]


@spend_app.command("import", help=f"Store spend from a file. Columns: {', '.join(SPEND_COLUMNS)}.")
def import_spend(
    file: File,
    project: ProjectOption = DEFAULT,
    column: Columns = None,
    constant: Constants = None,
    dry_run: DryRun = False,
) -> None:
    """All of the file or nothing; again changes nothing. Rows of the same days, channel and campaign are added up."""
    _import(spend_of, file, project, column, constant, dry_run=dry_run)


@rates_app.command("import", help=f"Store exchange rates from a file. Columns: {', '.join(RATE_COLUMNS)}.")
def import_rates(
    file: File,
    project: ProjectOption = DEFAULT,
    column: Columns = None,
    constant: Constants = None,
    dry_run: DryRun = False,
) -> None:
    """All of the file or nothing; again changes nothing."""
    _import(rates_of, file, project, column, constant, dry_run=dry_run)


def _import(
    read: Read,
    file: Path,
    slug: str,
    column: list[str] | None,
    constant: list[str] | None,
    *,
    dry_run: bool,
) -> None:
    columns, constants = parse_pairs("--column", column or []), parse_pairs("--set", constant or [])

    async def work() -> tuple[Entries, int]:
        async with opened_project(slug) as (database, project, _):
            entries = read(read_table(_content(file)), project, columns, constants)
            return entries, await store_entries(database, project, entries, system_clock(), dry_run=dry_run)

    try:
        entries, changed = run_command(work())
    except AnalyticsError as error:
        for item in error.extra.get("errors", [])[1:]:
            typer.echo(f"line {item['line']}, {item['field']}: {item['reason']}", err=True)
        raise
    number = len(entries.spend) + len(entries.rates)
    would = "would be " if dry_run else ""
    typer.echo(f"{entries.rows} rows make {number} entries; {changed} {would}new or changed.")
    for currency, total in sorted(entries.totals().items()):
        typer.echo(f"  {total:f} {currency}")


def _content(file: Path) -> bytes:
    try:
        with open_file(file) as (_, plain):
            return plain.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None

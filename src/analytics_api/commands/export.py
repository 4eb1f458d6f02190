"""`analytics-api export`: events of a project as a file."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from analytics_api.commands.context import ProjectOption, opened_project, run_command
from analytics_api.domain.filters import parse_filter_text
from analytics_api.errors import ConfigurationError
from analytics_api.query.export.events import exported
from analytics_api.query.export.formats import Format, make_writer
from analytics_api.store.event_pages import EventChoice
from analytics_api.store.filter_sql import check_patterns
from analytics_api.store.projects import DEFAULT

app = typer.Typer()

_DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="File to write; - is standard output.")],
    project: ProjectOption = DEFAULT,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option("--format", help="Default: by the file's ending, else jsonl.")
    ] = None,
    event_type: Annotated[list[str] | None, typer.Option("--event-type", help="Only these.")] = None,
    filter: Annotated[  # noqa: A002
        list[str] | None,
        typer.Option("--filter", help="PATH OPERATOR VALUE, as in 'event_data.plan is pro'."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Events from this time on, UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Events before this time, UTC.")
    ] = None,
    without_bots: Annotated[bool, typer.Option("--without-bots", help="Leave bots out.")] = False,
) -> None:
    """Write the events of a project to a file: CSV, JSON lines or Parquet. All that have been counted."""
    try:
        filters = parse_filter_text(filter or [], "--filter")
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from None
    kind = format or next((each for each in Format if target.suffix == f".{each}"), Format.JSONL)
    choice = EventChoice(
        0,
        tuple(event_type or ()),
        filters,
        since and since.replace(tzinfo=UTC),
        until and until.replace(tzinfo=UTC),
        include_bots=not without_bots,
    )
    run_command(_export(target, project, kind, choice))


async def _export(target: Path, slug: str, kind: Format, choice: EventChoice) -> None:
    writer = make_writer(kind)
    async with opened_project(slug) as (database, project, _):
        chosen = replace(choice, project_id=project.id)
        async with database.read() as connection:
            try:
                await check_patterns(connection, choice.filters)
            except ValueError as error:
                raise ConfigurationError(f"--filter: {error}.") from None
        parts = exported(database, chosen, writer)
        if str(target) == "-":
            async for part in parts:
                await asyncio.to_thread(_write, sys.stdout.buffer, part)
            return
        # Under another name first: a file that is there is complete.
        unfinished = target.with_name(f"{target.name}.part")
        with unfinished.open("wb") as file:
            async for part in parts:
                await asyncio.to_thread(_write, file, part)
        unfinished.replace(target)


def _write(file: BinaryIO, part: bytes) -> None:
    file.write(part)
    file.flush()

"""`analytics-api import | demo`: history of one's own, or a made-up one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from analytics_api.commands.context import ProjectOption, opened, parse_pairs, run_command
from analytics_api.demo_project import DEMO, fill_demo
from analytics_api.errors import ConfigurationError
from analytics_api.importing import import_file, summary
from analytics_api.ingest.formats import FORMATS, FieldMap
from analytics_api.ingest.importer import ImportReport
from analytics_api.settings import load_settings
from analytics_api.store.projects import DEFAULT
from analytics_api.telemetry import configure_logging

app = typer.Typer()


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSON lines, an access log, or Segment's, Amplitude's, Mixpanel's export; gzip or not."
        ),
    ],
    project: ProjectOption = DEFAULT,
    format_name: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Our field and the file's column: event_type=event. May be repeated."),
    ] = None,
    event_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Event type in the file and ours: signup=signup_completed; - leaves it out."
        ),
    ] = None,
    user_from_ip: Annotated[
        bool, typer.Option("--user-from-ip", help="Access logs: the address is the user id, and is kept.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Read a file that was imported before.")] = False,
) -> None:
    """Bring history into a project: resumable, and a second run adds nothing."""
    settings = load_settings()
    if format_name is not None and format_name not in FORMATS:
        raise ConfigurationError(f"--format {format_name}: use one of {', '.join(FORMATS)}.")
    mapping = FieldMap(
        parse_pairs("--column", column or []), parse_pairs("--map", event_map or []), user_from_ip
    )
    configure_logging("WARNING")
    began = time.monotonic()

    async def run_import() -> ImportReport:
        async with opened(settings) as database:
            return await import_file(
                settings,
                database,
                file,
                project_slug=project,
                format_name=format_name,
                mapping=mapping,
                again=again,
            )

    report = run_command(run_import())
    typer.echo(summary(report, time.monotonic() - began))
    if report.rejected and not report.accepted and not report.duplicates:
        raise typer.Exit(1)


@app.command()
def demo(days: Annotated[int, typer.Option(min=1, max=730, help="How far back.")] = 365) -> None:
    """Fill the project `demo` with made-up history; again adds what has happened since."""
    settings = load_settings()
    configure_logging("WARNING")

    async def fill() -> int:
        async with opened(settings) as database:
            return await fill_demo(database, settings, days=days)

    typer.echo(f"{run_command(fill())} made-up events were added to project {DEMO}.")

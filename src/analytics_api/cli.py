"""The `analytics-api` command."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from analytics_api import __version__, ops
from analytics_api.alert_commands import alerts_app
from analytics_api.command_line import ProjectOption, opened, run_command
from analytics_api.delivery_commands import deliveries_app
from analytics_api.demo_project import DEMO, fill_demo
from analytics_api.destination_commands import destinations_app
from analytics_api.domain.clock import system_clock
from analytics_api.errors import AnalyticsError, ConfigurationError
from analytics_api.export_command import export
from analytics_api.goal_commands import goals_app
from analytics_api.importing import import_file, parse_pairs, summary
from analytics_api.ingest.formats import FORMATS, FieldMap
from analytics_api.ingest.importer import ImportReport
from analytics_api.key_commands import keys_app
from analytics_api.ledger_commands import rates_app, spend_app
from analytics_api.metric_commands import metrics_app
from analytics_api.plan_commands import codegen, plan_app
from analytics_api.rebuild_command import change_time_zone, rebuild
from analytics_api.serve import database_url, run_server, run_worker
from analytics_api.settings import load_settings
from analytics_api.store.migrate import upgrade
from analytics_api.store.projects import DEFAULT, create_project, list_projects
from analytics_api.telemetry import configure_logging
from analytics_api.user_commands import users_app

app = typer.Typer(
    name="analytics-api",
    help="Product analytics that you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
projects_app = typer.Typer(help="Projects: one per product.", no_args_is_help=True)
app.add_typer(projects_app, name="projects")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.add_typer(destinations_app, name="destinations")
app.add_typer(deliveries_app, name="deliveries")
app.add_typer(plan_app, name="plan")
app.add_typer(alerts_app, name="alerts")
app.add_typer(metrics_app, name="metrics")
app.add_typer(spend_app, name="spend")
app.add_typer(rates_app, name="rates")
app.add_typer(goals_app, name="goals")
app.command("codegen")(codegen)
app.command("export")(export)
app.command("rebuild")(rebuild)
projects_app.command("time-zone")(change_time_zone)


def main() -> None:
    """Run the command line; a known error is one sentence on standard error and exit code 2."""
    try:
        # typer hands an exit code back instead of raising it.
        sys.exit(app(standalone_mode=False))
    except AnalyticsError as error:
        typer.echo(f"analytics-api: {error.detail}", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's usage errors
            error.show()
            sys.exit(error.exit_code)
        raise


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def run() -> None:
    """Everything in one process for a first try: server, worker, database, sandbox mode on."""
    settings = load_settings()
    if "sandbox_mode" not in settings.model_fields_set:
        settings = settings.model_copy(update={"sandbox_mode": True})
    run_server(settings, with_worker=True, banner=True)


@app.command()
def serve(
    with_worker: Annotated[bool, typer.Option(help="Run the background work in this process, too.")] = False,
    migrate_first: Annotated[
        bool, typer.Option("--migrate/--no-migrate", help="Migrate the database first.")
    ] = True,
) -> None:
    """The web server."""
    run_server(load_settings(), with_worker=with_worker, migrate=migrate_first)


@app.command()
def work() -> None:
    """The background work: readers, destinations, closing of days, retention."""
    run_worker(load_settings())


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = load_settings()
    with database_url(settings) as url:
        upgrade(url)
    typer.echo("The database is up to date.")


@projects_app.command("create")
def projects_create(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits, '-' and '_'.")],
    name: Annotated[str | None, typer.Option(help="Name to show.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA zone whose days are counted.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 code that amounts are shown in.")] = None,
    week_start: Annotated[int, typer.Option(min=1, max=7, help="1 Monday ... 7 Sunday.")] = 1,
) -> None:
    """Make a project."""
    settings = load_settings()

    async def create() -> None:
        async with opened(settings) as database, database.write() as connection:
            await create_project(
                connection,
                slug,
                name=name,
                time_zone=time_zone or settings.time_zone,
                currency=currency or settings.currency,
                week_start=week_start,
                now=system_clock(),
            )

    run_command(create())
    typer.echo(
        f"Project {slug} is there. Make a key for it: analytics-api keys create --kind write --project {slug}"
    )


@projects_app.command("list")
def projects_list() -> None:
    """All projects."""
    settings = load_settings()

    async def show() -> None:
        async with opened(settings) as database, database.read() as connection:
            for project in await list_projects(connection):
                typer.echo(f"{project.slug}\t{project.name}\t{project.zone.key}\t{project.currency}")

    run_command(show())


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


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write the whole database to a file."""
    with database_url(load_settings()) as url:
        ops.backup(url, target)


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="File that `backup` wrote.")]) -> None:
    """Put a backup in the place of the whole database."""
    with database_url(load_settings()) as url:
        ops.restore(url, source)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; further arguments go to psql."""
    with database_url(load_settings()) as url:
        code = ops.psql(url, context.args)
    raise typer.Exit(code)

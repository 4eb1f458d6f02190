"""`analytics-api destinations`: add, list, remove, pause, resume, rules and dry run, while everything runs."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from analytics_api.commands.context import ProjectOption, asked_secrets, opened, parse_pairs, run_command
from analytics_api.configured import (
    added_client,
    make_destinations,
    secret_box,
    settings_destinations,
)
from analytics_api.deliver import administration
from analytics_api.deliver.administration import NOW, NewDestination
from analytics_api.deliver.dry_run import dry_run
from analytics_api.deliver.dry_run_schemas import MOST, USUAL, DryRunReport
from analytics_api.deliver.rules import Rules, RuleSet, parse_rules
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError, NotFound
from analytics_api.outbound.connections import make_client
from analytics_api.settings import PREFIX, Settings, load_settings
from analytics_api.store.deliveries import reader_state
from analytics_api.store.destination_rules import stored_rules
from analytics_api.store.destinations import find_destination, stored_destinations
from analytics_api.store.engine import Database
from analytics_api.store.leases import owner_name
from analytics_api.store.projects import DEFAULT, get_project

app = typer.Typer(help="Where a project's events go.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The destination's name, as `destinations list` shows it.")]


@asynccontextmanager
async def _opened(settings: Settings, slug: str) -> AsyncIterator[tuple[Database, Project]]:
    async with opened(settings) as database:
        async with database.read() as session:
            project = await get_project(session, slug)
        yield database, project


def _taken(settings: Settings, project: str) -> dict[str, str]:
    """Names that the settings use in a project, and where they are set."""
    return {
        config.name or config.provider: f"{PREFIX}{config.provider.upper()}_..."
        for config in settings_destinations(settings)
        if config.project == project
    }


@app.command("add")
def add(
    kind: Annotated[str, typer.Argument(help="amplitude, mixpanel, webhook, posthog, segment, ga4, ...")],
    name: Annotated[str, typer.Option(help="Its name in the project; the kind's when left out.")] = "",
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the kind: url=https://... May be repeated.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of an option that is asked for, or read from standard input, a line each. May be repeated."
        ),
    ] = None,
    start: Annotated[
        str, typer.Option(help="now, beginning, or a date or time from whose arrivals on it gets events.")
    ] = NOW,
    rules: Annotated[
        Path | None, typer.Option(help="A JSON file with the rules for what it gets; - for standard input.")
    ] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Add a destination. It gets events within seconds; its secrets cannot be read again."""
    settings = load_settings()
    options = {**parse_pairs("--option", option or []), **asked_secrets(secret or [])}
    given = None if rules is None else _read_rules(rules)

    async def run() -> str:
        async with _opened(settings, project) as (database, owner), added_client(settings) as client:
            row = await administration.add(
                database,
                secret_box(settings),
                owner,
                NewDestination(kind, options, name, start, given),
                system_clock(),
                taken=_taken(settings, project),
                client=client,
            )
            return row.name

    typer.echo(f"Destination {run_command(run())} of project {project} is there and starts: {start}.")


@app.command("list")
def list_(project: ProjectOption = DEFAULT) -> None:
    """The destinations of a project: name, kind, state, origin, options that are no secrets."""
    settings = load_settings()

    async def run() -> None:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            rows = {row.name: row for row in await stored_destinations(connection, owner.id)}
            kinds = {
                config.name or config.provider: config.provider
                for config in settings_destinations(settings)
                if config.project == project
            }
            for name in sorted({*rows, *kinds}):
                reader = await reader_state(connection, owner.id, name)
                state = (
                    "new" if reader is None else f"paused: {reader.reason}" if reader.paused else "running"
                )
                row = None if name in kinds else rows[name]
                shown = "" if row is None else " ".join(f"{k}={v}" for k, v in sorted(row.options.items()))
                kind, origin = (kinds[name], "settings") if row is None else (row.kind, "added")
                typer.echo(f"{name}\t{kind}\t{state}\t{origin}\t{shown}")

    run_command(run())


@app.command("remove")
def remove(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Remove a destination with its backlog, counts and dead letters. The events stay."""
    settings = load_settings()

    async def run() -> None:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            await administration.remove(connection, owner, name, taken=_taken(settings, project))

    run_command(run())
    typer.echo(f"Destination {name} of project {project} is gone.")


@app.command("pause")
def pause(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Stop sending; events wait in the log until it is resumed."""
    settings = load_settings()

    async def run() -> None:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            await administration.pause(connection, owner, name, system_clock())

    run_command(run())
    typer.echo(f"Destination {name} of project {project} is paused; its events are kept.")


@app.command("resume")
def resume(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Let a paused destination go on, or try one that waits after a failure at once."""
    settings = load_settings()

    async def run() -> bool:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            return await administration.resume(connection, owner, name, system_clock())

    was_paused = run_command(run())
    typer.echo(f"Destination {name} of project {project} {'goes on' if was_paused else 'was not paused'}.")


@app.command("rules")
def rules(
    name: Name,
    put: Annotated[
        Path | None, typer.Option("--set", help="A JSON file with the rules to set; - for standard input.")
    ] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Print the rules of a destination as JSON, or set them. Running processes follow within seconds."""
    settings = load_settings()
    named = {
        config.name or config.provider: config.rules
        for config in settings_destinations(settings)
        if config.project == project
    }
    given = None if put is None else _read_rules(put)

    async def run() -> str:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            if given is not None:
                fixed = {taken: held is not None for taken, held in named.items()}
                version = await administration.change_rules(
                    connection, owner, name, given, system_clock(), settings=fixed
                )
                return f"Destination {name} of project {project} has rules of version {version}."
            held = named.get(name)
            if held is not None:
                return held.text()
            if name not in named and await find_destination(connection, owner.id, name) is None:
                raise NotFound(f"Project {project} has no destination {name!r}.")
            stored = (await stored_rules(connection, owner.id)).get((owner.id, name))
            return "{}" if stored is None else stored.rules

    told = run_command(run())
    typer.echo(told if given is not None else json.dumps(json.loads(told), indent=2, ensure_ascii=False))


@app.command("dry-run")
def try_rules(
    name: Name,
    other: Annotated[
        Path | None,
        typer.Option("--rules", help="A JSON file with the rules to try instead; - for standard input."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Newest events to look at.")] = USUAL,
    event_type: Annotated[str | None, typer.Option(help="Only of this event type.")] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Print as JSON what a destination would be sent of the newest events. Nothing is sent and nothing is changed."""
    settings = load_settings()
    given = None if other is None else RuleSet(_read_rules(other))

    async def run() -> DryRunReport:
        async with _opened(settings, project) as (database, owner), make_client() as client:
            destinations = make_destinations(settings, database, client, owner_name(), system_clock)
            try:
                await destinations.refresh()
                destination = destinations.get(owner, name)
                tried = given or destination.rules
                found = await dry_run(database, owner, destination, tried, limit, event_type)
                return DryRunReport.of(destination, tried, found)
            finally:
                await destinations.close()

    typer.echo(run_command(run()).model_dump_json(indent=2))


def _read_rules(file: Path) -> Rules:
    """Rules from a file, or from standard input for `-`. Raises ConfigurationError."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} is not UTF-8.") from None
    return parse_rules(text, name)

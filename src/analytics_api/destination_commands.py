"""`analytics-api destinations`: add, list, remove, pause and resume, while everything runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from analytics_api.command_line import ProjectOption, asked_secrets, opened, run_command
from analytics_api.deliver import administration
from analytics_api.deliver.administration import NOW, NewDestination
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.importing import parse_pairs
from analytics_api.settings import PREFIX, Settings, load_settings
from analytics_api.store.deliveries import reader_state
from analytics_api.store.destinations import stored_destinations
from analytics_api.store.engine import Database
from analytics_api.store.projects import DEFAULT, get_project
from analytics_api.worker import added_client, secret_box, settings_destinations

destinations_app = typer.Typer(help="Where a project's events go.", no_args_is_help=True)

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


@destinations_app.command("add")
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
    project: ProjectOption = DEFAULT,
) -> None:
    """Add a destination. It gets events within seconds; its secrets cannot be read again."""
    settings = load_settings()
    options = {**parse_pairs("--option", option or []), **asked_secrets(secret or [])}

    async def run() -> str:
        async with _opened(settings, project) as (database, owner), added_client(settings) as client:
            row = await administration.add(
                database,
                secret_box(settings),
                owner,
                NewDestination(kind, options, name, start),
                system_clock(),
                taken=_taken(settings, project),
                client=client,
            )
            return row.name

    typer.echo(f"Destination {run_command(run())} of project {project} is there and starts: {start}.")


@destinations_app.command("list")
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


@destinations_app.command("remove")
def remove(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Remove a destination with its backlog, counts and dead letters. The events stay."""
    settings = load_settings()

    async def run() -> None:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            await administration.remove(connection, owner, name, taken=_taken(settings, project))

    run_command(run())
    typer.echo(f"Destination {name} of project {project} is gone.")


@destinations_app.command("pause")
def pause(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Stop sending; events wait in the log until it is resumed."""
    settings = load_settings()

    async def run() -> None:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            await administration.pause(connection, owner, name, system_clock())

    run_command(run())
    typer.echo(f"Destination {name} of project {project} is paused; its events are kept.")


@destinations_app.command("resume")
def resume(name: Name, project: ProjectOption = DEFAULT) -> None:
    """Let a paused destination go on, or try one that waits after a failure at once."""
    settings = load_settings()

    async def run() -> bool:
        async with _opened(settings, project) as (database, owner), database.acquire() as connection:
            return await administration.resume(connection, owner, name, system_clock())

    was_paused = run_command(run())
    typer.echo(f"Destination {name} of project {project} {'goes on' if was_paused else 'was not paused'}.")

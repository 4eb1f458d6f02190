"""`analytics-api projects`."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics_api.commands.context import opened, run_command
from analytics_api.commands.project_settings import origins, retention
from analytics_api.commands.rebuild import change_time_zone
from analytics_api.domain.clock import system_clock
from analytics_api.settings import load_settings
from analytics_api.store.projects import create_project, list_projects

app = typer.Typer(help="Projects: one per product.", no_args_is_help=True)
app.command("time-zone")(change_time_zone)
app.command("origins")(origins)
app.command("retention")(retention)


@app.command("create")
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


@app.command("list")
def projects_list() -> None:
    """All projects."""
    settings = load_settings()

    async def show() -> None:
        async with opened(settings) as database, database.read() as connection:
            for project in await list_projects(connection):
                typer.echo(f"{project.slug}\t{project.name}\t{project.zone.key}\t{project.currency}")

    run_command(show())

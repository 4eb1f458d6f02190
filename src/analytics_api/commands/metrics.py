"""`analytics-api metrics`: what can be asked for, and the project's own definitions as JSON files that can be kept in git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from analytics_api.aggregate.custom_metrics import add_metric, remove_metric, replace_metric
from analytics_api.commands.context import ProjectOption, opened_project, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.metrics import METRICS
from analytics_api.errors import ConfigurationError
from analytics_api.store.custom_metrics import custom_metrics, find_custom_metric
from analytics_api.store.projects import DEFAULT

app = typer.Typer(help="Metrics, and those that a project defines for itself.", no_args_is_help=True)


@app.command("list")
def list_metrics(
    project: ProjectOption = DEFAULT,
    own: Annotated[bool, typer.Option("--own", help="Only the project's own.")] = False,
) -> None:
    """Name, period, unit and definition."""

    async def run() -> None:
        async with opened_project(project) as (database, owner, _), database.read() as connection:
            found = [stored.metric for stored in await custom_metrics(connection, owner.id)]
        for metric in () if own else METRICS:
            typer.echo(f"{metric.name}\t{metric.period}\t{metric.unit}\t{metric.definition}")
        for each in found:
            typer.echo(f"{each.name}\tany\t{each.unit}\t{each.explained()}")

    run_command(run())


@app.command("define")
def define(
    file: Annotated[Path, typer.Argument(help="JSON as the body of POST /metrics/custom.")],
    project: ProjectOption = DEFAULT,
) -> None:
    """Add a metric of the project's own, or put another definition in the place of that of its name."""
    definition = _read(file)

    async def run() -> None:
        async with opened_project(project) as (database, owner, _):
            async with database.read() as connection:
                known = await find_custom_metric(connection, owner.id, str(definition.get("name")))
            store = add_metric if known is None else replace_metric
            stored = await store(database, owner, definition, system_clock())
        metric = stored.metric
        typer.echo(f"{metric.name} (version {metric.version}): {metric.explained()}")

    run_command(run())


@app.command("remove")
def remove(name: Annotated[str, typer.Argument()], project: ProjectOption = DEFAULT) -> None:
    """Remove a metric of the project's own; its revisions stay."""

    async def run() -> None:
        async with opened_project(project) as (database, owner, _):
            await remove_metric(database, owner, name, system_clock())
        typer.echo(f"Metric {name} of project {project} is removed.")

    run_command(run())


def _read(file: Path) -> dict[str, Any]:
    try:
        definition = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.") from None
    if not isinstance(definition, dict):
        raise ConfigurationError(f"{file} is no definition: write an object with name and measure.")
    return definition

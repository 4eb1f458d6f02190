"""`analytics-api goals`: targets and how far they are."""

from __future__ import annotations

from typing import Any

import typer

from analytics_api.commands.context import ProjectOption, opened_project, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.query.goals import goal_answer
from analytics_api.settings import load_settings
from analytics_api.store.goals import list_goals
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.projects import DEFAULT

app = typer.Typer(help="Targets and how far they are.", no_args_is_help=True)


@app.command("list")
def show_goals(project: ProjectOption = DEFAULT) -> None:
    """Number, status, value and target, days, what is projected, and title; each in its period of today or its last."""

    async def run() -> list[dict[str, Any]]:
        late_days = load_settings().late_days
        async with opened_project(project) as (database, owner, _), database.read() as connection:
            figures = await Figures.of(connection, owner, system_clock(), late_days)
            return [await goal_answer(figures, stored) for stored in await list_goals(connection, owner.id)]

    found = run_command(run())
    for goal in found:
        typer.echo("\t".join(_line(goal)))
    if not found:
        typer.echo(f"Project {project} has no goals.")


def _line(goal: dict[str, Any]) -> list[str]:
    current = goal["current"]
    target = f"{goal['direction'].replace('_', ' ')} {goal['target']:g}"
    if current is None:
        return [str(goal["id"]), "problem", target, goal["problem"], goal["title"]]
    return [
        str(goal["id"]),
        current["status"],
        f"{_number(current['value'])} of {target}",
        f"{current['start']} to {current['end']}",
        f"projected {_number(current['projected'])}",
        goal["title"],
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

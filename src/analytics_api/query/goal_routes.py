"""GET /goals: targets and how far they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller
from analytics_api.errors import NotFound
from analytics_api.query.goal_schemas import GoalInfo, GoalList
from analytics_api.query.goals import goal_answer
from analytics_api.query.routes import Rules
from analytics_api.routes import Routes
from analytics_api.store.goals import find_goal, list_goals
from analytics_api.store.metrics.answer import Figures

MOST_PERIODS = 104

router = Routes(prefix="/goals", tags=["goals"])


@router.get("", summary="Goals and how far they are", response_model=GoalList)
async def all_goals(caller: FiguresCaller, database: DatabaseOf, rules: Rules) -> dict[str, Any]:
    """Each in its period of today, or in its last. The oldest goal first."""
    async with database.read() as connection:
        figures = await Figures.of(connection, caller.project, rules.clock(), rules.late_days)
        goals = [
            await goal_answer(figures, stored) for stored in await list_goals(connection, caller.project.id)
        ]
    return {"project": caller.project.slug, "goals": goals}


@router.get("/{goal_id}", summary="A goal and its history", response_model=GoalInfo)
async def one_goal(
    goal_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    periods: Annotated[int, Query(ge=0, le=MOST_PERIODS, description="Earlier periods to show.")] = 12,
) -> dict[str, Any]:
    """How far it is, and what became of its earlier weeks or months by the target of now."""
    async with database.read() as connection:
        stored = await find_goal(connection, caller.project.id, goal_id)
        if stored is None:
            raise NotFound(f"Project {caller.project.slug} has no goal {goal_id}.")
        figures = await Figures.of(connection, caller.project, rules.clock(), rules.late_days)
        return await goal_answer(figures, stored, periods=periods)

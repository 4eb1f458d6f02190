"""Setting, changing and removing goals. GET /goals says how far they are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.access.dependencies import DatabaseOf, EditCaller
from analytics_api.domain.clock import system_clock
from analytics_api.domain.goals import Direction, Goal, GoalPeriod
from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.errors import NotFound, Unprocessable
from analytics_api.routes import Routes
from analytics_api.store import goals as store
from analytics_api.store.goals import StoredGoal

router = Routes(prefix="/goals", tags=["goals"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class GoalBody(BaseModel):
    """A goal."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "50 file uploads a week",
                "metric": "file_uploads",
                "direction": "at_least",
                "target": 50,
                "period": "week",
            }
        },
    )

    title: str = Field(description="For people.")
    metric: str = Field(description="A name from GET /metrics/definitions.")
    direction: Direction = Direction.AT_LEAST
    target: float = Field(description="In the metric's unit; of a fraction between 0 and 1.")
    period: GoalPeriod = Field(
        description="`week` or `month`: every one anew; `until`: once, from `starts_on` to `ends_on`."
    )
    starts_on: date | None = Field(None, description="Default: today.")
    ends_on: date | None = Field(
        None, description="Last day; needed for `until`. A week's or month's goal without one goes on."
    )


class SetGoal(BaseModel):
    """A goal as it was stored."""

    id: int
    title: str
    metric: str
    direction: Direction
    target: float
    period: GoalPeriod
    starts_on: date
    ends_on: date | None


@router.post("", summary="Set a goal", status_code=201, response_model=SetGoal)
async def add_goal(body: GoalBody, caller: EditCaller, database: DatabaseOf) -> SetGoal:
    """Its figures are there at once, also of days before now."""
    now = system_clock()
    goal = _goal(body, local_day(now, caller.project.zone))
    async with database.write() as connection:
        await _check(connection, caller.project, goal)
        return _answer(await store.add_goal(connection, caller.project.id, goal, now))


@router.put("/{goal_id}", summary="Change a goal", response_model=SetGoal)
async def replace_goal(goal_id: Number, body: GoalBody, caller: EditCaller, database: DatabaseOf) -> SetGoal:
    """Everything is given again; without `starts_on` that stays. Earlier periods are judged by the new target, too."""
    project, now = caller.project, system_clock()
    async with database.write() as connection:
        held = await store.find_goal(connection, project.id, goal_id)
        stored = None
        if held is not None:
            goal = _goal(body, held.goal.starts_on)
            await _check(connection, project, goal)
            stored = await store.replace_goal(connection, project.id, goal_id, goal, now)
    if stored is None:
        raise _no_goal(project, goal_id)
    return _answer(stored)


@router.delete("/{goal_id}", summary="Remove a goal", status_code=204)
async def remove_goal(goal_id: Number, caller: EditCaller, database: DatabaseOf) -> Response:
    """Its metric stays."""
    async with database.write() as connection:
        if not await store.remove_goal(connection, caller.project.id, goal_id):
            raise _no_goal(caller.project, goal_id)
    return Response(status_code=204)


def _goal(body: GoalBody, starts_on: date) -> Goal:
    goal = Goal(
        body.title,
        body.metric,
        body.direction,
        Decimal(str(body.target)),
        body.period,
        body.starts_on or starts_on,
        body.ends_on,
    )
    try:
        goal.check()
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None
    return goal


async def _check(connection: AsyncConnection, project: Project, goal: Goal) -> None:
    """Raises Unprocessable when the metric is not there or cannot be read over the goal's period."""
    metric = await store.metric_of_goal(connection, project.id, goal)
    if metric is None:
        raise Unprocessable(
            f"metric: {goal.metric!r} is not known; GET /metrics/definitions lists all, POST /metrics/custom makes one."
        )
    try:
        goal.read_as(metric)
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None


def _answer(stored: StoredGoal) -> SetGoal:
    goal = stored.goal
    return SetGoal(
        id=stored.id,
        title=goal.title,
        metric=goal.metric,
        direction=goal.direction,
        target=float(goal.target),
        period=goal.period,
        starts_on=goal.starts_on,
        ends_on=goal.ends_on,
    )


def _no_goal(project: Project, goal_id: int) -> NotFound:
    return NotFound(f"Project {project.slug} has no goal {goal_id}.")

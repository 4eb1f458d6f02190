"""Goals: rows in, rows out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.goals import BUCKETS, Direction, Goal, GoalPeriod
from analytics_api.domain.metrics import METRICS_BY_NAME, Metric
from analytics_api.errors import Unprocessable
from analytics_api.store.custom_metrics import metric_called
from analytics_api.store.statements import fetch

MOST_GOALS = 200
"""Of one project."""


@dataclass(frozen=True, slots=True)
class StoredGoal:
    """A goal with its number."""

    id: int
    goal: Goal
    created_at: datetime
    updated_at: datetime


_COLUMNS = "id, title, metric, direction, target, period, starts_on, ends_on, created_at, updated_at"


async def list_goals(connection: AsyncConnection, project_id: int) -> list[StoredGoal]:
    """All goals of a project, the oldest first."""
    sql = f"SELECT {_COLUMNS} FROM goals WHERE project_id = :project ORDER BY id"
    return [_stored(row) for row in await fetch(connection, sql, {"project": project_id})]


async def find_goal(connection: AsyncConnection, project_id: int, goal_id: int) -> StoredGoal | None:
    """The goal of that number."""
    sql = f"SELECT {_COLUMNS} FROM goals WHERE project_id = :project AND id = :id"
    rows = await fetch(connection, sql, {"project": project_id, "id": goal_id})
    return _stored(rows[0]) if rows else None


async def add_goal(connection: AsyncConnection, project_id: int, goal: Goal, now: datetime) -> StoredGoal:
    """Store a goal. Raises Unprocessable when there are too many."""
    await connection.execute(
        text("SELECT 1 FROM projects WHERE id = :project FOR NO KEY UPDATE"), {"project": project_id}
    )
    if len(await list_goals(connection, project_id)) >= MOST_GOALS:
        raise Unprocessable(f"There are {MOST_GOALS} goals already: remove one first.")
    [row] = await fetch(
        connection,
        f"""
        INSERT INTO goals (project_id, title, metric, direction, target, period, starts_on, ends_on, created_at, updated_at)
        VALUES (:project, :title, :metric, :direction, :target, :period, :starts_on, :ends_on, :now, :now)
        RETURNING {_COLUMNS}
        """,
        {"project": project_id, "now": now, **asdict(goal)},
    )
    return _stored(row)


async def replace_goal(
    connection: AsyncConnection, project_id: int, goal_id: int, goal: Goal, now: datetime
) -> StoredGoal | None:
    """Put another goal in the place of one. None: there is none of that number."""
    rows = await fetch(
        connection,
        f"""
        UPDATE goals SET title = :title, metric = :metric, direction = :direction, target = :target, period = :period,
                         starts_on = :starts_on, ends_on = :ends_on, updated_at = :now
        WHERE project_id = :project AND id = :id RETURNING {_COLUMNS}
        """,
        {"project": project_id, "id": goal_id, "now": now, **asdict(goal)},
    )
    return _stored(rows[0]) if rows else None


async def remove_goal(connection: AsyncConnection, project_id: int, goal_id: int) -> bool:
    """Remove a goal. False: there is none of that number."""
    rows = await fetch(
        connection,
        "DELETE FROM goals WHERE project_id = :project AND id = :id RETURNING id",
        {"project": project_id, "id": goal_id},
    )
    return bool(rows)


async def metric_of_goal(connection: AsyncConnection, project_id: int, goal: Goal) -> Metric | None:
    """The metric that a goal names; None when there is none of that name."""
    if goal.metric in METRICS_BY_NAME:
        return METRICS_BY_NAME[goal.metric]
    return await metric_called(connection, project_id, goal.metric, BUCKETS.get(goal.period))


def _stored(row: Any) -> StoredGoal:
    goal = Goal(
        row.title,
        row.metric,
        Direction(row.direction),
        row.target,
        GoalPeriod(row.period),
        row.starts_on,
        row.ends_on,
    )
    return StoredGoal(row.id, goal, row.created_at, row.updated_at)

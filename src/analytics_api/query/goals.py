"""How far goals are: their metric read over each of their periods, and judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from analytics_api.domain.goals import Goal, GoalPeriod, Reading, grows, progress
from analytics_api.domain.metrics import Metric, State
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError, Unprocessable
from analytics_api.query.metrics import as_number, explanation
from analytics_api.store.goals import StoredGoal, metric_of_goal
from analytics_api.store.metrics.answer import Figures, Point
from analytics_api.store.metrics.custom import measured_between
from analytics_api.store.metrics.figure import count


async def goal_answer(figures: Figures, stored: StoredGoal, *, periods: int = 0) -> dict[str, Any]:
    """One element of GET /goals: with its period of today or else its last, and `periods` before that."""
    goal = stored.goal
    answer: dict[str, Any] = {
        "id": stored.id,
        "title": goal.title,
        "metric": goal.metric,
        "direction": goal.direction.value,
        "target": as_number(goal.target),
        "period": goal.period.value,
        "starts_on": goal.starts_on.isoformat(),
        "ends_on": None if goal.ends_on is None else goal.ends_on.isoformat(),
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "problem": None,
    }
    windows = islice(goal.windows(figures.today, figures.project.week_start), periods + 1)
    try:
        metric = await _metric(figures, goal)
        made = [await _progress(figures, goal, metric, *window) for window in windows]
    except AnalyticsError as error:
        return {**answer, "current": None, "history": [], "problem": error.detail}
    return {**answer, "current": made[0], "history": made[1:]}


async def _metric(figures: Figures, goal: Goal) -> Metric:
    """Raises Unprocessable when it is no more, or cannot be read so."""
    found = await metric_of_goal(figures.connection, figures.project.id, goal)
    if found is None:
        raise Unprocessable(f"metric: there is no metric {goal.metric} any more.")
    return found


async def _progress(figures: Figures, goal: Goal, metric: Metric, first: date, last: date) -> dict[str, Any]:
    reading = goal.read_as(metric)
    elapsed = _elapsed(figures.now, figures.project, first, last)
    point = await _read(figures, goal, metric, reading, first, last) if elapsed > 0 else None
    value = None if point is None else point.figure.value
    made = progress(goal, value, elapsed, growing=grows(metric, reading))
    explained = None
    if point is not None:
        explained = explanation(point, figures.project)
        if reading is not Reading.NEWEST:
            explained["window"] = {"start": first.isoformat(), "end": last.isoformat()}
    return {
        "start": first.isoformat(),
        "end": last.isoformat(),
        "status": made.status.value,
        "value": as_number(made.value),
        "share": as_number(made.share),
        "elapsed": as_number(elapsed),
        "expected": as_number(made.expected),
        "projected": as_number(made.projected),
        "state": None if point is None else point.state.value,
        "figure": explained,
    }


def _elapsed(now: datetime, project: Project, first: date, last: date) -> Decimal:
    """How much of the days has passed, 0 to 1; days of 23 and 25 hours come out right."""
    begin = start_of_day(first, project.zone)
    end = start_of_day(last + timedelta(days=1), project.zone)
    passed = Decimal((now - begin).total_seconds()) / Decimal((end - begin).total_seconds())
    return min(max(passed, Decimal(0)), Decimal(1))


async def _read(
    figures: Figures, goal: Goal, metric: Metric, reading: Reading, first: date, last: date
) -> Point:
    """The figure of a goal's period that has begun."""
    until = min(last, figures.today)
    if reading is Reading.BUCKET and goal.period is not GoalPeriod.UNTIL:
        return await figures.point(metric, first)
    if reading is Reading.BUCKET and metric.measure is not None:
        begin, end = (start_of_day(day, figures.project.zone) for day in (first, until + timedelta(days=1)))
        figure = await measured_between(figures.connection, metric.measure, figures.project, begin, end)
        state = _state(figures, metric, last)
        return Point(metric, first, figure, state, figures.now, partial=False)
    points = await figures.points(metric, first, until)
    if reading is Reading.NEWEST:
        over = [point for point in points if point.state is not State.OPEN]
        return (over or points)[-1]
    total = sum((point.figure.value or Decimal(0) for point in points), Decimal(0))
    summed = replace(points[-1], bucket=first, figure=count(total), calculated_at=figures.now)
    return replace(summed, state=_state(figures, metric, last))


def _state(figures: Figures, metric: Metric, last: date) -> State:
    """How certain the figure of a stretch of days is: as that of its last day."""
    today = local_day(figures.now, figures.project.zone)
    if today <= last:
        return State.OPEN
    settled = last + timedelta(days=1 + metric.settles_after(figures.late_days))
    return State.FINAL if today >= settled else State.SETTLING

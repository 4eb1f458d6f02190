"""GET /metrics/predicted/...: lifetime value of customers and retention of cohorts, foreseen."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Query

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller, ReadCaller
from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.query.metrics import EARLIEST
from analytics_api.query.prediction_schemas import PredictedPersons, PredictedRetention, PredictedValue
from analytics_api.query.predictions import (
    MOST_CUSTOMERS,
    Forecast,
    fit_retention,
    forecast,
    person_answers,
    retention_answer,
    value_answer,
)
from analytics_api.query.routes import IncludeBots, Rules
from analytics_api.routes import Routes
from analytics_api.store.engine import Database
from analytics_api.store.metrics.customers import Customers, customers, survivors

router = Routes(prefix="/metrics/predicted", tags=["predictions"])

AsOf = Annotated[date | None, Query(description="Last local day to look at; default: today.")]
Horizon = Annotated[int, Query(ge=1, le=3650, description="Days after as_of.")]

_one_at_a_time = asyncio.Semaphore(1)
"""A fit keeps a processor busy for a second or more."""


@router.get("/ltv", summary="Lifetime value to be expected", response_model=PredictedValue)
async def predicted_value(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    as_of: AsOf = None,
    horizon_days: Horizon = 365,
    include_bots: IncludeBots = False,
) -> dict[str, Any]:
    """What the customers of a project will buy and spend, all together and by the month of their first purchase."""
    day = _day(as_of, caller.project, rules)
    found, made = await _forecast(database, caller.project, day, horizon_days, include_bots=include_bots)
    return {
        **_asked(caller.project, day, horizon_days),
        **await asyncio.to_thread(value_answer, found, made),
    }


@router.get("/ltv/persons", summary="The most valuable customers to come", response_model=PredictedPersons)
async def predicted_persons(
    caller: ReadCaller,
    database: DatabaseOf,
    rules: Rules,
    as_of: AsOf = None,
    horizon_days: Horizon = 365,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    include_bots: IncludeBots = False,
) -> dict[str, Any]:
    """The customers that most revenue is expected of, and whether they are likely to be customers still."""
    day = _day(as_of, caller.project, rules)
    _, made = await _forecast(database, caller.project, day, horizon_days, include_bots=include_bots)
    persons = await asyncio.to_thread(person_answers, made, limit)
    return {**_asked(caller.project, day, horizon_days), "persons": persons}


@router.get("/retention", summary="Retention to be expected", response_model=PredictedRetention)
async def predicted_retention(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    cohort_start: Annotated[
        date, Query(description="First local day on which persons of the cohort were first seen.")
    ],
    cohort_end: Annotated[date, Query(description="The last one, included.")],
    period: Annotated[
        Literal["weekly", "monthly", "yearly"], Query(description="Counted from each person's own first day.")
    ] = "monthly",
    as_of: AsOf = None,
    periods: Annotated[int, Query(ge=1, le=240, description="To look ahead.")] = 12,
    include_bots: IncludeBots = False,
) -> dict[str, Any]:
    """How many of a cohort stayed, and how many will. Fitted to the periods that are over for everybody in it."""
    day = _day(as_of, caller.project, rules)
    if cohort_end < cohort_start:
        raise Unprocessable(f"cohort_end {cohort_end} is before cohort_start {cohort_start}: swap them.")
    async with database.read() as connection:
        stayed = await survivors(
            connection,
            caller.project,
            period=period,
            cohort=(cohort_start, cohort_end),
            as_of=day,
            include_bots=include_bots,
        )
    try:
        async with _one_at_a_time:
            fitted = await asyncio.to_thread(fit_retention, stayed)
    except ValueError as error:
        raise Unprocessable(f"Retention cannot be foretold: {error}.", survivors=stayed) from error
    return {
        "as_of": day,
        "period": period,
        "cohort_start": cohort_start,
        "cohort_end": cohort_end,
        **retention_answer(stayed, fitted, periods),
    }


async def _forecast(
    database: Database, project: Project, as_of: date, days: int, *, include_bots: bool
) -> tuple[Customers, Forecast]:
    async with database.read() as connection:
        found = await customers(connection, project, as_of, MOST_CUSTOMERS, include_bots=include_bots)
    try:
        async with _one_at_a_time:
            return found, await asyncio.to_thread(forecast, found.chosen, as_of, days)
    except ValueError as error:
        raise Unprocessable(f"Lifetime value cannot be foretold: {error}.", customers=found.all) from error


def _day(as_of: date | None, project: Project, rules: Rules) -> date:
    today = local_day(rules.clock(), project.zone)
    if as_of is None:
        return today
    if not EARLIEST <= as_of <= today:
        raise Unprocessable(f"as_of must be between {EARLIEST} and today, {today}.")
    return as_of


def _asked(project: Project, as_of: date, days: int) -> dict[str, Any]:
    return {"as_of": as_of, "horizon_days": days, "currency": project.currency, "zone": project.zone.key}

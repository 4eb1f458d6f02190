"""POST /analysis/...: questions in, answers that explain themselves out.

What computes is imported when it is first asked: numpy takes a tenth of a second, which processes that are never asked save.
"""

from __future__ import annotations

from typing import Any

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller, ReadCaller
from analytics_api.query.analysis.answers import (
    FunnelAnswer,
    JourneyAnswer,
    LifecycleAnswer,
    PeoplePage,
    RetentionAnswer,
    TrendAnswer,
)
from analytics_api.query.analysis.asking import opened
from analytics_api.query.analysis.cells import LifecyclePeopleQuestion, PeopleQuestion
from analytics_api.query.analysis.experiment_answers import ExperimentAnswer
from analytics_api.query.analysis.questions import (
    ExperimentQuestion,
    FunnelQuestion,
    JourneyQuestion,
    LifecycleQuestion,
    RetentionQuestion,
    TrendQuestion,
)
from analytics_api.query.routes import Rules
from analytics_api.routes import Routes

router = Routes(prefix="/analysis", tags=["analysis"])


@router.post("/funnel", summary="How far people get along some steps", response_model=FunnelAnswer)
async def funnel(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: FunnelQuestion
) -> dict[str, Any]:
    """Counts, conversions and times of each step, for all and by a property."""
    from analytics_api.query.analysis.funnel import funnel_answer

    async with opened(database, caller, rules, question) as scope:
        return await funnel_answer(scope, question, rules.late_days)


@router.post("/retention", summary="Who comes back", response_model=RetentionAnswer)
async def retention(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: RetentionQuestion
) -> dict[str, Any]:
    """Cohorts with the share of their persons who were there n periods later. Cells whose time is not over are null."""
    from analytics_api.query.analysis.retention import retention_answer

    async with opened(database, caller, rules, question) as scope:
        return await retention_answer(scope, question, rules.late_days)


@router.post("/lifecycle", summary="Who is new, stays, comes back and goes", response_model=LifecycleAnswer)
async def lifecycle(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: LifecycleQuestion
) -> dict[str, Any]:
    """Persons of each day, week or month by what they did before: new, current, resurrected; and who is dormant."""
    from analytics_api.query.analysis.lifecycle import lifecycle_answer

    async with opened(database, caller, rules, question) as scope:
        return await lifecycle_answer(scope, question, rules.late_days)


@router.post("/journeys", summary="What comes before and after", response_model=JourneyAnswer)
async def journeys(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: JourneyQuestion
) -> dict[str, Any]:
    """The steps from an event on, or up to it, as nodes and links of a Sankey diagram, and the most frequent paths."""
    from analytics_api.query.analysis.journey import journey_answer

    async with opened(database, caller, rules, question) as scope:
        return await journey_answer(scope, question, rules.late_days)


@router.post("/trends", summary="Numbers over time", response_model=TrendAnswer)
async def trends(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: TrendQuestion
) -> dict[str, Any]:
    """Series and formulas by hour, day, week or month; by a property; and beside the period before."""
    from analytics_api.query.analysis.trends import trend_answer

    async with opened(database, caller, rules, question) as scope:
        return await trend_answer(scope, question, rules.late_days)


@router.post("/experiment", summary="What variants do", response_model=ExperimentAnswer)
async def experiment(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, question: ExperimentQuestion
) -> dict[str, Any]:
    """Conversions and means of each variant against the control, with tests, intervals and a check of the split."""
    from analytics_api.query.analysis.experiment import experiment_answer

    async with opened(database, caller, rules, question) as scope:
        return await experiment_answer(scope, question, rules.late_days)


@router.post("/people", summary="Who is behind a number", response_model=PeoplePage)
async def people(
    caller: ReadCaller, database: DatabaseOf, rules: Rules, question: PeopleQuestion
) -> dict[str, Any]:
    """The persons that a number of an analysis counts. Ask with the same question and say which number."""
    from analytics_api.query.analysis.people import people_answer

    async with opened(database, caller, rules, question.of.question) as scope:
        return await people_answer(scope, question)


@router.post("/lifecycle/people", summary="Who is in a stage", response_model=PeoplePage)
async def lifecycle_people(
    caller: ReadCaller, database: DatabaseOf, rules: Rules, asked: LifecyclePeopleQuestion
) -> dict[str, Any]:
    """The persons that a number of `POST /analysis/lifecycle` counts."""
    from analytics_api.query.analysis import lifecycle, people

    async with opened(database, caller, rules, asked.question) as scope:
        found, numbers = await lifecycle.lifecycle_people(scope, asked)
        return await people.people_page(scope, found, numbers, asked.limit, asked.cursor)

"""Who is behind a number."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np

from analytics_api.domain.analysis.stream import Ints, distinct
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import person_answer, wanted_days
from analytics_api.query.analysis.cells import (
    ExperimentPeople,
    FunnelPeople,
    JourneyPeople,
    PeopleQuestion,
    RetentionPeople,
    SubscriptionPeople,
    TrendPeople,
)
from analytics_api.query.analysis.experiment import experiment_people
from analytics_api.query.analysis.funnel import funnel_people
from analytics_api.query.analysis.journey import journey_people
from analytics_api.query.analysis.retention import retention_people
from analytics_api.query.analysis.trend_people import trend_people
from analytics_api.store.analysis.columns import People, numbered_people
from analytics_api.store.analysis.people import customers, described, everybody
from analytics_api.store.analysis.scope import Scope


async def people_answer(scope: Scope, asked: PeopleQuestion) -> dict[str, Any]:
    """A page of the persons, in the order of their ids. Raises Unprocessable."""
    return await people_page(scope, *await _chosen(scope, asked), asked.limit, asked.cursor)


async def people_page(
    scope: Scope, people: People, numbers: Ints, limit: int, cursor: UUID | None
) -> dict[str, Any]:
    """A page of some persons, whose numbers ascend, in the order of their ids."""
    rest = numbers if cursor is None else _behind(people, numbers, cursor)
    page = people.uuids(rest[:limit])
    rows = await described(scope.connection, page)
    return {
        "total": len(numbers),
        "persons": [person_answer(row) for row in rows],
        "next_cursor": str(page[-1]) if len(rest) > limit else None,
    }


async def _chosen(scope: Scope, asked: PeopleQuestion) -> tuple[People, Ints]:
    of = asked.of
    if isinstance(of, FunnelPeople):
        return await funnel_people(scope, of.question, of.cell)
    if isinstance(of, RetentionPeople):
        return await retention_people(scope, of.question, of.cell)
    if isinstance(of, JourneyPeople):
        return await journey_people(scope, of.question, of.cell)
    if isinstance(of, TrendPeople):
        return await trend_people(scope, of.question, of.cell)
    if isinstance(of, ExperimentPeople):
        return await experiment_people(scope, of.question, of.cell)
    if isinstance(of, SubscriptionPeople):
        if scope.filters.parts:
            raise Unprocessable("analysis subscriptions: leave out filters; subscriptions are no events.")
        people, [numbers] = numbered_people(
            await customers(scope, of.cell.part, *wanted_days(scope, of.question))
        )
        return people, distinct(numbers)
    if scope.filters.parts or of.question.start_date or of.question.end_date:
        raise Unprocessable(
            "analysis persons: leave out filters and days; `people` says who is meant by what they did."
        )
    people, [numbers] = numbered_people(await everybody(scope))
    return people, distinct(numbers)


def _behind(people: People, numbers: Ints, cursor: UUID) -> Ints:
    high, low = people.ids[:, numbers]
    first, second = np.uint64(cursor.int >> 64), np.uint64(cursor.int & (2**64 - 1))
    behind: Ints = numbers[(high > first) | ((high == first) & (low > second))]
    return behind

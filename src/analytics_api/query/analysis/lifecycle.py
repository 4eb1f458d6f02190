"""Lifecycle as it is asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.lifecycle import lifecycle
from analytics_api.domain.analysis.retention import bucket_numbers, day_number
from analytics_api.domain.analysis.stream import Ints
from analytics_api.domain.analysis.terms import LifecycleStage
from analytics_api.domain.period import Period, bucket_of, buckets, next_bucket
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import day_state, explained, wanted_days, worked_out
from analytics_api.query.analysis.cells import LifecyclePeopleQuestion
from analytics_api.query.analysis.questions import LifecycleQuestion
from analytics_api.store.analysis.columns import People, numbered_people
from analytics_api.store.analysis.earlier import earlier_people
from analytics_api.store.analysis.retention import in_rollups, marks
from analytics_api.store.analysis.scope import Scope, check

_DEFINITION = (
    "Persons who did {what} in a {period}: new, who never did before; current, who did in the one before; resurrected, "
    "who did earlier but not in the one before. Dormant: who did in the one before and not in this one."
)


@dataclass(frozen=True, slots=True)
class _Run:
    """Everybody's stages in all buckets."""

    people: People
    stages: Mapping[LifecycleStage, tuple[Ints, Ints]]
    buckets: list[date]
    last: date


async def _run(scope: Scope, question: LifecycleQuestion) -> _Run:
    first, last = wanted_days(scope, question)
    week_start = scope.project.week_start
    first = bucket_of(first, question.period, week_start)
    end = next_bucket(bucket_of(last, question.period, week_start), question.period)
    last = min(end - timedelta(days=1), scope.today)
    before = bucket_of(first - timedelta(days=1), question.period, week_start)
    if scope.gone_until is not None and before <= scope.gone_until:
        raise Unprocessable(
            f"start_date: raw events up to {scope.gone_until} are gone, and the period before the first is needed."
        )
    kind = question.activity.kind()
    await check(scope.connection, [kind.filters])
    there = await marks(scope, kind, before, last, times=False)
    earlier = await earlier_people(scope, kind, before, there)
    names = list(buckets(first, last, question.period, week_start))

    def prepare() -> _Run:
        people, [person, known] = numbered_people(there, earlier)
        numbers = bucket_numbers(
            np.append(there["day"], day_number(first)).astype(np.int64), question.period, week_start
        )
        was_there = np.zeros(len(people), np.bool_)
        was_there[known] = True
        return _Run(people, lifecycle(person, numbers[:-1] - numbers[-1], was_there, len(names)), names, last)

    return await worked_out(prepare)


async def lifecycle_answer(scope: Scope, question: LifecycleQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    found = await _run(scope, question)
    counts = {
        stage: np.bincount(where, minlength=len(found.buckets)).tolist()
        for stage, (_, where) in found.stages.items()
    }
    words = {Period.DAILY: "day", Period.WEEKLY: "week", Period.MONTHLY: "month"}[question.period]
    definition = _DEFINITION.format(what=question.activity.words(), period=words)
    answer = await explained(scope, question, definition, found.buckets[0], found.last, late_days)
    if in_rollups(scope, question.activity.kind()):
        answer["source"] = "rollups"
    points = []
    for number, bucket in enumerate(found.buckets):
        ends = next_bucket(bucket, question.period) - timedelta(days=1)
        here = {stage.value: counts[stage][number] for stage in LifecycleStage}
        points.append(
            {
                "date": bucket.isoformat(),
                "state": day_state(ends, scope.today, late_days).value,
                **here,
                "active": sum(here.values()) - here[LifecycleStage.DORMANT],
            }
        )
    return {**answer, "period": question.period, "points": points}


async def lifecycle_people(scope: Scope, asked: LifecyclePeopleQuestion) -> tuple[People, Ints]:
    """Who is in a number, as numbers of persons, each once. Raises Unprocessable."""
    found = await _run(scope, asked.question)
    if asked.date not in found.buckets:
        raise Unprocessable(f"date: {asked.date} is the date of no point of the question.")
    person, where = found.stages[asked.stage]
    return found.people, np.unique(person[where == found.buckets.index(asked.date)])

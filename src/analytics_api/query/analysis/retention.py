"""Retention as it is asked for and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.retention import (
    FOREVER,
    Births,
    Cells,
    Column,
    Marks,
    Returns,
    bucket_numbers,
    by_own_clock,
    columns_of,
    day_number,
    matrix,
)
from analytics_api.domain.analysis.stream import Ints, distinct
from analytics_api.domain.analysis.terms import DAY, Criterion
from analytics_api.domain.period import Period, bucket_of, buckets, next_bucket
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import (
    day_state,
    explained,
    proportion,
    wanted_days,
    worked_out,
)
from analytics_api.query.analysis.cells import RetentionCell
from analytics_api.query.analysis.questions import RetentionQuestion
from analytics_api.store.analysis.columns import People, Rows, micros, numbered_people
from analytics_api.store.analysis.earlier import only_first
from analytics_api.store.analysis.retention import firsts, in_rollups, marks
from analytics_api.store.analysis.scope import Scope, check, in_firsts

DAYS = {Period.DAILY: 1, Period.WEEKLY: 7, Period.MONTHLY: 30}
"""Length of a rolling period."""
_WORDS = {
    Criterion.ON: "in exactly the n-th period after it",
    Criterion.ON_OR_AFTER: "in the n-th period after it or later; the newest columns understate, for some are still to come",
    Criterion.ON_OR_BEFORE: "in one of the first n periods after it",
}


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """A matrix that is ready to be counted."""

    people: People
    births: Births
    cohorts: list[date]
    returns: Returns
    columns: list[Column]


async def run_retention(scope: Scope, question: RetentionQuestion, first: date, last: date) -> RetentionRun:
    """Read what is needed. Raises Unprocessable."""
    birth, returning = question.birth.kind(), question.returning.kind()
    await check(scope.connection, [birth.filters, returning.filters])
    rolling = question.clock == "rolling"
    columns = columns_of(question.criterion, question.columns, question.brackets)
    until = _last_needed(scope, question, columns, last)
    returned: Rows | None = None
    if question.mode == "first_ever" and in_firsts(scope, birth):
        born = await firsts(scope, birth, first, last)
    else:
        if birth == returning:
            returned = await marks(scope, returning, first, until, times=rolling)
            born = returned.having(returned["day"] <= day_number(last))
        else:
            born = await marks(scope, birth, first, last, times=rolling)
        if question.mode == "first_ever":
            born = await only_first(scope, birth, first, born)
    back = (
        returned
        if returned is not None
        else await marks(scope, returning, first, until, times=rolling, among=born)
    )

    def prepare() -> RetentionRun:
        people, [person, who] = numbered_people(born, back)
        births, again = _counted_in_periods(scope, question, first, born, person, back, who)
        rows = list(buckets(first, last, question.period, scope.project.week_start))
        return RetentionRun(people, births, rows, Returns(again), columns)

    return await worked_out(prepare)


def _counted_in_periods(
    scope: Scope,
    question: RetentionQuestion,
    first: date,
    born: Rows,
    person: Ints,
    returned: Rows,
    back: Ints,
) -> tuple[Births, Marks]:
    """Births and returns in the same periods: local buckets, or those of each person's own clock."""
    week_start = scope.project.week_start
    bucket = bucket_numbers(born["day"], question.period, week_start)
    begin = _number(first, question.period, week_start)
    if question.clock == "rolling":
        length = DAYS[question.period] * DAY
        order = np.argsort(person)
        over = (micros(scope.as_of) - born["at"][order]) // length
        births = Births(person[order], np.zeros(len(order), np.int64), over, bucket[order] - begin)
        return births, by_own_clock(Marks(person, born["at"]), Marks(back, returned["at"]), length)
    # A person may have done it several times in a bucket.
    width = int(bucket.max(initial=begin)) - begin + 1
    person, cohort = np.divmod(distinct(person * width + bucket - begin), width)
    over = np.full(len(person), _number(scope.today, question.period, week_start), np.int64)
    births = Births(person, cohort + begin, over, cohort)
    return births, Marks(back, bucket_numbers(returned["day"], question.period, week_start))


def _number(day: date, period: Period, week_start: int) -> int:
    [number] = bucket_numbers(np.array([day_number(day)], np.int64), period, week_start).tolist()
    return int(number)


def _last_needed(scope: Scope, question: RetentionQuestion, columns: list[Column], last: date) -> date:
    """The last local day on which a return can matter."""
    furthest = max(column.last for column in columns)
    if furthest >= FOREVER:
        return scope.today
    length = {Period.DAILY: 1, Period.WEEKLY: 7, Period.MONTHLY: 31}[question.period]
    return min(scope.today, last + timedelta(days=(furthest + 1) * length + 1))


def whole_buckets(scope: Scope, question: RetentionQuestion) -> tuple[date, date]:
    """The first day of the first cohort and the last day of the last one."""
    first, last = wanted_days(scope, question)
    week_start = scope.project.week_start
    end = next_bucket(bucket_of(last, question.period, week_start), question.period)
    first = bucket_of(first, question.period, week_start)
    if scope.gone_until is not None and first <= scope.gone_until:
        raise Unprocessable(
            f"start_date: raw events up to {scope.gone_until} are gone; begin with a later cohort."
        )
    return first, min(end - timedelta(days=1), scope.today)


async def retention_answer(scope: Scope, question: RetentionQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    first, last = whole_buckets(scope, question)
    found = await run_retention(scope, question, first, last)
    cells = await worked_out(matrix, found.births, len(found.cohorts), found.returns, found.columns)
    answer = await explained(scope, question, _definition(question), first, last, late_days)
    if in_rollups(scope, question.returning.kind()) and question.clock == "calendar":
        answer["source"] = "rollups"
    names = ("mode", "criterion", "clock", "period")
    return {
        **answer,
        **{name: getattr(question, name) for name in names},
        "columns": [_column(column) for column in found.columns],
        "overall": [
            proportion(int(retained), int(eligible))
            for retained, eligible in zip(cells.retained.sum(axis=0), cells.eligible.sum(axis=0), strict=True)
        ],
        "cohorts": [
            _row(cohort, cells, number, last_days, scope.today, late_days)
            for number, (cohort, last_days) in enumerate(
                zip(found.cohorts, _last_days(question, found.cohorts, found.columns), strict=True)
            )
        ],
    }


def _definition(question: RetentionQuestion) -> str:
    when = "first time ever" if question.mode == "first_ever" else "every period"
    clock = (
        "local {}s".format({"daily": "day", "weekly": "week", "monthly": "month"}[question.period])
        if question.clock == "calendar"
        else f"periods of {DAYS[question.period] * 24} hours from each person's own time"
    )
    return (
        f"Persons by the {when} of {question.birth.words()}, and of these who did {question.returning.words()} "
        f"{_WORDS[question.criterion]}. Counted in {clock}. Overall: of those for whom the time is over."
    )


def _column(column: Column) -> dict[str, Any]:
    return {"first": column.first, "last": None if column.last >= FOREVER else column.last}


def _row(
    cohort: date, cells: Cells, row: int, last_days: Sequence[date], today: date, late_days: int
) -> dict[str, Any]:
    size = int(cells.sizes[row])
    answers = []
    for number, last in enumerate(last_days):
        eligible, retained = int(cells.eligible[row, number]), int(cells.retained[row, number])
        state = day_state(last, today, late_days)
        mature = last < today and eligible == size
        answers.append(
            {
                "value": retained / size if mature and size else None,
                "retained": retained if mature else None,
                "so_far": int(cells.so_far[row, number]),
                "mature": mature,
                "state": state.value,
            }
        )
    return {"cohort": cohort.isoformat(), "size": size, "small_sample": size < 30, "cells": answers}


def _last_days(
    question: RetentionQuestion, cohorts: Sequence[date], columns: Sequence[Column]
) -> list[list[date]]:
    """The local days after which nothing can happen any more, by cohort and column.

    The ends of buckets are gone through once: from each cohort on, 1,000 buckets behind 1,000 cohorts took most of a minute.
    """
    day, ends = cohorts[0], []
    for _ in range(len(cohorts) + max(column.needed for column in columns)):
        day = next_bucket(day, question.period)
        ends.append(day - timedelta(days=1))
    if question.clock == "rolling":
        length = DAYS[question.period]
        return [
            [end + timedelta(days=(column.needed + 1) * length) for column in columns]
            for end in ends[: len(cohorts)]
        ]
    return [[ends[row + column.needed] for column in columns] for row in range(len(cohorts))]


async def retention_people(
    scope: Scope, question: RetentionQuestion, cell: RetentionCell
) -> tuple[People, Ints]:
    """Who is in a number, as numbers of persons, each once."""
    first, last = whole_buckets(scope, question)
    found = await run_retention(scope, question, first, last)
    if cell.column >= len(found.columns):
        raise Unprocessable(f"cell.column: the matrix has {len(found.columns)} columns, from 0.")
    births = found.births
    if cell.cohort is not None:
        if cell.cohort not in found.cohorts:
            raise Unprocessable(f"cell.cohort: {cell.cohort} is the first day of no cohort of the question.")
        births = births.having(births.cohort == found.cohorts.index(cell.cohort))
    if cell.outcome != "all":
        there = found.returns.there(births, found.columns[cell.column])
        births = births.having(there if cell.outcome == "retained" else ~there)
    return found.people, np.unique(births.person)

"""Who is behind a number of a trend."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from analytics_api.domain.analysis.calendar import Calendar
from analytics_api.domain.analysis.stream import Ints
from analytics_api.domain.filters import Path
from analytics_api.domain.period import start_of_day
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import wanted_days
from analytics_api.query.analysis.cells import TrendCell
from analytics_api.query.analysis.questions import LETTERS, TrendQuestion
from analytics_api.query.analysis.trends import point_name
from analytics_api.store.analysis.columns import People, event_rows, numbered_people
from analytics_api.store.analysis.labels import hash_of, hash_sql, property_sql
from analytics_api.store.analysis.scope import Scope, Statement, check


async def trend_people(scope: Scope, question: TrendQuestion, cell: TrendCell) -> tuple[People, Ints]:
    """Who has any of the events that a number is made of, as numbers of persons, each once."""
    place = LETTERS.index(cell.series)
    if place >= len(question.series):
        raise Unprocessable(f"cell.series: there is no series {cell.series}.")
    kinds = question.series[place].kinds()
    await check(scope.connection, [kind.filters for kind in kinds])
    statement = _statement(scope, question, cell)
    statement.only_types_of(kinds)
    statement.only(statement.any_kind(kinds))
    columns = {}
    if cell.value is not None or cell.without_value:
        if question.breakdown is None:
            raise Unprocessable("cell.value: the question has no breakdown.")
        columns["label"] = hash_sql(property_sql(statement, Path.parse(question.breakdown)))
    rows = await event_rows(statement, columns)
    if columns:
        wanted = await hash_of(scope.connection, None if cell.without_value else cell.value)
        rows = rows.having(rows["label"] == wanted)
    people, [numbers] = numbered_people(rows)
    return people, np.unique(numbers)


def _statement(scope: Scope, question: TrendQuestion, cell: TrendCell) -> Statement:
    calendar = Calendar(question.period, *wanted_days(scope, question), scope.zone, scope.project.week_start)
    since, until = scope.stretch(*calendar.days())
    if cell.date is None:
        return Statement(scope, since, until)
    names = [point_name(name) for name in calendar.names()]
    if cell.date not in names:
        raise Unprocessable(f"cell.date: {cell.date!r} is the date of no point of the question.")
    after = start_of_day(calendar.days()[1] + timedelta(days=1), scope.zone)
    bounds = [*calendar.starts(), after]
    number = names.index(cell.date)
    return Statement(scope, bounds[number], min(bounds[number + 1], max(until, bounds[number])))

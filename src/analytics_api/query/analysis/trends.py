"""Trends as they are asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics_api.domain.analysis.calendar import Calendar, Step
from analytics_api.domain.analysis.formula import Formula
from analytics_api.domain.filters import Path
from analytics_api.domain.metrics import State
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import day_state, explained, wanted_days
from analytics_api.query.analysis.questions import LETTERS, SeriesAsked, TrendQuestion
from analytics_api.query.metrics import as_number, as_utc
from analytics_api.store.analysis.scope import Scope, check
from analytics_api.store.analysis.trends import Series, Split, Stretch, nothing, numbers, top_values

MOST_HOURS = 31
"""Days that can be told by the hour."""
MOST_NUMBERS = 20_000
DEFINITION = "Numbers of each {period} period that touches the window of days. `total` is of all of it at once, so that persons are counted once."


@dataclass(frozen=True, slots=True)
class Line:
    """One series, or formula, for one value of the breakdown."""

    points: Sequence[Decimal | None]
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class Chart:
    """All lines of one stretch of time, by series and place of the value; place None is everything."""

    calendar: Calendar
    names: Sequence[str]
    """Of the buckets that have begun, which are the points of each line."""
    lines: Mapping[tuple[int, int | None], Line]


async def trend_answer(scope: Scope, question: TrendQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    first, last = wanted_days(scope, question)
    calendar = Calendar(question.period, first, last, scope.zone, scope.project.week_start)
    _check_size(question, calendar, first, last)
    await check(scope.connection, [kind.filters for series in question.series for kind in series.kinds()])
    begin, end = calendar.days()
    series = [_series(asked) for asked in question.series]
    split = None
    if question.breakdown is not None:
        path = Path.parse(question.breakdown)
        whole = Stretch(*scope.stretch(begin, end), calendar.step)
        values = await top_values(scope, series[0], whole, path, question.breakdown_limit)
        split = Split(path, values)
    chart = await _chart(scope, series, calendar, split)
    before = await _before(scope, series, calendar, split) if question.compare else None
    formula = None
    if question.formula is not None:
        formula = Formula.parse(question.formula, LETTERS[: len(series)])
    answer = await explained(
        scope, question, DEFINITION.format(period=question.period), begin, min(end, scope.today), late_days
    )
    writer = _Writer(scope, split, chart, before, _states(scope, calendar, late_days))
    return {
        **answer,
        "period": question.period,
        "breakdown": question.breakdown,
        "previous": None if before is None else writer.previous_window(),
        "series": [
            {
                "letter": LETTERS[number],
                "name": asked.title(),
                "of": asked.of,
                **writer.lines(lambda each, place, number=number: each.lines[number, place]),
            }
            for number, asked in enumerate(question.series)
        ],
        "formula": None
        if formula is None
        else {"formula": formula.text, **writer.lines(lambda each, place: _applied(formula, each, place))},
    }


def _series(asked: SeriesAsked) -> Series:
    number = None if asked.property is None else Path.parse(asked.property)
    return Series(asked.of, asked.kinds(), number, asked.percentile)


def _check_size(question: TrendQuestion, calendar: Calendar, first: date, last: date) -> None:
    if question.period is Step.HOURLY and (last - first).days >= MOST_HOURS:
        raise Unprocessable(f"period hourly: ask for at most {MOST_HOURS} days.")
    lines = len(question.series) * (question.breakdown_limit + 2 if question.breakdown else 1)
    if lines * len(calendar.names()) > MOST_NUMBERS:
        raise Unprocessable(
            f"The answer would have more than {MOST_NUMBERS} numbers: ask for fewer days or values, or longer periods."
        )


async def _chart(
    scope: Scope,
    series: Sequence[Series],
    calendar: Calendar,
    split: Split | None,
    moment: datetime | None = None,
) -> Chart:
    """The lines of a calendar, up to a moment (included) when one is given."""
    since, until = scope.stretch(*calendar.days())
    if moment is not None:
        until = max(since, min(until, moment + timedelta(microseconds=1)))
    stretch = Stretch(since, until, calendar.step)
    names = [
        name
        for name, start in zip(calendar.names(), calendar.starts(), strict=True)
        if start <= (moment or scope.as_of)
    ]
    lines: dict[tuple[int, int | None], Line] = {}
    places = (None,) if split is None else (None, *range(len(split.values) + 1))
    for number, each in enumerate(series):
        found = await numbers(scope, each, stretch, split)
        for place in places:
            lines[number, place] = Line(
                [found.get((name, place), nothing(each)) for name in names],
                found.get((None, place), nothing(each)),
            )
    return Chart(calendar, [point_name(name) for name in names], lines)


async def _before(scope: Scope, series: Sequence[Series], calendar: Calendar, split: Split | None) -> Chart:
    """The period before; while the last bucket is open, its counterpart goes to the same time of day."""
    earlier = calendar.before()
    if scope.gone_until is not None and earlier.first <= scope.gone_until:
        raise Unprocessable(f"compare: raw events up to {scope.gone_until} are gone.")
    # Who belongs to a cohort is asked as of the question's moment, so that both periods are of the same persons.
    moment = calendar.counterpart(scope.as_of) if calendar.days()[1] >= scope.today else None
    return await _chart(scope, series, earlier, split, moment)


def _applied(formula: Formula, chart: Chart, place: int | None) -> Line:
    lines = {LETTERS[number]: line for (number, where), line in chart.lines.items() if where == place}
    length = min(len(line.points) for line in lines.values())
    return Line(
        [
            formula.value({letter: line.points[index] for letter, line in lines.items()})
            for index in range(length)
        ],
        formula.value({letter: line.total for letter, line in lines.items()}),
    )


def _states(scope: Scope, calendar: Calendar, late_days: int) -> list[str]:
    """How certain each bucket is. For all at once: a month has 744 hours, and finding where they begin takes 3 ms."""
    after = start_of_day(calendar.days()[1] + timedelta(days=1), scope.zone)
    return [_state(scope, ends, late_days).value for ends in [*calendar.starts()[1:], after]]


def _state(scope: Scope, ends: datetime, late_days: int) -> State:
    if ends > scope.as_of:
        return State.OPEN
    last = local_day(ends - timedelta(microseconds=1), scope.zone)
    state = day_state(last, scope.today, late_days)
    # An hour of today that is over.
    return State.SETTLING if state is State.OPEN else state


@dataclass(frozen=True, slots=True)
class _Writer:
    """Lines as JSON."""

    scope: Scope
    split: Split | None
    chart: Chart
    before: Chart | None
    states: Sequence[str]
    """Of all buckets, whether they have begun or not."""

    def previous_window(self) -> dict[str, Any]:
        """The days that are compared with, and the moment up to which their last bucket is counted."""
        assert self.before is not None  # noqa: S101 (asked for only then)
        begin, end = self.before.calendar.days()
        until = None
        if self.chart.calendar.days()[1] >= self.scope.today:
            until = as_utc(self.chart.calendar.counterpart(self.scope.as_of))
        return {"start": begin.isoformat(), "end": end.isoformat(), "until": until}

    def lines(self, line_of: Any) -> dict[str, Any]:
        """One series, as a whole and by value."""
        answer = self._line(line_of, None)
        if self.split is not None:
            count = len(self.split.values)
            answer["values"] = [
                {"value": value, "others": False, **self._line(line_of, place)}
                for place, value in enumerate(self.split.values)
            ] + [{"value": None, "others": True, **self._line(line_of, count)}]
        return answer

    def _line(self, line_of: Any, place: int | None) -> dict[str, Any]:
        line: Line = line_of(self.chart, place)
        points: list[dict[str, Any]] = [
            {"date": name, "value": as_number(value), "state": state}
            for name, value, state in zip(self.chart.names, line.points, self.states, strict=False)
        ]
        answer: dict[str, Any] = {"total": as_number(line.total), "points": points}
        if self.before is not None:
            earlier: Line = line_of(self.before, place)
            for point, name, value in zip(points, self.before.names, earlier.points, strict=False):
                point["previous"] = {"date": name, "value": as_number(value)}
            answer["previous_total"] = as_number(earlier.total)
            answer["change"] = _change(line.total, earlier.total)
        return answer


def point_name(name: date | datetime) -> str:
    """What a bucket is called in answers."""
    return as_utc(name) if isinstance(name, datetime) else name.isoformat()


def _change(now: Decimal | None, before: Decimal | None) -> float | None:
    """As a fraction of what was before; null of nothing."""
    if now is None or not before:
        return None
    return float((now - before) / before)

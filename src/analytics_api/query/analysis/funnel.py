"""Funnels as they are asked for and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.funnel import Attempts, Exclusion, Funnel, StepCount, counted, run
from analytics_api.domain.analysis.stream import Flags, Ints, Stream
from analytics_api.domain.analysis.terms import DAY, SECOND, Order, Unit
from analytics_api.domain.filters import Path
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import explained, proportion, wanted_days, worked_out
from analytics_api.query.analysis.cells import FunnelCell
from analytics_api.query.analysis.questions import FunnelQuestion
from analytics_api.query.analysis.values import Shown, shown
from analytics_api.store.analysis.columns import People, micros
from analytics_api.store.analysis.labels import hash_of
from analytics_api.store.analysis.scope import Scope, check
from analytics_api.store.analysis.steps import Wanted, read_events

DEFINITION = (
    "{unit} that begin with the first step in the window of days and do the following ones {order} within {window} s of it. "
    "No event does two steps; events of one time go by their place in the log. {attempt}"
)
_UNITS = {
    Unit.PERSON: "Persons",
    Unit.SESSION: "Sessions",
    Unit.TOTALS: "Attempts, one after another,",
}
_ORDERS = {
    Order.ORDERED: "in their order",
    Order.STRICT: "in their order with no other active event between",
    Order.ANY: "in any order",
}
_ATTEMPTS = {
    "best": "Of several attempts the one with most steps counts, of these the earliest.",
    "first": "Only the first attempt counts.",
}


def _funnel(question: FunnelQuestion) -> Funnel:
    """A question as it is computed."""
    steps = len(question.steps)
    exclusions = tuple(
        Exclusion(steps + number, each.after_step - 1, (each.before_step or steps) - 1)
        for number, each in enumerate(question.exclusions)
    )
    return Funnel(
        steps,
        question.window_seconds * SECOND,
        question.order,
        question.attempt == "first",
        question.unit,
        round(question.grace_seconds * SECOND),
        exclusions,
    )


@dataclass(frozen=True, slots=True)
class FunnelRun:
    """A funnel that has been computed."""

    question: FunnelQuestion
    stream: Stream
    people: People
    attempts: Attempts
    mature: Flags
    """Which attempts have had their whole window."""

    @property
    def values(self) -> Ints:
        """Hash of the breakdown's value of each attempt."""
        found: Ints = self.stream.label[self.attempts.events[0]]
        return found

    @property
    def persons(self) -> Ints:
        """Number of the person of each attempt."""
        found: Ints = self.stream.person[self.attempts.events[0]]
        return found


async def run_funnel(scope: Scope, question: FunnelQuestion, first: date, last: date) -> FunnelRun:
    """Read the events and compute. Raises Unprocessable."""
    conditions = [
        *(step.kinds() for step in question.steps),
        *([each.kind()] for each in question.exclusions),
    ]
    await check(scope.connection, [kind.filters for kinds in conditions for kind in kinds])
    wanted = Wanted(
        conditions,
        everything=question.order is Order.STRICT,
        label=None if question.breakdown is None else Path.parse(question.breakdown),
        hold=None if question.hold is None else Path.parse(question.hold),
        sessions=question.unit is Unit.SESSION,
    )
    extra = timedelta(seconds=question.window_seconds + 1)
    events = await read_events(scope, *scope.stretch(first, last, extra), wanted)
    until = micros(scope.stretch(first, last)[1])
    funnel = _funnel(question)

    def compute() -> FunnelRun:
        attempts = run(events.stream, funnel, events.stream.time < until)
        entered = events.stream.time[attempts.events[0]]
        mature = entered + funnel.window <= micros(scope.as_of)
        return FunnelRun(question, events.stream, events.people, attempts, mature)

    return await worked_out(compute)


async def funnel_answer(scope: Scope, question: FunnelQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    first, last = wanted_days(scope, question)
    found = await run_funnel(scope, question, first, last)
    steps = await worked_out(counted, found.stream, found.attempts)
    definition = DEFINITION.format(
        unit=_UNITS[question.unit],
        order=_ORDERS[question.order],
        window=question.window_seconds,
        attempt="" if question.unit is Unit.TOTALS else _ATTEMPTS[question.attempt],
    ).rstrip()
    final_after = late_days + question.window_seconds * SECOND // DAY
    answer = await explained(scope, question, definition, first, last, final_after)
    answer["window"]["seconds"] = question.window_seconds
    answer |= {"unit": question.unit, "order": question.order, "attempt": question.attempt}
    answer["steps"] = _steps(question, steps)
    answer["conversion"] = _conversion(found.attempts, found.mature, len(steps))
    if question.breakdown is not None:
        path = Path.parse(question.breakdown)
        groups = await shown(
            scope, path, found.stream, found.attempts.events[0], found.values, question.breakdown_limit
        )
        answer["breakdown"] = {"property": question.breakdown, "values": _breakdown(found, groups)}
    return answer


def _steps(question: FunnelQuestion, steps: Sequence[StepCount]) -> list[dict[str, Any]]:
    answers = []
    for number, (step, asked) in enumerate(zip(steps, question.steps, strict=True)):
        before = steps[max(number - 1, 0)].count
        after = steps[number + 1].count if number + 1 < len(steps) else step.count
        name = asked.title() if question.order is not Order.ANY else f"any {number + 1}"
        answers.append(
            {
                "step": number + 1,
                "name": name,
                "count": step.count,
                "dropped_off": step.count - after,
                "from_previous": proportion(step.count, before),
                "from_first": proportion(step.count, steps[0].count),
                "seconds_from_previous": {
                    "median": step.median_from_previous,
                    "p90": step.p90_from_previous,
                },
                "seconds_from_first": {"median": step.median_from_first, "p90": step.p90_from_first},
            }
        )
    return answers


def _conversion(attempts: Attempts, mature: Flags, steps: int) -> dict[str, Any]:
    """So far, and of those who have had their whole window."""
    done = attempts.reached == steps
    return {
        "so_far": proportion(int(done.sum()), len(done)),
        "mature": proportion(int((done & mature).sum()), int(mature.sum())),
    }


def _breakdown(found: FunnelRun, groups: Sequence[Shown]) -> list[dict[str, Any]]:
    answers = []
    for group in groups:
        attempts = found.attempts.chosen(np.flatnonzero(group.members))
        counts = (attempts.events >= 0).sum(axis=1).tolist()
        answers.append(
            {
                "value": group.value,
                "others": group.others,
                "counts": counts,
                "conversion": _conversion(attempts, found.mature[group.members], len(counts)),
            }
        )
    return answers


async def funnel_people(scope: Scope, question: FunnelQuestion, cell: FunnelCell) -> tuple[People, Ints]:
    """Who is in a number, as numbers of persons, each once."""
    if cell.step > len(question.steps):
        raise Unprocessable(f"cell.step: the funnel has {len(question.steps)} steps.")
    first, last = wanted_days(scope, question)
    found = await run_funnel(scope, question, first, last)
    reached = found.attempts.reached
    if cell.outcome == "reached":
        chosen = reached >= cell.step
    else:
        # Behind the last step there is none that they could have left out.
        chosen = (reached == cell.step) & (cell.step < len(question.steps))
    if cell.value is not None or cell.without_value:
        if question.breakdown is None:
            raise Unprocessable("cell.value: the question has no breakdown.")
        chosen &= found.values == await hash_of(scope.connection, None if cell.without_value else cell.value)
    return found.people, np.unique(found.persons[chosen])

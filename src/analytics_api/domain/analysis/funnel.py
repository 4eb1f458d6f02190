"""Funnels: how far persons get along a series of steps within a time (definitions, section 11).

An attempt begins with an event of the first step and takes, step by step, the first event that comes next. No event is used
twice by an attempt; events of one time follow each other by their place in the log. Where several attempts are looked at, the
best one counts: that with most steps, and of these the earliest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytics_api.domain.analysis.stream import Flags, Ints, Stream, distinct, first_of_each, following
from analytics_api.domain.analysis.terms import Order, Unit


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An event that ends an attempt when it lies between two steps, numbered from 0."""

    bit: int
    after: int
    before: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """What is asked. Step n is what sets bit n of an event."""

    steps: int
    window: int
    """Microseconds from the event of entry, the last one included."""
    order: Order = Order.ORDERED
    first_attempt: bool = False
    """Only the first entry of each person or session counts."""
    unit: Unit = Unit.PERSON
    grace: int = 0
    """Microseconds that a step may lie before the one it follows, for clients with coarse clocks."""
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempts:
    """How far attempts got. The arrays have an element for each attempt, `events` a row for each step."""

    reached: Ints
    """Steps that were done, at least 1."""
    events: Ints
    """Position in the stream of the event that did the step; -1 where it was not done."""

    def chosen(self, index: Ints) -> Attempts:
        """Some of them."""
        return Attempts(self.reached[index], self.events[:, index])


def run(stream: Stream, funnel: Funnel, may_enter: Flags) -> Attempts:
    """The attempts that count, one for each person, session or try. `may_enter`: events that an attempt may begin with."""
    if funnel.order is Order.ANY:
        steps = (1 << funnel.steps) - 1
        entries = np.flatnonzero((stream.mask & steps != 0) & may_enter)
        attempts = _any_order(stream, funnel, entries)
    else:
        entries = np.flatnonzero((stream.mask & 1 != 0) & may_enter)
        attempts = _in_order(stream, funnel, entries)
    if funnel.unit is Unit.TOTALS:
        return attempts.chosen(_one_after_another(stream, funnel, attempts))
    return attempts.chosen(_best(stream, attempts, first=funnel.first_attempt))


def _best(stream: Stream, attempts: Attempts, *, first: bool) -> Ints:
    entries = attempts.events[0]
    whose = stream.unit[entries]
    worse = np.zeros(len(entries), np.int64) if first else -attempts.reached
    order = np.lexsort((stream.seq[entries], stream.time[entries], worse, whose))
    chosen: Ints = order[first_of_each(whose[order])]
    return chosen


def _one_after_another(stream: Stream, funnel: Funnel, attempts: Attempts) -> Ints:
    chosen = []
    path, free_at, free_after = -1, 0, -1
    complete = attempts.reached == funnel.steps
    last = np.where(complete, attempts.events.max(axis=0, initial=-1), -1)
    entries = attempts.events[0]
    columns = (stream.path[entries], stream.time[entries], entries, last)
    for number, (whose, time, entry, end) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        if whose == path and (time < free_at or entry <= free_after):
            continue
        chosen.append(number)
        path = whose
        free_at, free_after = (time, end) if end >= 0 else (time + funnel.window + 1, -1)
    return np.array(chosen, np.int64)


def _in_order(stream: Stream, funnel: Funnel, entries: Ints) -> Attempts:
    events = np.full((funnel.steps, len(entries)), -1, np.int64)
    events[0] = entries
    alive = np.arange(len(entries))
    for step in range(1, funnel.steps):
        found = _next(stream, funnel, step, events[:step, alive])
        entry = entries[alive]
        reached = (found >= 0) & (stream.path[found] == stream.path[entry])
        reached &= stream.time[found] - stream.time[entry] <= funnel.window
        for exclusion in funnel.exclusions:
            if exclusion.after < step <= exclusion.before:
                spoilt = following(stream.having(exclusion.bit), events[step - 1, alive])
                reached &= (spoilt < 0) | (spoilt >= found)
        alive = alive[reached]
        events[step, alive] = found[reached]
    return Attempts((events >= 0).sum(axis=0), events)


def _next(stream: Stream, funnel: Funnel, step: int, before: Ints) -> Ints:
    """The event that does a step next, for attempts whose earlier steps are given."""
    here = before[-1]
    if funnel.order is Order.STRICT:
        last = len(stream) - 1
        after = np.minimum(here + 1, last)
        return np.where((here < last) & (stream.mask[after] >> step & 1 == 1), after, -1)
    fitting = stream.having(step)
    if not funnel.grace:
        return following(fitting, here)
    found = following(fitting, _from_time(stream, here, stream.time[here] - funnel.grace), inclusive=True)
    for _ in range(len(before)):
        used = (before == found).any(axis=0)
        if not used.any():
            break
        found[used] = following(fitting, found[used])
    return found


def _from_time(stream: Stream, here: Ints, time: Ints) -> Ints:
    """The first position in the path of `here` whose time is at least `time`."""
    times = distinct(stream.time)
    width = len(times) + 1
    keys = stream.path * width + np.searchsorted(times, stream.time)
    return np.searchsorted(keys, stream.path[here] * width + np.searchsorted(times, time))


def _any_order(stream: Stream, funnel: Funnel, entries: Ints) -> Attempts:
    mask = stream.mask & ((1 << funnel.steps) - 1)
    kinds = [kind for kind in np.unique(mask).tolist() if kind]
    if any(one & other for one in kinds for other in kinds if one != other):
        events = _matched(stream, funnel, mask, entries)
    else:
        rows = [
            row for kind in kinds for row in _nth(np.flatnonzero(mask == kind), entries, kind.bit_count())
        ]
        rows += [np.full(len(entries), -1, np.int64)] * (funnel.steps - len(rows))
        events = np.array(rows, np.int64).reshape(funnel.steps, len(entries))
        events[~_allowed(stream, funnel, entries, events)] = -1
    beyond = np.where(events < 0, len(stream), events)
    beyond.sort(axis=0)
    events = np.where(beyond == len(stream), -1, beyond)
    return Attempts((events >= 0).sum(axis=0), events)


def _nth(positions: Ints, entries: Ints, steps: int) -> Iterator[Ints]:
    """The first, second, ... of the positions from each entry on: as many as steps can be done by such events."""
    index = np.searchsorted(positions, entries)
    for number in range(steps):
        there = index + number < len(positions)
        found = np.full(len(entries), -1, np.int64)
        found[there] = positions[index[there] + number]
        yield found


def _allowed(stream: Stream, funnel: Funnel, entries: Ints, events: Ints) -> Flags:
    """Which of the events belong to the path and time of their entry, with no excluded event before them."""
    fine: Flags = (events >= 0) & (stream.path[events] == stream.path[entries])
    fine &= stream.time[events] - stream.time[entries] <= funnel.window
    for exclusion in funnel.exclusions:
        spoilt = following(stream.having(exclusion.bit), entries)
        fine &= (spoilt < 0) | (events < spoilt)
    return fine


def _matched(stream: Stream, funnel: Funnel, mask: Ints, entries: Ints) -> Ints:
    """The same where an event can do one of several steps: as many as possible are given one of their own each."""
    useful = np.flatnonzero(mask)
    events = np.full((funnel.steps, len(entries)), -1, np.int64)
    for number, start in enumerate(np.searchsorted(useful, entries).tolist()):
        window = useful[start : start + _reach(stream, funnel, useful, start)]
        window = window[_allowed(stream, funnel, np.full(len(window), window[0]), window)]
        taken: dict[int, int] = {}
        done = 0
        for position in window.tolist():
            if _take(position, taken, mask, set()):
                events[done, number] = position
                done += 1
                if done == funnel.steps:
                    break
    return events


def _reach(stream: Stream, funnel: Funnel, useful: Ints, start: int) -> int:
    """How many useful events from `start` on can be in the path and window of that one."""
    entry = useful[start]
    length = 64
    while start + length < len(useful):
        last = useful[start + length]
        if stream.path[last] != stream.path[entry] or stream.time[last] - stream.time[entry] > funnel.window:
            break
        length *= 2
    return length


def _take(position: int, taken: dict[int, int], mask: Ints, tried: set[int]) -> bool:
    """Give an event a step of its own, moving others to their other steps if need be (Kuhn's augmenting paths)."""
    bits = int(mask[position])
    while bits:
        step = (bits & -bits).bit_length() - 1
        bits &= bits - 1
        if step in tried:
            continue
        tried.add(step)
        if step not in taken or _take(taken[step], taken, mask, tried):
            taken[step] = position
            return True
    return False


@dataclass(frozen=True, slots=True)
class StepCount:
    """One step of the answer. Times are in seconds; None where nobody did the step."""

    count: int
    median_from_previous: float | None
    p90_from_previous: float | None
    median_from_first: float | None
    p90_from_first: float | None


def counted(stream: Stream, attempts: Attempts) -> list[StepCount]:
    """How many attempts did each step, and how long they took to it."""
    found = []
    for step, events in enumerate(attempts.events):
        done = np.flatnonzero(events >= 0)
        if step == 0:
            found.append(StepCount(len(done), None, None, None, None))
            continue
        time = stream.time[events[done]]
        before, first = (stream.time[attempts.events[other, done]] for other in (step - 1, 0))
        found.append(StepCount(len(done), *_middle(time - before), *_middle(time - first)))
    return found


def _middle(times: Ints) -> tuple[float | None, float | None]:
    """Median and 90th percentile in seconds, interpolated between neighbours."""
    if len(times) == 0:
        return None, None
    median, p90 = np.percentile(times, [50, 90])
    return float(median) / 1e6, float(p90) / 1e6

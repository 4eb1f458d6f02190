"""Funnels against an oracle that tries everything, and the faults of others that must not come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.analysis.funnel import Exclusion, Funnel, counted, run
from analytics_api.domain.analysis.stream import arranged
from analytics_api.domain.analysis.terms import SECOND, Order, Unit
from tests.support.funnel_oracle import Happening, Rules, outcome

MINUTE = 60 * SECOND


def played(
    events: Sequence[Happening], rules: Rules, until: int, *, hold: bool = False
) -> list[tuple[int, tuple[int, ...]]]:
    """What the product makes of the same events, in the oracle's shape."""
    bits = [100, 101]
    masks = [
        sum(1 << (rules.steps + bits.index(what) if what >= 100 else what) for what in event.does)
        for event in events
    ]

    def column(values: list[int]) -> Any:
        return np.array(values, np.int64)

    stream = arranged(
        column([event.person for event in events]),
        column([event.time for event in events]),
        column([event.seq for event in events]),
        column(masks),
        path=column([event.held for event in events]) if hold else None,
    )
    funnel = Funnel(
        rules.steps,
        rules.window,
        Order(rules.order),
        rules.first_attempt,
        Unit(rules.unit),
        rules.grace,
        tuple(
            Exclusion(rules.steps + bits.index(bit), after, before) for bit, after, before in rules.exclusions
        ),
    )
    attempts = run(stream, funnel, stream.time < until)
    people = stream.person[attempts.events[0]].tolist()
    return sorted(
        (person, tuple(stream.seq[events[events >= 0]].tolist()))
        for person, events in zip(people, attempts.events.T, strict=True)
    )


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Happening], Rules, int, bool]:
    """Some events of a few persons, many at the same time, and any funnel over them."""
    steps = draw(st.integers(1, 4))
    order = draw(st.sampled_from(["ordered", "strict", "any"]))
    exclusions = draw(
        st.lists(st.tuples(st.sampled_from([100, 101]), st.integers(0, 2), st.integers(1, 3)), max_size=2)
    )
    if order == "any":
        exclusions = [(bit, 0, steps) for bit, _, _ in exclusions]
    does = st.frozensets(st.sampled_from([*range(steps), *range(steps), 100, 101]), max_size=2)
    times = st.integers(0, 12)
    given_events = draw(
        st.lists(st.tuples(st.integers(0, 1), times, does, st.integers(0, 1)), min_size=1, max_size=12)
    )
    places = draw(st.permutations(range(len(given_events))))
    events = [
        Happening(person, time, seq, does, held)
        for (person, time, does, held), seq in zip(given_events, places, strict=True)
    ]
    unit = draw(st.sampled_from(["person", "totals"]))
    rules = Rules(
        steps,
        draw(st.integers(1, 10)),
        order,
        unit == "person" and draw(st.booleans()),
        unit,
        draw(st.sampled_from([0, 0, 2])) if order == "ordered" else 0,
        tuple(exclusions),
    )
    return events, rules, draw(st.integers(1, 13)), draw(st.booleans())


@given(stories())
def test_every_funnel_is_the_one_that_trying_everything_finds(
    story: tuple[list[Happening], Rules, int, bool],
) -> None:
    events, rules, until, hold = story
    assert played(events, rules, until, hold=hold) == outcome(events, rules, until, hold=hold)


def at(*moments: tuple[float, int | tuple[int, ...]]) -> list[Happening]:
    """Events of one person: (minute, what they do)."""
    return [
        Happening(1, round(minute * MINUTE), seq, frozenset([does] if isinstance(does, int) else does))
        for seq, (minute, does) in enumerate(moments)
    ]


def reached(events: Sequence[Happening], minutes: float, **rules: Any) -> int:
    """How many steps the one person does."""
    asked = Rules(rules.pop("steps", 2), round(minutes * MINUTE), **rules)
    [(_, done)] = played(events, asked, 10**15)
    return len(done)


def test_the_golden_example_of_best_and_first_attempt() -> None:
    events = at((0, 0), (50, 0), (70, 1))
    assert reached(events, 60) == 2
    assert reached(events, 60, first_attempt=True) == 1


def test_one_event_never_does_two_steps() -> None:
    """Umami compares with >=: a single event that fits both steps completes the funnel."""
    assert reached(at((0, (0, 1))), 60) == 1
    assert reached(at((0, (0, 1)), (0, (0, 1))), 60) == 2
    assert reached(at((0, (0, 1))), 60, order="any") == 1


def test_the_window_runs_from_the_entry_not_between_neighbours() -> None:
    """Umami allows an hour between any two neighbours, so that ten steps may take nine hours."""
    assert reached(at((0, 0), (50, 1), (100, 2)), 60, steps=3) == 2
    assert reached(at((0, 0), (50, 1), (60, 2)), 60, steps=3) == 3


def test_there_is_a_window() -> None:
    """Rybbit has none: a year later still converts."""
    assert reached(at((0, 0), (60, 1)), 60) == 2
    assert reached(at((0, 0), (60.001, 1)), 60) == 1


def test_equal_times_go_by_the_place_in_the_log() -> None:
    """OpenPanel wants strictly later times: what a page sends in one millisecond never converts."""
    assert reached(at((0, 0), (0, 1)), 60) == 2
    assert reached(at((0, 1), (0, 0)), 60) == 1
    assert reached(at((0, 1), (0.03, 0)), 60, grace=2 * SECOND) == 2
    assert reached(at((0, 1), (0.04, 0)), 60, grace=2 * SECOND) == 1


def test_an_exclusion_between_certain_steps() -> None:
    events = at((0, 0), (1, 100), (2, 1), (3, 2))
    assert reached(events, 60, steps=3, exclusions=((100, 0, 1),)) == 1
    assert reached(events, 60, steps=3, exclusions=((100, 1, 2),)) == 3
    assert reached(at((0, 0), (1, 100), (2, 0), (3, 1)), 60, exclusions=((100, 0, 1),)) == 2


def test_times_to_convert() -> None:
    events = [
        Happening(person, time * MINUTE, person * 10 + step, frozenset([step]))
        for person, minutes in enumerate([(0, 1, 3), (0, 2), (0, 3, 9), (0,)])
        for step, time in enumerate(minutes)
    ]
    person, time, seq, mask = np.array(
        [(event.person, event.time, event.seq, 1 << min(event.does)) for event in events]
    ).T
    stream = arranged(person, time, seq, mask)
    first, second, third = counted(
        stream, run(stream, Funnel(3, 60 * MINUTE), np.ones(len(stream), np.bool_))
    )
    assert (first.count, second.count, third.count) == (4, 3, 2)
    assert (second.median_from_previous, second.median_from_first) == (120.0, 120.0)
    assert (third.median_from_previous, third.median_from_first) == (240.0, 360.0)
    assert third.p90_from_first == pytest.approx(180 + 0.9 * 360)
    assert first.median_from_previous is None


def test_nobody() -> None:
    nothing = np.zeros(0, np.int64)
    stream = arranged(nothing, nothing, nothing, nothing)
    for order in Order:
        for unit in Unit:
            attempts = run(stream, Funnel(3, MINUTE, order, unit=unit), np.zeros(0, np.bool_))
            assert [step.count for step in counted(stream, attempts)] == [0, 0, 0]

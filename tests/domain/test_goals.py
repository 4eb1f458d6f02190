"""How a goal stands, worked out from value and time alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.goals import GROWING, SUMMED, Direction, Goal, GoalPeriod, Status, progress
from analytics_api.domain.metrics import METRICS_BY_NAME
from analytics_api.domain.period import Period

GOAL = Goal("x", "wau", Direction.AT_LEAST, Decimal(100), GoalPeriod.WEEK, date(2026, 3, 4))
AT_MOST = replace(GOAL, direction=Direction.AT_MOST)


@pytest.mark.parametrize(
    ("goal", "growing", "value", "elapsed", "status"),
    [
        (GOAL, True, 50, "0.5", Status.ON_TRACK),
        (GOAL, True, 49, "0.5", Status.BEHIND),
        (GOAL, True, 100, "0.1", Status.REACHED),
        (GOAL, True, 99, "1", Status.MISSED),
        (GOAL, False, 100, "0.1", Status.ON_TRACK),
        (GOAL, False, 99, "0.9", Status.BEHIND),
        (AT_MOST, True, 50, "0.5", Status.ON_TRACK),
        (AT_MOST, True, 51, "0.5", Status.BEHIND),
        (AT_MOST, True, 101, "0.9", Status.MISSED),
        (AT_MOST, True, 100, "1", Status.REACHED),
        (AT_MOST, False, 101, "0.5", Status.BEHIND),
        (AT_MOST, False, 101, "1", Status.MISSED),
        (AT_MOST, False, None, "1", Status.NO_DATA),
        (GOAL, True, 50, "0", Status.NOT_STARTED),
    ],
)
def test_status(goal: Goal, growing: bool, value: int | None, elapsed: str, status: Status) -> None:
    given = None if value is None else Decimal(value)
    assert progress(goal, given, Decimal(elapsed), growing=growing).status is status


@given(
    value=st.decimals(0, 1000, places=2),
    target=st.decimals("0.01", 1000, places=2),
    elapsed=st.decimals("0.01", 1, places=2),
    growing=st.booleans(),
)
def test_at_the_end_it_is_reached_or_missed_and_both_directions_agree(
    value: Decimal, target: Decimal, elapsed: Decimal, growing: bool
) -> None:
    least, most = replace(GOAL, target=target), replace(AT_MOST, target=target)
    ended = [progress(goal, value, Decimal(1), growing=growing) for goal in (least, most)]
    assert [made.status for made in ended] == [
        Status.REACHED if value >= target else Status.MISSED,
        Status.REACHED if value <= target else Status.MISSED,
    ]
    assert ended[0].projected == value
    now = progress(least, value, elapsed, growing=growing)
    assert now.expected is not None
    assert (now.status in (Status.REACHED, Status.ON_TRACK)) is (value >= now.expected or value >= target)


def test_windows() -> None:
    weeks = list(GOAL.windows(date(2026, 3, 18), 1))
    assert weeks == [
        (date(2026, 3, 16), date(2026, 3, 22)),
        (date(2026, 3, 9), date(2026, 3, 15)),
        (date(2026, 3, 2), date(2026, 3, 8)),
    ]
    assert list(GOAL.windows(date(2026, 2, 1), 7)) == [(date(2026, 3, 1), date(2026, 3, 7))]
    ended = replace(GOAL, ends_on=date(2026, 3, 10))
    assert list(ended.windows(date(2026, 3, 18), 1)) == weeks[1:]
    months = replace(GOAL, period=GoalPeriod.MONTH)
    assert list(months.windows(date(2026, 4, 1), 1)) == [
        (date(2026, 4, 1), date(2026, 4, 30)),
        (date(2026, 3, 1), date(2026, 3, 31)),
    ]


def test_the_metrics_that_are_named_exist() -> None:
    assert {METRICS_BY_NAME[name].period for name in SUMMED} == {Period.DAILY}
    assert {METRICS_BY_NAME[name].period for name in GROWING} == {Period.WEEKLY, Period.MONTHLY}

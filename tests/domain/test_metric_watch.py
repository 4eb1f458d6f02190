"""When a figure deserves an alert."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.metric_watch import Sample, Side, change_percent, enough, outlier

figures = st.decimals(-1_000, 1_000, places=2)


def middle(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def test_two_far_off_do_not_hide_each_other() -> None:
    # By hand: median 2.45, median absolute deviation 0.15.
    past = [
        Decimal(value) for value in ["2.1", "2.6", "2.4", "2.5", "2.3", "2.1", "2.3", "2.6", "8.2", "8.3"]
    ]
    found = outlier(Decimal("8.3"), past)
    assert found.median == pytest.approx(2.45)
    assert found.z == pytest.approx((8.3 - 2.45) / (1.4826 * 0.15))


@given(figures, st.lists(figures, min_size=1, max_size=20))
def test_the_z_score_is_as_in_plain_python(newest: Decimal, past: list[Decimal]) -> None:
    values = [float(value) for value in past]
    centre = middle(values)
    scale = max(1.4826 * middle([abs(value - centre) for value in values]), abs(centre) / 100)
    found = outlier(newest, past)
    if scale == 0:
        assert found.z is None
    else:
        assert found.z == pytest.approx((float(newest) - centre) / scale)


def test_a_past_without_spread() -> None:
    assert outlier(Decimal(101), [Decimal(100)] * 5).z == pytest.approx(1)
    assert outlier(Decimal(1), [Decimal(0)] * 5).z is None


def test_enough() -> None:
    counts = [Sample(Decimal(3)), Sample(Decimal(-9))]
    assert enough(counts, 9)
    assert not enough(counts, 10)
    shares = [Sample(Decimal(1), Decimal(40)), Sample(Decimal(1), Decimal(20))]
    assert enough(shares, 20)
    assert not enough(shares, 21)


def test_changes() -> None:
    assert change_percent(Decimal(15), Decimal(10)) == 50
    assert change_percent(Decimal(-15), Decimal(-10)) == -50
    assert change_percent(Decimal(1), Decimal(0)) is None
    assert [Side.UP.takes(1), Side.UP.takes(0), Side.DOWN.takes(-1), Side.ANY.takes(-1)] == [
        True,
        False,
        True,
        True,
    ]

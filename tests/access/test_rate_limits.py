"""Token buckets: what a key may send in any stretch of time, and how long it is told to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.access.caller import Caller
from analytics_api.access.rate_limits import BURST_SECONDS, RateLimits
from analytics_api.domain.project import KeyKind, Project
from analytics_api.errors import TooManyRequests

PROJECT = Project.__new__(Project)
LARGEST = 50


def holder(rate: int, key_id: int = 1) -> Caller:
    return Caller.with_key(PROJECT, KeyKind.WRITE, key_id, events_per_second=rate)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.integers(1, 40),
    requests=st.lists(st.tuples(st.floats(0, 5), st.integers(1, LARGEST)), min_size=1, max_size=80),
)
def test_in_any_stretch_a_key_brings_no_more_than_its_rate_and_a_burst(
    rate: int, requests: list[tuple[float, int]]
) -> None:
    time = Time()
    limits, caller = RateLimits(time), holder(rate)
    passed: list[tuple[float, int]] = []
    for pause, events in requests:
        time.now += pause
        try:
            limits.check(caller)
        except TooManyRequests as error:
            wait = int(error.headers["Retry-After"])
            # Whoever waits as long as told is let in.
            time.now += wait
            limits.check(caller)
        limits.charge(caller, events)
        passed.append((time.now, events))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            seconds = passed[last][0] - passed[first][0]
            brought = sum(events for _, events in passed[first : last + 1])
            assert brought <= rate * (seconds + BURST_SECONDS) + LARGEST + 1e-6


def test_keys_have_buckets_of_their_own_and_some_have_none() -> None:
    limits = RateLimits(Time())
    limits.charge(holder(1), 1_000)
    with pytest.raises(TooManyRequests, match="1 events a second"):
        limits.check(holder(1))
    limits.check(holder(1, key_id=2))
    limits.charge(holder(0, key_id=3), 1_000_000)
    limits.check(holder(0, key_id=3))

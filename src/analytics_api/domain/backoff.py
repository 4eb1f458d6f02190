"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_WAIT = 2.0
LONGEST_WAIT = 60.0


def backoff(
    failures: int,
    first: float = FIRST_WAIT,
    longest: float = LONGEST_WAIT,
    jitter: Callable[[], float] = random.random,
) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more): full jitter below 2, 4, 8, ... 60 s.

    The lower tenth is left out so that a retry is never immediate. 2 s doubling to 60 s are Mixpanel's numbers.
    """
    ceiling = min(longest, first * 2.0 ** min(failures - 1, 30))
    return ceiling * (0.1 + 0.9 * jitter())

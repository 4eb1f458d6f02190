"""Small statistics that explain a figure."""

from __future__ import annotations

from math import sqrt

_Z_95 = 1.959963984540054
CONFIDENCE = 0.95


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a proportion by Wilson's score method (Wilson 1927, JASA 22).

    Raises ValueError when `successes` is not between 0 and `trials`, or there are no trials.
    """
    if trials <= 0 or not 0 <= successes <= trials:
        raise ValueError("a proportion needs 0 <= successes <= trials and at least one trial")
    share = successes / trials
    square = _Z_95**2
    centre = share + square / (2 * trials)
    spread = _Z_95 * sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    scale = 1 + square / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

"""Small statistics that explain a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

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
    # At the ends it is exactly 0 and 1, but for rounding.
    low = (centre - spread) / scale if successes > 0 else 0.0
    high = (centre + spread) / scale if successes < trials else 1.0
    return max(0.0, low), min(1.0, high)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group against another. The interval is that of the difference, 95 %."""

    difference: float
    statistic: float | None
    """z or t; None when the groups do not vary."""
    p_value: float | None
    """Two-sided."""
    low: float | None
    """None when nobody knows how much the difference may be off, because neither group varies."""
    high: float | None
    degrees_of_freedom: float | None = None
    """Of a t test."""


def compare_shares(successes: int, trials: int, others: int, other_trials: int) -> Comparison | None:
    """Two-proportion z test with the pooled standard error; the interval has the unpooled one (Agresti, Categorical Data
    Analysis, 2013, section 3.2), within -1 and 1. None when a group is empty.
    """
    if not trials or not other_trials:
        return None
    one, other = successes / trials, others / other_trials
    pooled = (successes + others) / (trials + other_trials)
    error = sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    spread = _Z_95 * sqrt(one * (1 - one) / trials + other * (1 - other) / other_trials)
    difference = one - other
    z = difference / error if error else None
    p_value = None if z is None else erfc(abs(z) / sqrt(2))
    if not spread:
        return Comparison(difference, z, p_value, None, None)
    return Comparison(difference, z, p_value, max(-1.0, difference - spread), min(1.0, difference + spread))


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers of a group, summed up."""

    size: int
    mean: float
    variance: float
    """Of the sample, with size - 1 below; 0 for fewer than two."""


def compare_means(one: Sample, other: Sample) -> Comparison | None:
    """Welch's t test (Welch 1947, Biometrika 34), with degrees of freedom by Satterthwaite. None when a group is empty."""
    if not one.size or not other.size:
        return None
    difference = one.mean - other.mean
    parts = [sample.variance / sample.size for sample in (one, other)]
    error = sqrt(sum(parts))
    if not error or min(one.size, other.size) < 2:
        return Comparison(difference, None, None, None, None)
    # Imported here: it takes a tenth of a second, which processes that compare nothing need not have.
    from scipy.special import stdtr, stdtrit

    freedom = sum(parts) ** 2 / sum(
        part**2 / (sample.size - 1) for part, sample in zip(parts, (one, other), strict=True)
    )
    t = difference / error
    spread = float(stdtrit(freedom, 0.975)) * error
    p_value = float(2 * stdtr(freedom, -abs(t)))
    return Comparison(difference, t, p_value, difference - spread, difference + spread, freedom)


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> tuple[float, float] | None:
    """Pearson's chi-square of group sizes against the shares they should have, and its p value. None of nobody.

    Raises ValueError when a share is not above 0.
    """
    if min(shares) <= 0:
        raise ValueError("every share must be above 0")
    total, whole = sum(counts), sum(shares)
    if not total or len(counts) < 2:
        return None
    from scipy.special import chdtrc

    expected = [total * share / whole for share in shares]
    statistic = sum((count - want) ** 2 / want for count, want in zip(counts, expected, strict=True))
    return statistic, float(chdtrc(len(counts) - 1, statistic))

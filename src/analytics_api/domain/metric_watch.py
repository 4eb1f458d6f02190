"""When a figure deserves an alert: past a limit, changed against the one before, or unlike its own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from statistics import median

_MAD_OF_NORMAL = 1.4826
"""A normal distribution's standard deviation / its median absolute deviation."""


class Side(StrEnum):
    """Which moves matter."""

    UP = "up"
    DOWN = "down"
    ANY = "any"

    def takes(self, move: float | Decimal) -> bool:
        """Whether a move is of this side."""
        return move > 0 if self is Side.UP else move < 0 if self is Side.DOWN else move != 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure, and what it was made of."""

    value: Decimal
    denominator: Decimal | None = None
    """None of a figure that is no ratio."""


def enough(samples: Sequence[Sample], at_least: int) -> bool:
    """Whether figures rest on enough to say something: all denominators, or of counts the largest."""
    below = [sample.denominator for sample in samples if sample.denominator is not None]
    if below:
        return min(below) >= at_least
    return max(abs(sample.value) for sample in samples) >= at_least


def change_percent(newest: Decimal, before: Decimal) -> Decimal | None:
    """The change in percent of the earlier figure's size; None when that is 0."""
    return (newest - before) / abs(before) * 100 if before else None


@dataclass(frozen=True, slots=True)
class Outlier:
    """How far a figure lies from its past."""

    median: float
    scale: float
    """1.4826 times the median absolute deviation, at least a hundredth of the median: a past without any spread would make
    the smallest difference endless."""
    z: float | None
    """(figure - median) / scale; None when the past was 0 throughout, so that any other figure is without measure."""


def outlier(newest: Decimal, past: Sequence[Decimal]) -> Outlier:
    """The robust z-score of a figure (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers).

    Raises statistics.StatisticsError without a past.
    """
    values = [float(value) for value in past]
    middle = median(values)
    scale = max(_MAD_OF_NORMAL * median(abs(value - middle) for value in values), abs(middle) / 100)
    return Outlier(middle, scale, (float(newest) - middle) / scale if scale else None)

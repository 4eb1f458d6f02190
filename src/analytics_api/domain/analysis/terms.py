"""Words of analyses, for those who ask and those who compute."""

from __future__ import annotations

from enum import StrEnum

SECOND = 1_000_000
"""Times are whole microseconds."""
DAY = 86_400 * SECOND
MOST_STEPS = 10


class Order(StrEnum):
    """In which order the steps must be done."""

    ORDERED = "ordered"
    """One after the other, with anything between."""
    STRICT = "strict"
    """One after the other, and nothing of the path's events between."""
    ANY = "any"
    """In any order; the n-th step is done with the n-th of them."""


class Unit(StrEnum):
    """What is counted."""

    PERSON = "person"
    SESSION = "session"
    TOTALS = "totals"
    """Attempts, one after another: a new one begins when the one before is completed or its time is over."""


class Criterion(StrEnum):
    """When somebody counts as there in column k."""

    ON = "on"
    """In exactly the k-th bucket after their own."""
    ON_OR_AFTER = "on_or_after"
    """In the k-th or any later one."""
    ON_OR_BEFORE = "on_or_before"
    """In one of the first to the k-th; in column 0 in their own."""


class LifecycleStage(StrEnum):
    """What a bucket is in somebody's life."""

    NEW = "new"
    CURRENT = "current"
    RESURRECTED = "resurrected"
    DORMANT = "dormant"

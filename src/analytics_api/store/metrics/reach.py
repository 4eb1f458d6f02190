"""Which figures a changed day can have changed, and why."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate

from analytics_api.domain.metrics import Metric
from analytics_api.store.metrics.days import (
    MERGE,
    MERGE_OF_CUSTOMERS,
    SPEND,
    SPLIT,
    SPLIT_OF_CUSTOMERS,
    DirtyDay,
)


def _concerns(cause: str, metric: Metric) -> bool:
    """Whether what happened can change the metric at all."""
    if cause == SPEND:
        return metric.uses_spend
    if cause in (MERGE, SPLIT):
        return metric.counts_people or metric.uses_persons
    return cause not in (MERGE_OF_CUSTOMERS, SPLIT_OF_CUSTOMERS) or metric.uses_customers


def touched_buckets(
    metric: Metric, dirty: Iterable[DirtyDay], buckets: Sequence[date], week_start: int
) -> dict[date, str]:
    """The buckets (given in order) that dirty days can have changed, each with its causes: `late_events(3), fx`.

    The number in brackets is how many events came to the days that touch the bucket.
    """
    # Per cause, days and events that begin and cease to touch at each bucket: thousands of dirty days that each touch
    # thousands of buckets are added up in one pass.
    steps: dict[str, tuple[list[int], list[int]]] = {}
    for item in dirty:
        if not _concerns(item.cause, metric):
            continue
        first, last = metric.reached(item.day, week_start)
        begin = bisect_left(buckets, first)
        end = len(buckets) if last is None else bisect_right(buckets, last)
        if begin >= end:
            continue
        days, events = steps.setdefault(item.cause, ([0] * (len(buckets) + 1), [0] * (len(buckets) + 1)))
        days[begin] += 1
        days[end] -= 1
        events[begin] += item.events
        events[end] -= item.events
    causes: dict[date, str] = {}
    for cause, (days, events) in sorted(steps.items()):
        for bucket, touching, number in zip(buckets, accumulate(days), accumulate(events), strict=False):
            if touching:
                words = f"{cause}({number})" if number else cause
                causes[bucket] = f"{causes[bucket]}, {words}" if bucket in causes else words
    return causes

"""Which buckets a run of closing makes, and in which stretches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import bucket_of, buckets, next_bucket

BUCKETS_PER_STATEMENT = 400
SMALLEST_GAP = 60
"""Buckets between two that are to be made are made along with them when they are fewer: one statement is cheaper."""


def buckets_over(metric: Metric, since: date, closed: date, week_start: int) -> list[date]:
    """The buckets that are over when a day is closed, from that of `since` on."""
    start = bucket_of(since, metric.period, week_start)
    return [
        bucket
        for bucket in buckets(start, closed, metric.period, week_start)
        if next_bucket(bucket, metric.period) <= closed + timedelta(days=1)
    ]


def last_final_bucket(metric: Metric, today: date, late_days: int, week_start: int) -> date:
    """The last bucket whose figure is final today."""
    settled = today - timedelta(days=metric.settles_after(late_days))
    # The bucket that holds the day before `settled` is over by then only if it ends there.
    bucket = bucket_of(settled - timedelta(days=1), metric.period, week_start)
    if next_bucket(bucket, metric.period) <= settled:
        return bucket
    return bucket_of(bucket - timedelta(days=1), metric.period, week_start)


def runs(metric: Metric, wanted: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Neighbouring buckets as (first, last), at most BUCKETS_PER_STATEMENT long and with small gaps bridged."""
    length = {"daily": 1, "weekly": 7, "monthly": 31}[metric.period.value]
    first = last = None
    for bucket in wanted:
        if first is not None and last is not None:
            far = (bucket - last).days > SMALLEST_GAP * length
            if far or (bucket - first).days >= BUCKETS_PER_STATEMENT * length:
                yield first, last
                first = None
        first, last = first or bucket, bucket
    if first is not None and last is not None:
        yield first, last

"""Local days, weeks and months of a project, and the buckets that a range of them makes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Period(StrEnum):
    """The length of a bucket."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The project's day that an instant belongs to."""
    return moment.astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC. Days of 23 and 25 hours come out right."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def bucket_of(day: date, period: Period, week_start: int = 1) -> date:
    """The first day of the bucket that holds `day`. `week_start`: ISO weekday, 1 Monday ... 7 Sunday."""
    if period is Period.DAILY:
        return day
    if period is Period.WEEKLY:
        return day - timedelta(days=(day.isoweekday() - week_start) % 7)
    return day.replace(day=1)


def next_bucket(bucket: date, period: Period) -> date:
    """The first day after a bucket, given its first day."""
    if period is Period.DAILY:
        return bucket + timedelta(days=1)
    if period is Period.WEEKLY:
        return bucket + timedelta(days=7)
    return (bucket.replace(day=28) + timedelta(days=4)).replace(day=1)


def buckets(start: date, end: date, period: Period, week_start: int = 1) -> Iterator[date]:
    """First days of all buckets that touch the days from `start` to `end`, both included."""
    bucket = bucket_of(start, period, week_start)
    while bucket <= end:
        yield bucket
        bucket = next_bucket(bucket, period)

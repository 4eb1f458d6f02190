"""Goals: what a metric should come to in a week, in a month or by a date, and how far it is. Without a database or a clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from analytics_api.domain.measures import ADDITIVE, Ratio
from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import Period, bucket_of, next_bucket


class GoalPeriod(StrEnum):
    """For how long a target holds."""

    WEEK = "week"
    """Every calendar week anew."""
    MONTH = "month"
    """Every calendar month anew."""
    UNTIL = "until"
    """Once, from `starts_on` to `ends_on`."""


EARLIEST, LATEST = date(1971, 1, 1), date(2999, 12, 31)
LONGEST_DAYS = 3_660
"""Of a goal that counts once."""
BUCKETS = {GoalPeriod.WEEK: Period.WEEKLY, GoalPeriod.MONTH: Period.MONTHLY}


class Direction(StrEnum):
    """Which side of the target is good."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Status(StrEnum):
    """How a goal stands."""

    NOT_STARTED = "not_started"
    NO_DATA = "no_data"
    """The metric has no value."""
    ON_TRACK = "on_track"
    """As things go, it will be reached."""
    BEHIND = "behind"
    REACHED = "reached"
    MISSED = "missed"


class Reading(StrEnum):
    """How a metric is read over the days of a goal."""

    BUCKET = "bucket"
    """The figure of just these days."""
    SUM = "sum"
    """The sum of its days."""
    NEWEST = "newest"
    """The newest figure whose bucket is over; before there is any, the open one."""


SUMMED = frozenset(
    [
        "new_registrations",
        "new_persons",
        "generations_completed",
        "generations_failed",
        "revenue",
        "net_revenue",
        "successful_payments",
        "failed_payments",
        "new_subscriptions",
        "cancelled_subscriptions",
        "referrals_sent",
        "referrals_accepted",
        "sessions",
        "page_views",
        "events",
    ]
)
"""Daily metrics whose days add up to a week's figure."""
GROWING = frozenset(
    [
        "wau",
        "weekly_revenue",
        "weekly_new_users",
        "weekly_lifecycle_new",
        "weekly_lifecycle_current",
        "weekly_lifecycle_resurrected",
        "mau",
        "monthly_revenue",
        "monthly_new_users",
        "monthly_lifecycle_new",
        "monthly_lifecycle_current",
        "monthly_lifecycle_resurrected",
    ]
)
"""Those that begin every week or month at 0."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a metric should come to."""

    title: str
    metric: str
    direction: Direction
    target: Decimal
    period: GoalPeriod
    starts_on: date
    """A week's or month's goal begins with the week or month that holds this day."""
    ends_on: date | None = None
    """Last day; of a week's or month's goal the last one that holds this day, None for ever."""

    def check(self) -> None:
        """Raises ValueError whose words begin with the field."""
        if not self.title.strip() or len(self.title) > 200 or not self.title.isprintable():
            raise ValueError("title: use 1 to 200 printable characters")
        if not self.target.is_finite() or not 0 <= self.target < Decimal(10) ** 18:
            raise ValueError("target: use a number from 0 to 1e18")
        if self.direction is Direction.AT_LEAST and self.target == 0:
            raise ValueError("target: at least 0 says nothing; use a number above 0")
        if not EARLIEST <= self.starts_on <= LATEST:
            raise ValueError(f"starts_on: use a day from {EARLIEST} to {LATEST}")
        if self.ends_on is not None and not self.starts_on <= self.ends_on <= LATEST:
            raise ValueError(f"ends_on: use a day from starts_on, {self.starts_on}, to {LATEST}")
        if self.period is GoalPeriod.UNTIL and (
            self.ends_on is None or (self.ends_on - self.starts_on).days >= LONGEST_DAYS
        ):
            raise ValueError(
                f"ends_on: give the last day that counts, at most {LONGEST_DAYS} days from starts_on"
            )

    def read_as(self, metric: Metric) -> Reading:
        """How the metric of that name (a project's own: of any period) is read. Raises ValueError when it cannot be."""
        if metric.measure is not None or BUCKETS.get(self.period) is metric.period:
            return Reading.BUCKET
        if metric.name in SUMMED:
            return Reading.SUM
        if self.period is not GoalPeriod.UNTIL and metric.period is not Period.DAILY:
            fitting = (
                "until" if self.period in metric.period else f"{metric.period.removesuffix('ly')} or until"
            )
            raise ValueError(f"metric: {metric.name} has {metric.period} figures; use period {fitting}")
        return Reading.NEWEST

    def windows(self, today: date, week_start: int) -> Iterator[tuple[date, date]]:
        """First and last day of its periods, the newest first; that of today, else the last, comes first."""
        if self.period is GoalPeriod.UNTIL:
            yield self.starts_on, self.ends_on or self.starts_on
            return
        period = BUCKETS[self.period]
        first = bucket_of(self.starts_on, period, week_start)
        newest = today if self.ends_on is None else min(today, self.ends_on)
        bucket = max(first, bucket_of(newest, period, week_start))
        while bucket >= first:
            yield bucket, next_bucket(bucket, period) - timedelta(days=1)
            bucket = bucket_of(bucket - timedelta(days=1), period, week_start)


def grows(metric: Metric, reading: Reading) -> bool:
    """Whether the value begins at 0 and grows with its period, so that a pace can be told."""
    if metric.measure is not None:
        return not isinstance(metric.measure, Ratio) and metric.measure.of in ADDITIVE
    return reading is Reading.SUM or (reading is Reading.BUCKET and metric.name in GROWING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a goal is in one of its periods."""

    value: Decimal | None
    share: Decimal | None
    """Value / target."""
    expected: Decimal | None
    """What the value would be now on the straight way to the target; of what does not grow, the target."""
    projected: Decimal | None
    """What the value comes to at the end at the pace so far."""
    status: Status


def progress(goal: Goal, value: Decimal | None, elapsed: Decimal, *, growing: bool) -> Progress:
    """`elapsed`: how much of the period has passed, 0 to 1, at 0 of one that has not begun."""
    share = value / goal.target if value is not None and goal.target else None
    if elapsed <= 0:
        return Progress(None, None, None, None, Status.NOT_STARTED)
    expected = goal.target * elapsed if growing else goal.target
    projected = value / elapsed if growing and value is not None else value
    return Progress(value, share, expected, projected, _status(goal, value, projected, elapsed, growing))


def _status(
    goal: Goal, value: Decimal | None, projected: Decimal | None, elapsed: Decimal, growing: bool
) -> Status:
    if value is None or projected is None:
        return Status.NO_DATA
    if elapsed >= 1:
        return Status.REACHED if _good(goal, value) else Status.MISSED
    if growing and _good(goal, value) is (goal.direction is Direction.AT_LEAST):
        # What has grown over its target does not go back.
        return Status.REACHED if goal.direction is Direction.AT_LEAST else Status.MISSED
    return Status.ON_TRACK if _good(goal, projected) else Status.BEHIND


def _good(goal: Goal, value: Decimal) -> bool:
    return value >= goal.target if goal.direction is Direction.AT_LEAST else value <= goal.target

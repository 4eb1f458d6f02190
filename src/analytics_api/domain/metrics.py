"""The catalogue of metrics: what each one counts, over which period and window, and when it is final."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from analytics_api.domain.measures import Measured
from analytics_api.domain.period import Period, bucket_of, next_bucket

CONVERSION_WINDOW_DAYS = 30
REFUND_WINDOW_DAYS = 30
"""A first payment that is given back in full within these days makes no new customer (definitions, section 8)."""
TRAILING_MONTHS = 3
OBSERVED_DAYS = (30, 90, 180, 365)
"""Ages in days at which the lifetime value of a cohort is looked at (definitions, section 7)."""
LTV_CAP_MONTHS = 60
SMALL_SAMPLE = 30


class Unit(StrEnum):
    """What a value is measured in."""

    COUNT = "count"
    MONTHS = "months"
    SECONDS = "seconds"
    FRACTION = "fraction"
    RATIO = "ratio"
    CURRENCY = "currency"
    """Major units of the project's currency."""


class State(StrEnum):
    """How certain the figure of a bucket is."""

    OPEN = "open"
    """The bucket is not over."""
    SETTLING = "settling"
    """It is over; late events and its own window may still change the figure."""
    FINAL = "final"
    """A change after this leaves a revision."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one period."""

    name: str
    period: Period
    unit: str
    """A Unit; a project's own metric may have any."""
    definition: str
    window_days: int | None = None
    """Days that a figure looks at when they are not its bucket: 30 for a rolling month or a conversion window."""
    trailing: bool = False
    """Whether the window ends with the bucket, so that it is partial in the first days of a project."""
    matures_after_days: int = 0
    """Days after its bucket in which ordinary, punctual events still change the figure."""
    reach_before_days: int = 0
    reach_after_days: int | None = 0
    """A change on a day can change the buckets from `day - before` to `day + after`; None: all later ones."""
    counts_people: bool = False
    takes_bots: bool = True
    """Whether `include_bots` makes a difference."""
    proportion: bool = False
    """Whether the numerator is a part of the denominator, so that it has a confidence interval."""
    sampled: bool = False
    """Whether the denominator is a number of people, so that a small one deserves a warning."""
    uses_spend: bool = False
    uses_persons: bool = False
    """Whether it matters who is who, though it does not count people."""
    uses_customers: bool = False
    """Whether it matters whose a subscription is."""
    version: int = 1
    """Raised when the definition changes: stored figures of an older one are made again."""
    title: str = ""
    measure: Measured | None = None
    """What a project's own metric measures over events; None for those of the product, which are made from rollups."""

    def settles_after(self, late_days: int) -> int:
        """Days after the bucket's end at which the figure becomes final."""
        return max(late_days, self.matures_after_days)

    def state(self, bucket: date, today: date, late_days: int) -> State:
        """How certain the figure of a bucket is on the local day `today`."""
        end = next_bucket(bucket, self.period)
        if today < end:
            return State.OPEN
        return State.FINAL if today >= end + timedelta(days=self.settles_after(late_days)) else State.SETTLING

    def reached(self, day: date, week_start: int) -> tuple[date, date | None]:
        """First and last bucket that a change on `day` can change; None: all from the first on."""
        first = bucket_of(day - timedelta(days=self.reach_before_days), self.period, week_start)
        if self.reach_after_days is None:
            return first, None
        return first, bucket_of(day + timedelta(days=self.reach_after_days), self.period, week_start)


def _daily(name: str, definition: str, unit: Unit = Unit.COUNT, **rest: Any) -> Metric:
    return Metric(name, Period.DAILY, unit, definition, **rest)


def _monthly(name: str, definition: str, unit: Unit, **rest: Any) -> Metric:
    return Metric(name, Period.MONTHLY, unit, definition, **rest)


_LEDGER: dict[str, Any] = {"reach_after_days": None, "takes_bots": False}
"""Figures that depend on all earlier entries of a ledger."""
_SUBSCRIPTIONS: dict[str, Any] = {**_LEDGER, "uses_customers": True}

_DAILY = (
    _daily("dau", "Distinct persons with at least one active event on the day.", counts_people=True),
    _daily(
        "new_registrations",
        "Distinct persons whose first signup_completed ever is on the day.",
        counts_people=True,
        version=2,
    ),
    _daily(
        "new_persons", "Distinct persons whose first event of any kind is on the day.", counts_people=True
    ),
    _daily("generations_completed", "generation_completed events of the day."),
    _daily("generations_failed", "generation_failed events of the day."),
    _daily(
        "revenue",
        "Captured payments of the day in the project's currency, each converted with the rate of its UTC date.",
        Unit.CURRENCY,
    ),
    _daily(
        "net_revenue",
        "Captured payments minus refunds and chargebacks, each booked on the day it happens.",
        Unit.CURRENCY,
        reach_after_days=None,
    ),
    _daily("successful_payments", "Distinct payment ids captured on the day; an amount of 0 is no payment."),
    _daily(
        "failed_payments",
        "Distinct payment ids that failed on the day and were not captured by its end.",
        reach_after_days=None,
    ),
    _daily(
        "new_payers",
        "Distinct persons whose first payment above 0 ever is on the day.",
        # One that comes late moves somebody's first payment to an earlier day.
        reach_after_days=None,
        counts_people=True,
        takes_bots=False,
    ),
    _daily(
        "new_subscriptions",
        "Subscriptions created on the day that were not running before.",
        **_SUBSCRIPTIONS,
    ),
    _daily(
        "cancelled_subscriptions",
        "Running subscriptions whose cancellation was decided on the day.",
        **_SUBSCRIPTIONS,
    ),
    _daily("referrals_sent", "referral_sent events of the day."),
    _daily("referrals_accepted", "referral_accepted events of the day."),
    _daily(
        "signup_to_payment_conversion",
        "Of the persons whose first signup_completed is on the day, the share with a first payment above 0 within "
        "30 days of their own signup.",
        Unit.FRACTION,
        window_days=CONVERSION_WINDOW_DAYS,
        matures_after_days=CONVERSION_WINDOW_DAYS,
        reach_before_days=CONVERSION_WINDOW_DAYS,
        reach_after_days=None,
        counts_people=True,
        version=2,
        proportion=True,
        sampled=True,
    ),
    _daily(
        "payments_per_signup",
        "Payments of the day / persons whose first signup_completed is on the day. No rate of conversion: it may exceed 1.",
        Unit.RATIO,
        counts_people=True,
        version=2,
        sampled=True,
    ),
    _daily(
        "wau_rolling",
        "Distinct persons with an active event in the 7 local days that end with the day.",
        window_days=7,
        trailing=True,
        reach_after_days=6,
        counts_people=True,
    ),
    _daily(
        "mau_rolling",
        "Distinct persons with an active event in the 30 local days that end with the day.",
        window_days=30,
        trailing=True,
        reach_after_days=29,
        counts_people=True,
    ),
    _daily(
        "stickiness",
        "Persons active on the day / persons active in the 30 local days that end with it.",
        Unit.FRACTION,
        window_days=30,
        trailing=True,
        reach_after_days=29,
        counts_people=True,
        proportion=True,
        sampled=True,
    ),
    _daily(
        "sessions",
        "Sessions that start on the day; a gap of 30 minutes or more starts a new one.",
        uses_persons=True,
    ),
    _daily(
        "average_session_seconds",
        "Time from the first to the last event of the sessions that start on the day / these sessions.",
        Unit.SECONDS,
        uses_persons=True,
    ),
    _daily("page_views", "page_view events of the day."),
    _daily("events", "All events of the day, those without a person included."),
)

_STAGES = {
    "new": "Persons active in the {period} and never before.",
    "current": "Persons active in the {period} and in the one before.",
    "resurrected": "Persons active in the {period}, not in the one before, but earlier.",
    "dormant": "Persons active in the {period} before and not in this one.",
}


def _lifecycle(period: Period, word: str) -> tuple[Metric, ...]:
    """How the persons of a week or month came to be in it. Active = new + current + resurrected."""
    return tuple(
        Metric(
            f"{period}_lifecycle_{stage}",
            period,
            Unit.COUNT,
            definition.format(period=word),
            reach_after_days=None,
            counts_people=True,
        )
        for stage, definition in _STAGES.items()
    )


_WEEKLY = (
    Metric(
        "wau",
        Period.WEEKLY,
        Unit.COUNT,
        "Distinct persons with at least one active event in the calendar week.",
        counts_people=True,
    ),
    Metric("weekly_revenue", Period.WEEKLY, Unit.CURRENCY, "Captured payments of the week, as in revenue."),
    Metric(
        "weekly_new_users",
        Period.WEEKLY,
        Unit.COUNT,
        "Distinct persons whose first signup_completed ever is in the week.",
        counts_people=True,
        version=2,
    ),
    Metric(
        "weekly_churn_rate",
        Period.WEEKLY,
        Unit.FRACTION,
        "User churn: of the persons active in the week before, the share without an active event in this one.",
        reach_after_days=7,
        counts_people=True,
        proportion=True,
        sampled=True,
    ),
    *_lifecycle(Period.WEEKLY, "week"),
)

_NEXT_MONTH = 31
_MONTHLY = (
    *_lifecycle(Period.MONTHLY, "month"),
    _monthly(
        "mau",
        "Distinct persons with at least one active event in the calendar month.",
        Unit.COUNT,
        counts_people=True,
    ),
    _monthly("monthly_revenue", "Captured payments of the month, as in revenue.", Unit.CURRENCY),
    _monthly(
        "monthly_new_users",
        "Distinct persons whose first signup_completed ever is in the month.",
        Unit.COUNT,
        counts_people=True,
        version=2,
    ),
    _monthly(
        "monthly_new_payers",
        "Distinct persons whose first payment above 0 ever is in the month.",
        Unit.COUNT,
        reach_after_days=None,
        counts_people=True,
        takes_bots=False,
    ),
    _monthly(
        "monthly_payers",
        "Distinct persons with a captured payment above 0 in the month.",
        Unit.COUNT,
        counts_people=True,
    ),
    _monthly(
        "churn_rate",
        "User churn: of the persons active in the month before, the share without an active event in this one.",
        Unit.FRACTION,
        reach_after_days=_NEXT_MONTH,
        counts_people=True,
        proportion=True,
        sampled=True,
    ),
    _monthly(
        "subscriber_churn",
        "Of the customers with MRR above 0 at the month's start, the share with MRR 0 at its end.",
        Unit.FRACTION,
        proportion=True,
        sampled=True,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "revenue_churn_gross",
        "(Contraction + churn of MRR in the month) / MRR at its start.",
        Unit.FRACTION,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "revenue_churn_net",
        "(Contraction + churn - expansion - reactivation of MRR in the month) / MRR at its start; below 0 when it grows.",
        Unit.FRACTION,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "nrr",
        "Net revenue retention: what the customers of the month's start pay at its end / MRR at its start, without "
        "currency moves.",
        Unit.FRACTION,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "grr",
        "Gross revenue retention: 1 - revenue_churn_gross, kept within 0 and 1.",
        Unit.FRACTION,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "mrr",
        "Monthly recurring revenue of all paying customers at the month's end; a yearly plan counts a twelfth.",
        Unit.CURRENCY,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "arpu",
        "Average revenue per user: captured payments of the month / persons active in it.",
        Unit.CURRENCY,
        sampled=True,
        uses_persons=True,
    ),
    _monthly(
        "arppu",
        "Average revenue per paying user: captured payments of the month / persons with a captured payment above 0 in it.",
        Unit.CURRENCY,
        sampled=True,
        uses_persons=True,
    ),
    _monthly(
        "ltv",
        "Projected lifetime value: MRR per paying customer / subscriber churn of the last 3 closed months. Revenue, "
        "not profit.",
        Unit.CURRENCY,
        **_SUBSCRIPTIONS,
    ),
    *(
        _monthly(
            f"ltv_observed_{days}",
            f"Net revenue that the persons first seen in the month have brought by their day {days} / all these persons, payers "
            "or not. Revenue, not profit.",
            Unit.CURRENCY,
            window_days=days,
            matures_after_days=days + 1,
            reach_before_days=days + 31,
            counts_people=True,
            sampled=True,
        )
        for days in OBSERVED_DAYS
    ),
    _monthly(
        "cac",
        "Blended acquisition cost: spend of the month / persons whose first payment is in it; a first payment given "
        "back in full within 30 days does not count.",
        Unit.CURRENCY,
        window_days=REFUND_WINDOW_DAYS,
        matures_after_days=REFUND_WINDOW_DAYS,
        uses_persons=True,
        uses_spend=True,
        sampled=True,
        **_LEDGER,
    ),
    _monthly(
        "cost_per_signup",
        "Spend of the month / persons whose first signup_completed is in it.",
        Unit.CURRENCY,
        # Spend that is spread over days is marked at its first.
        reach_after_days=None,
        counts_people=True,
        version=2,
        uses_spend=True,
        sampled=True,
    ),
    _monthly(
        "payback_months",
        "Months until a customer has paid back what they cost: blended acquisition cost of the last 3 closed months / MRR per "
        "paying customer.",
        Unit.MONTHS,
        window_days=REFUND_WINDOW_DAYS,
        matures_after_days=REFUND_WINDOW_DAYS,
        uses_persons=True,
        uses_spend=True,
        **_SUBSCRIPTIONS,
    ),
    _monthly(
        "ltv_cac_ratio",
        "Projected lifetime value / blended acquisition cost, both over the last 3 closed months.",
        Unit.RATIO,
        window_days=REFUND_WINDOW_DAYS,
        matures_after_days=REFUND_WINDOW_DAYS,
        uses_persons=True,
        uses_spend=True,
        **_SUBSCRIPTIONS,
    ),
)

METRICS = (*_DAILY, *_WEEKLY, *_MONTHLY)
METRICS_BY_NAME = {metric.name: metric for metric in METRICS}


def find_metric(name: str, period: Period | None = None) -> Metric | None:
    """The metric of that name; with a period, only if it has that one."""
    metric = METRICS_BY_NAME.get(name)
    return metric if metric is not None and period in (None, metric.period) else None


def metric_names(period: Period | None = None) -> list[str]:
    """Names of all metrics, or of those of one period, in the order of the catalogue."""
    return [metric.name for metric in METRICS if period in (None, metric.period)]

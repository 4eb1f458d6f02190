"""GET /metrics/dashboard: S1's seven figures, and how each comes about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from analytics_api.domain.metrics import CONVERSION_WINDOW_DAYS, METRICS_BY_NAME, State
from analytics_api.domain.period import Period, bucket_of, next_bucket
from analytics_api.query.metrics import as_number, as_utc, certainty, explanation
from analytics_api.store.metrics.acquisition import spend_asked, undone_asked
from analytics_api.store.metrics.activity import last_active_asked
from analytics_api.store.metrics.answer import Figures, Point
from analytics_api.store.metrics.days import Lag, lag_asked
from analytics_api.store.metrics.figure import Span
from analytics_api.store.metrics.ltv import acquired_in
from analytics_api.store.metrics.people import registrations_asked
from analytics_api.store.metrics.revenue import revenue_asked
from analytics_api.store.statements import Asked

PERCENT = Decimal(100)
_CONVERSION = "signup_to_payment_conversion"
_MONTHS_BEFORE = 190
"""Days before a month that hold all months which its figures look back on."""


@dataclass(frozen=True, slots=True)
class Card:
    """One field of the dashboard: S1's value and the explanation of it."""

    value: Decimal | None
    details: dict[str, Any]


async def dashboard(figures: Figures, *, include_bots: bool) -> dict[str, Any]:
    """The answer. Percent fields are in percent as S1 has them; details keep fractions."""
    today = figures.today
    month = bucket_of(bucket_of(today, Period.MONTHLY) - timedelta(days=1), Period.MONTHLY)

    conversion = _latest_cohort(figures)
    earlier = month - timedelta(days=_MONTHS_BEFORE)
    monthly = ("churn_rate", "ltv_cac_ratio", "ltv", "monthly_new_payers")
    await figures.read_ahead(
        {_CONVERSION: conversion, **dict.fromkeys(monthly, (earlier, month))},
        _not_kept(figures, month, include_bots=include_bots),
    )

    async def card(name: str, day: date, scale: Decimal = Decimal(1)) -> Card:
        point = await figures.point(METRICS_BY_NAME[name], day, include_bots=include_bots)
        value = point.figure.value
        details = {"value": as_number(value), **explanation(point, figures.project)}
        return Card(None if value is None else value * scale, details)

    cards = {
        "daily_active_users": await card("dau", today),
        "monthly_active_users": await card("mau_rolling", today),
        "new_registrations_today": await card("new_registrations", today),
        "revenue_today": await card("revenue", today),
        # A person signs up for the first time on one day, so the month's cohort is the sum of its days'.
        "conversion_rate": _pooled(
            figures,
            await figures.points(
                METRICS_BY_NAME[_CONVERSION], *conversion, include_bots=include_bots, with_later=False
            ),
        ),
        "churn_rate": await card("churn_rate", month, PERCENT),
        "ltv_cac_ratio": await card("ltv_cac_ratio", month),
    }
    for name in ("conversion_rate", "churn_rate"):
        cards[name].details["unit_of_field"] = "percent"
    counted = ("daily_active_users", "monthly_active_users", "new_registrations_today")
    lag = await figures.lag()
    return {
        **{name: _field(card.value, whole=name in counted) for name, card in cards.items()},
        "details": {**_freshness(figures, lag), **{name: card.details for name, card in cards.items()}},
    }


def _not_kept(figures: Figures, month: date, *, include_bots: bool) -> list[Asked]:
    """What the cards ask beside kept figures: of today, and of the last month as long as refunds may change it."""

    def of(name: str, day: date) -> Span:
        return figures.span(METRICS_BY_NAME[name], day, day, include_bots=include_bots)

    acquired = acquired_in(of("ltv_cac_ratio", month))
    return [
        last_active_asked(of("dau", figures.today)),
        registrations_asked(of("new_registrations", figures.today)),
        revenue_asked(of("revenue", figures.today)),
        spend_asked(acquired),
        undone_asked(acquired),
        lag_asked(figures.project.id),
    ]


def _field(value: Decimal | None, *, whole: bool) -> float | int | None:
    if value is None or not whole:
        return as_number(value)
    return int(value)


def _freshness(figures: Figures, lag: Lag) -> dict[str, Any]:
    """As of when the figures are true, and what they do not hold yet."""
    behind = 0.0 if lag.since is None else max(0.0, (figures.now - lag.since).total_seconds())
    return {
        "as_of": as_utc(figures.now if lag.since is None else min(lag.since, figures.now)),
        "lag": {"events": lag.events, "seconds": round(behind, 3)},
        "zone": figures.project.zone.key,
        "source": "events" if figures.raw else "rollups",
    }


def _latest_cohort(figures: Figures) -> tuple[date, date]:
    """First and last day of the latest month whose last signups have had 30 days."""
    month = bucket_of(figures.today, Period.MONTHLY)
    while next_bucket(month, Period.MONTHLY) + timedelta(days=CONVERSION_WINDOW_DAYS) > figures.today:
        month = bucket_of(month - timedelta(days=1), Period.MONTHLY)
    return month, next_bucket(month, Period.MONTHLY) - timedelta(days=1)


def _pooled(figures: Figures, points: Sequence[Point]) -> Card:
    metric, first, last = points[0].metric, points[0].bucket, points[-1].bucket
    numerator = sum((point.figure.numerator or Decimal(0) for point in points), Decimal(0))
    denominator = sum((point.figure.denominator or Decimal(0) for point in points), Decimal(0))
    settled = all(point.state is State.FINAL for point in points)
    details: dict[str, Any] = {
        "definition": "Of the persons who signed up in the latest month that is over for 30 days, the share with a first "
        "payment above 0 within 30 days of their own signup.",
        "definition_version": metric.version,
        "unit": str(metric.unit),
        "numerator": as_number(numerator),
        "denominator": as_number(denominator),
        "window": {"start": first.isoformat(), "end": last.isoformat(), "days": metric.window_days},
        "zone": figures.project.zone.key,
        "state": (State.FINAL if settled else State.SETTLING).value,
        **certainty(metric, numerator, denominator),
    }
    rate = numerator / denominator if denominator else None
    return Card(None if rate is None else rate * PERCENT, {"value": as_number(rate), **details})

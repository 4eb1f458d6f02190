"""Lifetime value, acquisition cost and their ratio (definitions, sections 7 to 9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import LTV_CAP_MONTHS, TRAILING_MONTHS
from analytics_api.domain.period import bucket_of
from analytics_api.store.metrics.acquisition import Acquisition, acquisition
from analytics_api.store.metrics.figure import Figure, Span, ratio
from analytics_api.store.metrics.people import new_registrations
from analytics_api.store.metrics.subscriptions import SubscriptionBucket, subscription_buckets

_ABOUT_FOUR_MONTHS = 31 * (TRAILING_MONTHS + 1)
FEW_PAYERS = 10
VARIANT = "ltv_projected"
MARGIN = "1"
"""Share of revenue that is gross margin. Until a project sets its own, the figure is revenue, not profit."""


def trailing_months(month: date, span: Span) -> list[date]:
    """The last 3 closed months as seen from a month: those before it while it is open, else it and the 2 before."""
    last = month if month < bucket_of(span.today, span.period) else month - timedelta(days=1)
    months = [bucket_of(last, span.period)]
    while len(months) < TRAILING_MONTHS:
        months.insert(0, bucket_of(months[0] - timedelta(days=1), span.period))
    return months


async def ltv(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """MRR per paying customer / subscriber churn of the last 3 closed months.

    Without churn there is no estimate, only a lower bound: 60 months of revenue.
    """
    found = await subscription_buckets(connection, span.from_earlier(_ABOUT_FOUR_MONTHS))
    return {
        month: _lifetime(found[month], [found[past] for past in trailing_months(month, span)])
        for month in span.buckets()
    }


def _lifetime(month: SubscriptionBucket, trailing: list[SubscriptionBucket]) -> Figure:
    lost = sum(past.lost for past in trailing)
    starts = sum(past.customers_start for past in trailing)
    churn = Decimal(lost) / Decimal(starts) if starts else None
    arpa = month.mrr_end / month.customers_end if month.customers_end else None
    margin = None if arpa is None else arpa * Decimal(MARGIN)
    details: dict[str, Any] = {
        "variant": VARIANT,
        "margin": Decimal(MARGIN),
        "arpa": arpa,
        "customers": month.customers_end,
        "churn_lost": lost,
        "churn_base": starts,
        "churn_months": [past.bucket.isoformat() for past in trailing],
    }
    figure = ratio(margin, churn, **details)
    bound = _lower_bound(figure)
    if bound is not None:
        figure.details["lower_bound"] = bound
    return figure


def _lower_bound(lifetime: Figure) -> Decimal | None:
    """What a customer pays in 60 months, when there is no churn to estimate from."""
    if lifetime.numerator is None or lifetime.denominator != 0:
        return None
    return lifetime.numerator * LTV_CAP_MONTHS


async def cac(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Spend of each month / its new paying persons."""
    found = await acquisition(connection, span)
    return {month: _cost([found[month]]) for month in span.buckets()}


def _cost(months: list[Acquisition]) -> Figure:
    """Blended cost over some months. No spend recorded is unknown, not free."""
    spends = [month.spend for month in months if month.spend is not None]
    payers = sum(month.payers for month in months)
    spend = sum(spends, Decimal(0)) if spends else None
    details: dict[str, Any] = {
        "variant": "cac_blended",
        "unconverted_spend": sum(month.unconverted for month in months),
    }
    if spend is not None and payers == 0:
        details["spend_without_customers"] = spend
    return ratio(spend, payers, **details)


async def cost_per_signup(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Spend of each month / persons who signed up in it."""
    acquired = await acquisition(connection, span)
    signups = await new_registrations(connection, span)
    return {
        month: ratio(found.spend, signups[month].value, unconverted_spend=found.unconverted)
        for month, found in acquired.items()
    }


async def payback(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Acquisition cost of the last 3 closed months / MRR per paying customer at the end of the last of them (definitions, section 9)."""
    acquired = await acquisition(connection, span.from_earlier(_ABOUT_FOUR_MONTHS))
    found = await subscription_buckets(connection, span.from_earlier(_ABOUT_FOUR_MONTHS))
    answer: dict[date, Figure] = {}
    for month in span.buckets():
        basis = trailing_months(month, span)
        cost, paying = _cost([acquired[past] for past in basis]), found[basis[-1]]
        arpa = paying.mrr_end / paying.customers_end * Decimal(MARGIN) if paying.customers_end else None
        answer[month] = ratio(
            cost.value,
            arpa,
            months=[past.isoformat() for past in basis],
            margin=Decimal(MARGIN),
            few_new_payers=(cost.denominator or 0) < FEW_PAYERS,
        )
    return answer


async def ltv_cac_ratio(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Lifetime value / acquisition cost, both over the last 3 closed months."""
    return await ratio_to_cost(connection, span, await ltv(connection, span.from_earlier(1)))


def acquired_in(span: Span) -> Span:
    """The months whose acquisition the ratio of a span's months looks at."""
    return span.from_earlier(_ABOUT_FOUR_MONTHS)


async def ratio_to_cost(
    connection: AsyncConnection,
    span: Span,
    lifetimes: Mapping[date, Figure],
    first_payers: Mapping[date, int] | None = None,
) -> dict[date, Figure]:
    """The same from lifetime values that are known: of each month of the span, and of the one before.

    `first_payers`: who first paid in each month of `acquired_in`, where that is known.
    """
    acquired = await acquisition(connection, acquired_in(span), first_payers)
    answer: dict[date, Figure] = {}
    for month in span.buckets():
        basis = trailing_months(month, span)
        answer[month] = _ratio(basis, lifetimes[basis[-1]], _cost([acquired[past] for past in basis]))
    return answer


def _ratio(basis: list[date], lifetime: Figure, cost: Figure) -> Figure:
    payers = cost.denominator or Decimal(0)
    details: dict[str, Any] = {
        "basis": {
            "months": [month.isoformat() for month in basis],
            "ltv": lifetime.value,
            "ltv_variant": VARIANT,
            "margin": Decimal(MARGIN),
            "cac": cost.value,
            "cac_variant": "cac_blended",
            "spend": cost.numerator,
            "new_payers": payers,
        },
        "few_new_payers": payers < FEW_PAYERS,
    }
    bound = _lower_bound(lifetime)
    if bound is not None and cost.value:
        details["lower_bound"] = bound / cost.value
    return ratio(lifetime.value, cost.value, **details)

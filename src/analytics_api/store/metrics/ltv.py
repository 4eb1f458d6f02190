"""Lifetime value, acquisition cost and their ratio (definitions, sections 7 to 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import LTV_CAP_MONTHS, REFUND_WINDOW_DAYS, TRAILING_MONTHS
from analytics_api.domain.period import bucket_of, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.metrics.figure import Figure, Span, ratio
from analytics_api.store.metrics.people import new_registrations
from analytics_api.store.metrics.subscriptions import SubscriptionBucket, subscription_buckets
from analytics_api.store.statements import fetch

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


@dataclass(slots=True)
class Acquisition:
    """What was spent in a month and how many persons paid for the first time."""

    spend: Decimal | None = None
    unconverted: int = 0
    payers: int = 0


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


async def acquisition(
    connection: AsyncConnection, span: Span, first_payers: Mapping[date, int] | None = None
) -> dict[date, Acquisition]:
    """Spend and new paying persons of each month. `first_payers`: all who first paid in each, where that is known."""
    found = {month: Acquisition() for month in span.buckets()}
    spend = spend_sql({"bucket": span.bucket_sql()})
    for row in await fetch(connection, spend, span.parameters(currency=span.project.currency)):
        found[row.bucket].spend = row.spend
        found[row.bucket].unconverted = row.unconverted
    given = span.parameters(**payers_parameters(span.project, span.first, span.after))
    if first_payers is None:
        payers = span.sql(payers_sql({"bucket": span.bucket_sql()}))
        for row in await fetch(connection, payers, given):
            found[row.bucket].payers = row.payers
        return found
    for month, each in found.items():
        each.payers = first_payers[month]
    for row in await fetch(connection, _undone_payers_sql(span), given):
        found[row.bucket].payers -= row.persons
    return found


def _selected(keys: Mapping[str, str]) -> tuple[str, str]:
    """SQL that names the keys, and the names."""
    return ", ".join(f"{sql} AS {name}" for name, sql in keys.items()), ", ".join(keys)


def spend_sql(keys: Mapping[str, str]) -> str:
    """Spend from :first up to the day before :after by keys, given as SQL over an entry's columns and `day`.

    Each entry is spread evenly over its days and converted with the rate of each day.
    """
    named, names = _selected(keys)
    return f"""
        WITH daily AS (
            SELECT s.id, s.channel, s.campaign, s.amount, s.end_day - s.start_day + 1 AS days, s.currency, d.day::date AS day,
                   CASE WHEN s.currency = :currency THEN 1 ELSE r.rate END AS rate
            FROM spend s
            CROSS JOIN LATERAL generate_series(
                greatest(s.start_day, CAST(:first AS date))::timestamp, least(s.end_day, CAST(:after AS date) - 1)::timestamp, interval '1 day'
            ) AS d (day)
            LEFT JOIN exchange_rates r ON r.project_id = s.project_id AND r.currency = s.currency AND r.day = d.day::date
            WHERE s.project_id = :project AND s.start_day < :after AND s.end_day >= :first
        ), entries AS (
            -- Multiplied before it is divided, so that a whole entry comes out exactly.
            SELECT {named}, amount * sum(rate) / days AS spend, bool_or(rate IS NULL) AS unconverted
            FROM daily GROUP BY {names}, id, amount, days
        )
        SELECT {names}, sum(spend) AS spend, count(*) FILTER (WHERE unconverted) AS unconverted
        FROM entries GROUP BY {names}
    """


_UNDONE = """
    undone AS (
        SELECT coalesce(m.canonical_id, p.person_id) AS person_id, p.occurred_at
        FROM payments r
        LEFT JOIN payments a ON a.project_id = r.project_id AND a.kind = 'alias' AND a.entry_id = r.payment_id
        JOIN payments p ON p.project_id = r.project_id AND p.kind = 'payment'
            AND p.entry_id = coalesce(a.payment_id, r.payment_id) AND p.currency IS NOT DISTINCT FROM r.currency
        LEFT JOIN person_merges m ON m.person_id = p.person_id
        WHERE r.project_id = :project AND r.kind IN ('refund', 'chargeback') AND p.amount > 0
          AND r.occurred_at <= p.occurred_at + make_interval(hours => 24 * :days)
        GROUP BY 1, 2, p.entry_id, p.amount HAVING sum(r.amount) >= p.amount
    )
"""
"""Payments given back in full within :days days."""


def payers_sql(keys: Mapping[str, str]) -> str:
    """New paying persons from :first up to the day before :after by keys, given as SQL over `persons` and their `day` of the first payment.

    A first payment given back in full within :days days does not count. It starts from the few that were given back, so that
    the many others are only counted.
    """
    named, names = _selected(keys)
    return f"""
        WITH payers AS (
            SELECT persons.*, (first_payment_at AT TIME ZONE :zone)::date AS day FROM persons
            WHERE project_id = :project AND first_payment_at >= :from AND first_payment_at < :to
        ), {_UNDONE}
        SELECT {named}, count(*) AS payers FROM payers AS persons
        WHERE NOT EXISTS (
            SELECT 1 FROM undone u WHERE u.person_id = persons.person_id AND u.occurred_at = persons.first_payment_at)
        GROUP BY {names}
    """


def _undone_payers_sql(span: Span) -> str:
    """Those of the persons with a first payment that `payers_sql` leaves out, by bucket."""
    return f"""
        WITH {_UNDONE}
        SELECT {span.bucket_sql()} AS bucket, count(*) AS persons FROM (
            SELECT DISTINCT u.person_id, (u.occurred_at AT TIME ZONE :zone)::date AS day
            FROM undone u JOIN persons ON persons.person_id = u.person_id AND persons.first_payment_at = u.occurred_at
            WHERE persons.project_id = :project AND u.occurred_at >= :from AND u.occurred_at < :to
        ) AS people GROUP BY 1
    """


def payers_parameters(project: Project, first: date, after: date) -> dict[str, Any]:
    """What `payers_sql` needs for the local days from `first` up to the day before `after`."""
    return {
        "project": project.id,
        "zone": project.zone.key,
        "from": start_of_day(first, project.zone),
        "to": start_of_day(after, project.zone),
        "days": REFUND_WINDOW_DAYS,
    }

"""Which computation belongs to which metric of the catalogue."""

from __future__ import annotations

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.metrics import OBSERVED_DAYS, Metric
from analytics_api.store.metrics import (
    activity,
    cohorts,
    conversion,
    custom,
    events,
    lifecycle,
    ltv,
    people,
    revenue,
    subscriptions,
)
from analytics_api.store.metrics.figure import Compute, Figure, Span

COMPUTATIONS: dict[str, Compute] = {
    "dau": activity.active_persons,
    "new_registrations": people.new_registrations,
    "new_persons": people.new_persons,
    "generations_completed": events.events_of(EventType.GENERATION_COMPLETED),
    "generations_failed": events.events_of(EventType.GENERATION_FAILED),
    "revenue": revenue.revenue,
    "net_revenue": revenue.net_revenue,
    "successful_payments": revenue.successful_payments,
    "failed_payments": revenue.failed_payments,
    "new_payers": people.new_payers,
    "new_subscriptions": subscriptions.decided("created"),
    "cancelled_subscriptions": subscriptions.decided("cancelled"),
    "referrals_sent": events.events_of(EventType.REFERRAL_SENT),
    "referrals_accepted": events.events_of(EventType.REFERRAL_ACCEPTED),
    "signup_to_payment_conversion": conversion.signup_to_payment,
    "payments_per_signup": conversion.payments_per_signup,
    "wau_rolling": activity.weekly_rolling,
    "mau_rolling": activity.monthly_rolling,
    "stickiness": activity.stickiness,
    "sessions": events.sessions,
    "average_session_seconds": events.average_session_seconds,
    "page_views": events.events_of(EventType.PAGE_VIEW),
    "events": events.all_events,
    "wau": activity.active_persons,
    "weekly_revenue": revenue.revenue,
    "weekly_new_users": people.new_registrations,
    "weekly_churn_rate": activity.user_churn,
    **{
        f"{period}_lifecycle_{stage}": lifecycle.lifecycle(stage)
        for period in ("weekly", "monthly")
        for stage in lifecycle.STAGES
    },
    "mau": activity.active_persons,
    "monthly_revenue": revenue.revenue,
    "monthly_new_users": people.new_registrations,
    "monthly_new_payers": people.new_payers,
    "monthly_payers": revenue.payers,
    "churn_rate": activity.user_churn,
    "subscriber_churn": subscriptions.subscriber_churn,
    "revenue_churn_gross": subscriptions.revenue_churn_gross,
    "revenue_churn_net": subscriptions.revenue_churn_net,
    "nrr": subscriptions.net_revenue_retention,
    "grr": subscriptions.gross_revenue_retention,
    "mrr": subscriptions.mrr,
    "arpu": revenue.arpu,
    "arppu": revenue.arppu,
    "ltv": ltv.ltv,
    **{f"ltv_observed_{days}": cohorts.ltv_observed(days) for days in OBSERVED_DAYS},
    "cac": ltv.cac,
    "cost_per_signup": ltv.cost_per_signup,
    "payback_months": ltv.payback,
    "ltv_cac_ratio": ltv.ltv_cac_ratio,
}


async def calculate(connection: AsyncConnection, metric: Metric, span: Span) -> dict[date, Figure]:
    """The figures of a metric for every bucket of a span: from rollups, a project's own from raw events."""
    if metric.measure is not None:
        return await custom.measured(connection, metric, metric.measure, span)
    return await COMPUTATIONS[metric.name](connection, span)

"""Signup to payment, by the cohort of the signup (definitions, section 4)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import CONVERSION_WINDOW_DAYS
from analytics_api.store.metrics.figure import Figure, Span, ratio
from analytics_api.store.metrics.people import new_registrations, signups_parameters, signups_sql
from analytics_api.store.metrics.revenue import ids_of, successful_payments
from analytics_api.store.statements import fetch

NOBODY = {"converted_net": 0, "paid_before_signup": 0}


async def signup_to_payment(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Of the persons who signed up in a bucket, those who first paid within 30 days of their own signup.

    The window is 30 times 24 hours, its last instant included. `converted_net` leaves out those whose first payment was
    given back in full within the window.
    """
    sql = f"""
        WITH cohort AS (
            SELECT person_id, first_signup_day, first_signup_at, first_payment_at,
                   first_signup_at + make_interval(hours => 24 * :window) AS until
            FROM {signups_sql(span)} AS signups
        ), converted AS (
            SELECT person_id, until, first_payment_at FROM cohort
            WHERE first_payment_at >= first_signup_at AND first_payment_at <= until
        ), undone AS (
            SELECT DISTINCT c.person_id FROM converted c
            JOIN payments p ON p.project_id = :project AND p.kind = 'payment'
                AND p.occurred_at = c.first_payment_at AND p.amount > 0
            LEFT JOIN person_merges m ON m.person_id = p.person_id
            JOIN payments r ON r.project_id = p.project_id AND r.payment_id = ANY ({ids_of("p")})
                AND r.kind IN ('refund', 'chargeback') AND r.occurred_at <= c.until
                AND r.currency IS NOT DISTINCT FROM p.currency
            WHERE coalesce(m.canonical_id, p.person_id) = c.person_id
            GROUP BY c.person_id, p.entry_id, p.amount HAVING sum(r.amount) >= p.amount
        )
        SELECT {span.bucket_sql("first_signup_day")} AS bucket, count(*) AS signups,
               count(converted.person_id) AS converted,
               count(converted.person_id) - count(undone.person_id) AS converted_net,
               count(*) FILTER (WHERE cohort.first_payment_at < cohort.first_signup_at) AS paid_before_signup
        FROM cohort LEFT JOIN converted USING (person_id) LEFT JOIN undone USING (person_id)
        GROUP BY 1
    """
    rows = await fetch(connection, span.sql(sql), _parameters(span))
    found = {
        row.bucket: ratio(row.converted, row.signups, **{name: getattr(row, name) for name in NOBODY})
        for row in rows
    }
    return {bucket: found.get(bucket, ratio(0, 0, **NOBODY)) for bucket in span.buckets()}


async def payments_per_signup(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Payments / persons who signed up: the same-day form, which compares other people with each other."""
    payments = await successful_payments(connection, span)
    signups = await new_registrations(connection, span)
    return {bucket: ratio(payments[bucket].value, signups[bucket].value) for bucket in span.buckets()}


async def paid_later(connection: AsyncConnection, span: Span) -> dict[date, int]:
    """Persons of each signup bucket who first paid after their window, by now; buckets with none are left out.

    It goes on growing for ever, so it belongs to no kept figure.
    """
    sql = f"""
        SELECT {span.bucket_sql("first_signup_day")} AS bucket, count(*) AS persons FROM {signups_sql(span)} AS signups
        WHERE first_payment_at > first_signup_at + make_interval(hours => 24 * :window)
        GROUP BY 1
    """
    rows = await fetch(connection, span.sql(sql), _parameters(span))
    return {row.bucket: row.persons for row in rows}


def _parameters(span: Span) -> dict[str, Any]:
    return span.parameters(window=CONVERSION_WINDOW_DAYS, **signups_parameters(span))

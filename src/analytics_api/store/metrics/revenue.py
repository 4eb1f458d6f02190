"""Revenue, refunds and payments by the day they are booked (definitions, section 6).

Amounts in another currency are converted once with the rate of their UTC date; without a rate they are left out and
counted as `unconverted`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.metrics.activity import active_persons
from analytics_api.store.metrics.figure import Figure, Span, count, counts, ratio, rows_of
from analytics_api.store.statements import Asked, fetch


def converted(entry: str, rate: str) -> str:
    """SQL for an amount in the project's currency; null without a rate. Goes with `rate_join`."""
    return f"CASE WHEN coalesce({entry}.currency, :currency) = :currency THEN {entry}.amount ELSE {entry}.amount * {rate}.rate END"


def rate_join(entry: str, rate: str, day: str) -> str:
    """SQL that joins the exchange rate of an entry's currency on a day."""
    return f"""
        LEFT JOIN exchange_rates {rate} ON {rate}.project_id = {entry}.project_id
            AND {rate}.currency = {entry}.currency AND {rate}.day = {day}
    """


def ids_of(payment: str) -> str:
    """SQL for all ids under which refunds may name a payment."""
    return f"""(ARRAY(
        SELECT other.entry_id FROM payments other
        WHERE other.project_id = {payment}.project_id AND other.kind = 'alias' AND other.payment_id = {payment}.entry_id
    ) || {payment}.entry_id)"""


def utc_day(entry: str) -> str:
    """SQL for the UTC date of a ledger entry."""
    return f"({entry}.occurred_at AT TIME ZONE 'UTC')::date"


def revenue_asked(span: Span) -> Asked:
    """The statement behind `revenue`."""
    sql = f"""
        SELECT {span.bucket_sql("p.day")} AS bucket, coalesce(sum({converted("p", "r")}), 0) AS total,
               count(*) FILTER (WHERE p.amount > 0 AND {converted("p", "r")} IS NULL) AS unconverted,
               count(*) FILTER (WHERE p.amount IS NULL) AS unknown_amount
        FROM payments p {rate_join("p", "r", utc_day("p"))}
        WHERE p.project_id = :project AND p.day >= :first AND p.day < :after AND p.kind = 'payment'
          AND (:bots OR NOT p.is_bot)
        GROUP BY 1
    """
    parameters = span.parameters(currency=span.project.currency, bots=span.include_bots)
    return Asked(span.sql(sql), parameters, ("bucket", "total", "unconverted", "unknown_amount"))


async def revenue(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Captured payments."""
    rows = await rows_of(connection, span.memory, revenue_asked(span))
    found = {
        row.bucket: count(row.total, unconverted=row.unconverted, unknown_amount=row.unknown_amount)
        for row in rows
    }
    return {bucket: found.get(bucket, count(0, unconverted=0, unknown_amount=0)) for bucket in span.buckets()}


async def net_revenue(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Captured payments minus what was given back, on the day it was given back.

    Left out and counted: refunds of a payment that is not known, and those that go beyond what was paid. Refunds of one
    instant (Stripe tells whole seconds) are taken by their ids, so that the order in which they arrive does not matter.
    """
    gross = await revenue(connection, span)
    sql = f"""
        WITH given_back AS (
            SELECT r.*, p.amount AS paid, p.currency AS paid_currency, p.entry_id IS NULL AS orphan,
                   sum(r.amount) OVER (
                       PARTITION BY coalesce(a.payment_id, r.payment_id), r.currency ORDER BY r.occurred_at, r.entry_id) AS so_far
            FROM payments r
            LEFT JOIN payments a ON a.project_id = r.project_id AND a.kind = 'alias' AND a.entry_id = r.payment_id
            LEFT JOIN payments p ON p.project_id = r.project_id AND p.kind = 'payment'
                AND p.entry_id = coalesce(a.payment_id, r.payment_id) AND p.day <= r.day
            WHERE r.project_id = :project AND r.kind IN ('refund', 'chargeback') AND r.day < :after
              AND (:bots OR NOT r.is_bot)
        ), judged AS (
            SELECT g.day, g.amount, g.orphan, {converted("g", "rate")} AS converted,
                   g.currency = g.paid_currency AND g.so_far > g.paid AS oversized
            FROM given_back g {rate_join("g", "rate", utc_day("g"))}
            WHERE g.day >= :first
        )
        SELECT {span.bucket_sql()} AS bucket,
               coalesce(sum(converted) FILTER (WHERE NOT orphan AND oversized IS NOT TRUE), 0) AS refunds,
               count(*) FILTER (WHERE orphan) AS orphan_refunds,
               count(*) FILTER (WHERE oversized) AS oversized_refunds,
               count(*) FILTER (WHERE amount IS NOT NULL AND converted IS NULL) AS unconverted_refunds,
               count(*) FILTER (WHERE amount IS NULL) AS unknown_amount_refunds
        FROM judged GROUP BY 1
    """
    rows = await fetch(
        connection, span.sql(sql), span.parameters(currency=span.project.currency, bots=span.include_bots)
    )
    found = {row.bucket: row for row in rows}
    return {bucket: _net(figure, found.get(bucket)) for bucket, figure in gross.items()}


def _net(gross: Figure, back: object) -> Figure:
    names = (
        "refunds",
        "orphan_refunds",
        "oversized_refunds",
        "unconverted_refunds",
        "unknown_amount_refunds",
    )
    details = {name: getattr(back, name, 0) for name in names}
    paid = gross.value or Decimal(0)
    return count(paid - Decimal(details["refunds"]), revenue=paid, **details, **gross.details)


async def successful_payments(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Distinct payment ids that were captured; those of an unknown amount too, those of 0 not."""
    sql = f"""
        SELECT {span.bucket_sql()} AS bucket, count(*) FROM payments
        WHERE project_id = :project AND day >= :first AND day < :after AND kind = 'payment'
          AND (amount IS NULL OR amount > 0) AND (:bots OR NOT is_bot)
        GROUP BY 1
    """
    return await counts(connection, span, sql, bots=span.include_bots)


async def failed_payments(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Distinct payment ids that failed and were not captured by the day's end: a retry that succeeds is one success."""
    sql = f"""
        SELECT {span.bucket_sql("f.day")} AS bucket, count(DISTINCT f.payment_id) FROM payments f
        WHERE f.project_id = :project AND f.day >= :first AND f.day < :after AND f.kind = 'failure'
          AND (:bots OR NOT f.is_bot)
          AND NOT EXISTS (
              SELECT 1 FROM payments p
              WHERE p.project_id = f.project_id AND p.kind = 'payment' AND p.entry_id = f.payment_id AND p.day <= f.day
                AND (p.amount IS NULL OR p.amount > 0))
        GROUP BY 1
    """
    return await counts(connection, span, sql, bots=span.include_bots)


async def arpu(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Captured payments / active persons."""
    earned = await revenue(connection, span)
    active = await active_persons(connection, span)
    return {
        bucket: ratio(earned[bucket].value, active[bucket].value, **earned[bucket].details)
        for bucket in span.buckets()
    }


async def payers(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Distinct persons with a captured payment above 0."""
    sql = f"""
        SELECT bucket, count(*) FROM (
            SELECT DISTINCT {span.bucket_sql("p.day")} AS bucket, coalesce(m.canonical_id, p.person_id) AS person_id
            FROM payments p LEFT JOIN person_merges m ON m.person_id = p.person_id
            WHERE p.project_id = :project AND p.day >= :first AND p.day < :after AND p.kind = 'payment' AND p.has_person
              AND p.amount > 0 AND (:bots OR NOT p.is_bot)
        ) AS people GROUP BY bucket
    """
    return await counts(connection, span, sql, bots=span.include_bots)


async def arppu(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Captured payments / persons who paid."""
    earned = await revenue(connection, span)
    paying = await payers(connection, span)
    return {
        bucket: ratio(earned[bucket].value, paying[bucket].value, **earned[bucket].details)
        for bucket in span.buckets()
    }

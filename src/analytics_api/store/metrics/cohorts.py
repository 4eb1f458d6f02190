"""What cohorts have brought: lifetime value as it was observed (definitions, section 7).

A cohort is who was first seen in a month. What is given back lowers it on the day it is given back, as in net_revenue, so that a
figure is settled when the last day that it looks at is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import OBSERVED_DAYS
from analytics_api.domain.period import local_day
from analytics_api.store.metrics.figure import Compute, Figure, Span, ratio
from analytics_api.store.metrics.ltv import MARGIN
from analytics_api.store.metrics.revenue import converted, rate_join, utc_day
from analytics_api.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Brought:
    """What the members of a cohort have brought by some age."""

    net_revenue: Decimal
    payers: int
    unconverted: int
    """Amounts left out because an exchange rate is missing."""


@dataclass(slots=True)
class Cohort:
    """The persons first seen in one bucket, and what they have brought by now in the project's currency."""

    size: int = 0
    last_day: date | None = None
    """The first day of its youngest member."""
    by_now: Brought = Brought(Decimal(0), 0, 0)
    by_age: dict[int, Brought] = field(default_factory=dict)
    """By the end of so many days after each person's first day."""
    by_bucket: dict[date, Decimal] = field(default_factory=dict)
    """In each bucket that they paid in."""

    def mature(self, days: int, today: date) -> bool:
        """Whether day `days` is over for its last member."""
        return self.last_day is not None and self.last_day + timedelta(days=days) < today


def _brought(span: Span) -> str:
    """SQL: `cohort` (persons) and `brought` (what they paid and what was given back to them)."""
    first = "first_day_with_bots" if span.include_bots else "first_day"
    return f"""
        cohort AS (
            SELECT person_id, {first} AS first_day, {span.bucket_sql(first)} AS bucket FROM persons
            WHERE project_id = :project AND {first} >= :first AND {first} < :after
        ), given_back AS (
            -- The customer is whose payment it was: a refund often names nobody.
            SELECT p.person_id, r.project_id, r.day, r.occurred_at, r.amount, r.currency, p.amount AS paid, p.currency AS paid_currency,
                   sum(r.amount) OVER (PARTITION BY p.entry_id, r.currency ORDER BY r.occurred_at, r.entry_id) AS so_far
            FROM payments r
            LEFT JOIN payments a ON a.project_id = r.project_id AND a.kind = 'alias' AND a.entry_id = r.payment_id
            JOIN payments p ON p.project_id = r.project_id AND p.kind = 'payment'
                AND p.entry_id = coalesce(a.payment_id, r.payment_id) AND p.day <= r.day
            WHERE r.project_id = :project AND r.kind IN ('refund', 'chargeback') AND r.day >= :first
              AND p.has_person AND (:bots OR NOT r.is_bot)
        ), entries AS (
            SELECT person_id, project_id, day, occurred_at, amount, currency FROM payments
            WHERE project_id = :project AND kind = 'payment' AND has_person AND day >= :first AND (:bots OR NOT is_bot)
            UNION ALL
            SELECT person_id, project_id, day, occurred_at, -amount, currency FROM given_back
            WHERE (currency = paid_currency AND so_far > paid) IS NOT TRUE
        ), brought AS (
            SELECT c.bucket, c.person_id, e.day, e.day - c.first_day AS age, e.amount, {converted("e", "rate")} AS net
            FROM entries e {rate_join("e", "rate", utc_day("e"))} LEFT JOIN person_merges m ON m.person_id = e.person_id
            JOIN cohort c ON c.person_id = coalesce(m.canonical_id, e.person_id)
            WHERE e.day <= :today
        )
    """


async def observed(
    connection: AsyncConnection, span: Span, ages: Sequence[int], *, by_bucket: bool = False
) -> dict[date, Cohort]:
    """The cohorts of a span's buckets, with what they brought by each of `ages`, and bucket by bucket when asked."""
    key = "cohorts", span.period, span.first, span.last, tuple(ages), by_bucket
    memory = {} if span.memory is None else span.memory
    if key not in memory:
        memory[key] = await _observed(connection, span, ages, by_bucket=by_bucket)
    known: dict[date, Cohort] = memory[key]
    return known


async def _observed(
    connection: AsyncConnection, span: Span, ages: Sequence[int], *, by_bucket: bool
) -> dict[date, Cohort]:
    found = {bucket: Cohort() for bucket in span.buckets()}
    given = span.parameters(
        currency=span.project.currency,
        bots=span.include_bots,
        today=local_day(span.now, span.project.zone),
    )
    # Age by age, and once more without a limit.
    limits = {f"_{int(age)}": f"age <= {int(age)}" for age in ages} | {"": "TRUE"}
    sums = ", ".join(
        f"""coalesce(sum(net) FILTER (WHERE {limit}), 0) AS net{name},
            count(DISTINCT person_id) FILTER (WHERE {limit} AND amount > 0) AS payers{name},
            count(*) FILTER (WHERE {limit} AND amount <> 0 AND net IS NULL) AS unconverted{name}"""
        for name, limit in limits.items()
    )
    sql = f"""
        WITH {_brought(span)}, sizes AS (
            SELECT bucket, count(*) AS size, max(first_day) AS last_day FROM cohort GROUP BY bucket
        ), sums AS (
            SELECT bucket, {sums} FROM brought GROUP BY bucket
        )
        SELECT * FROM sizes LEFT JOIN sums USING (bucket)
    """
    for row in await fetch(connection, span.sql(sql), given):
        values = row._mapping

        def brought(name: str, values: Mapping[str, Any] = values) -> Brought:
            return Brought(
                values[f"net{name}"] or Decimal(0),
                values[f"payers{name}"] or 0,
                values[f"unconverted{name}"] or 0,
            )

        by_age = {age: brought(f"_{int(age)}") for age in ages}
        found[row.bucket] = Cohort(row.size, row.last_day, brought(""), by_age)
    if by_bucket:
        sql = f"""
            WITH {_brought(span)}
            SELECT bucket, {span.bucket_sql("day")} AS paid_in, coalesce(sum(net), 0) AS net FROM brought GROUP BY 1, 2
        """
        for row in await fetch(connection, span.sql(sql), given):
            found[row.bucket].by_bucket[row.paid_in] = row.net
    return found


def ltv_observed(days: int) -> Compute:
    """Net revenue of a month's new persons up to their day `days` / their number; null until that day is over for all of them."""

    async def compute(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
        cohorts = await observed(connection, span, OBSERVED_DAYS)
        today = local_day(span.now, span.project.zone)
        return {bucket: _figure(cohort, days, today) for bucket, cohort in cohorts.items()}

    return compute


def _figure(cohort: Cohort, days: int, today: date) -> Figure:
    details: dict[str, Any] = {
        "variant": f"ltv_observed({days})",
        "margin": Decimal(MARGIN),
        "mature": cohort.mature(days, today),
    }
    if not details["mature"]:
        return Figure(None, None, Decimal(cohort.size), details)
    brought = cohort.by_age[days]
    details |= {"payers": brought.payers, "unconverted": brought.unconverted}
    return ratio(brought.net_revenue * Decimal(MARGIN), cohort.size, **details)

"""Subscriptions: new and cancelled ones, MRR with its movements, churn of customers and of revenue.

Everything comes from one reading of the ledger of changes (definitions, sections 5b and 5c).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.metrics.figure import Compute, Figure, Span, count, counts, ratio
from analytics_api.store.statements import fetch

# Ledger of changes -> what each subscription is worth from each change on -> movements per customer and day.
#
# - A cancellation for later is withdrawn when the subscription is created again or renewed before it takes effect; so is what
#   an overdue payment leads to.
# - A change without an amount keeps the last one.
# - An amount is converted with the rate of the UTC date on which it was set; what a new rate alone changes is `fx`.
# - The customer of a subscription is the person of its first change: renewals often come from a server without one.
# - Persons are those of today: two that were merged are one customer, and have one subscription where none was named.
_CHANGES = """
    changes AS (
        SELECT CASE subscription_id WHEN 'person:' || person_id THEN 'person:' || canonical_id ELSE subscription_id END
                   AS subscription_id,
               canonical_id AS person_id, seq, kind, occurred_at, effective_at, mrr, currency
        FROM (
            SELECT c.*, coalesce(m.canonical_id, c.person_id) AS canonical_id
            FROM subscription_changes c LEFT JOIN person_merges m USING (person_id) WHERE c.project_id = :project
        ) AS sent
    )
"""

_MOVEMENTS = f"""
    {_CHANGES}, known AS (
        SELECT c.*, first_value(person_id) OVER (PARTITION BY subscription_id ORDER BY occurred_at, seq) AS customer
        FROM changes c
    ), ledger AS (
        SELECT k.* FROM known k
        WHERE effective_at <= :now AND NOT (kind IN ('cancelled', 'past_due') AND EXISTS (
            SELECT 1 FROM changes again
            WHERE again.subscription_id = k.subscription_id
              AND again.kind IN ('created', 'renewed') AND again.occurred_at < k.effective_at
              AND (again.occurred_at, again.seq) > (k.occurred_at, k.seq)))
    ), settings AS (
        SELECT l.*, count(mrr) FILTER (WHERE kind NOT IN ('cancelled', 'past_due'))
                    OVER (PARTITION BY subscription_id ORDER BY effective_at, occurred_at, seq) AS setting
        FROM ledger l
    ), plans AS (
        SELECT DISTINCT ON (subscription_id, setting) subscription_id, setting, mrr,
               coalesce(currency, :currency) AS currency, (occurred_at AT TIME ZONE 'UTC')::date AS rate_day
        FROM settings WHERE setting > 0
        ORDER BY subscription_id, setting, effective_at, occurred_at, seq
    ), worths AS (
        SELECT s.subscription_id, s.customer, (s.effective_at AT TIME ZONE :zone)::date AS day,
               s.effective_at, s.occurred_at, s.seq, coalesce(p.currency, :currency) AS currency,
               CASE WHEN s.kind IN ('cancelled', 'past_due') THEN 0 ELSE coalesce(p.mrr, 0) END AS worth,
               CASE WHEN p.currency = :currency THEN 1 ELSE coalesce(r.rate, 0) END AS rate
        FROM settings s
        LEFT JOIN plans p USING (subscription_id, setting)
        LEFT JOIN exchange_rates r ON r.project_id = :project AND r.currency = p.currency AND r.day = p.rate_day
    ), steps AS (
        SELECT customer, day, worth, currency, rate, worth * rate AS mrr,
               lag(worth, 1, 0::numeric) OVER changes AS old_worth,
               lag(worth * rate, 1, 0::numeric) OVER changes AS old_mrr,
               lag(currency) OVER changes AS old_currency
        FROM worths WINDOW changes AS (PARTITION BY subscription_id ORDER BY effective_at, occurred_at, seq)
    ), days AS (
        SELECT customer, day, sum((worth > 0)::integer - (old_worth > 0)::integer) AS paying,
               sum(mrr - old_mrr) AS total,
               sum(CASE WHEN worth = 0 OR old_worth = 0 THEN mrr - old_mrr
                        WHEN currency = old_currency THEN (worth - old_worth) * rate ELSE 0 END) AS moved
        FROM steps GROUP BY customer, day
    ), running AS (
        SELECT days.*, sum(paying) OVER history AS running, sum(paying) OVER history - paying AS was_running
        FROM days WINDOW history AS (PARTITION BY customer ORDER BY day)
    ), customers AS (
        SELECT running.*, coalesce(bool_or(running > 0) OVER (
                   PARTITION BY customer ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS paid_before
        FROM running
    ), movements AS (
        SELECT customer, day, was_running, running, total,
               CASE WHEN was_running = 0 AND running > 0 AND NOT paid_before THEN total ELSE 0 END AS new,
               CASE WHEN was_running = 0 AND running > 0 AND paid_before THEN total ELSE 0 END AS reactivation,
               CASE WHEN was_running > 0 AND running > 0 THEN greatest(moved, 0) ELSE 0 END AS expansion,
               CASE WHEN was_running > 0 AND running > 0 THEN greatest(-moved, 0) ELSE 0 END AS contraction,
               CASE WHEN was_running > 0 AND running = 0 THEN -total ELSE 0 END AS churn,
               CASE WHEN was_running > 0 AND running > 0 THEN total - moved ELSE 0 END AS fx,
               was_running = 0 AND running > 0 AND NOT paid_before AS joined, was_running > 0 AND running = 0 AS churned
        FROM customers
    )
"""


def _buckets_sql(span: Span) -> str:
    """Sums per bucket, all since the first change: what is there at a bucket's start is the sum of all before."""
    return f"""
        WITH {_MOVEMENTS}, by_customer AS (
            SELECT {span.bucket_sql()} AS bucket, customer, sum(new) AS new, sum(reactivation) AS reactivation,
                   sum(expansion) AS expansion, sum(contraction) AS contraction, sum(churn) AS churn, sum(fx) AS fx,
                   sum(total) AS total, count(*) FILTER (WHERE churned) AS churned_events, bool_or(joined) AS joined,
                   (array_agg(was_running ORDER BY day))[1] > 0 AS at_start,
                   (array_agg(running ORDER BY day DESC))[1] > 0 AS at_end
            FROM movements GROUP BY 1, customer
        ), sums AS (
            SELECT bucket, sum(new) AS new, sum(reactivation) AS reactivation, sum(expansion) AS expansion,
                   sum(contraction) AS contraction, sum(churn) AS churn, sum(fx) AS fx,
                   coalesce(sum(reactivation + expansion - contraction - churn) FILTER (WHERE at_start), 0) AS moved_of_start,
                   sum(churned_events)::integer AS churned_events,
                   count(*) FILTER (WHERE joined AND NOT at_end) AS new_and_churned_inside,
                   count(*) FILTER (WHERE at_start AND NOT at_end) AS lost,
                   sum(at_end::integer - at_start::integer) AS customers, sum(total) AS mrr
            FROM by_customer GROUP BY bucket
        ), totals AS (
            SELECT sums.*, (sum(customers) OVER so_far)::integer AS customers_end, sum(mrr) OVER so_far AS mrr_end
            FROM sums WINDOW so_far AS (ORDER BY bucket)
        )
        SELECT bucket, new, reactivation, expansion, contraction, churn, fx, moved_of_start, churned_events,
               new_and_churned_inside, mrr_end - mrr AS mrr_start, mrr_end,
               (customers_end - customers)::integer AS customers_start, customers_end, lost
        FROM totals
        WHERE bucket <= :last
        ORDER BY bucket
    """


_SCHEDULED = f"""
    WITH {_CHANGES} SELECT b.bucket, count(DISTINCT c.subscription_id) AS subscriptions
    FROM unnest(CAST(:starts AS date[]), CAST(:ends AS date[])) AS b (bucket, after)
    JOIN changes c ON c.kind = 'cancelled' AND c.effective_at > c.occurred_at
        AND (c.occurred_at AT TIME ZONE :zone)::date < b.after AND (c.effective_at AT TIME ZONE :zone)::date >= b.after
    WHERE NOT EXISTS (
        SELECT 1 FROM changes again
        WHERE again.subscription_id = c.subscription_id
          AND again.kind IN ('created', 'renewed') AND (again.occurred_at AT TIME ZONE :zone)::date < b.after
          AND (again.occurred_at, again.seq) > (c.occurred_at, c.seq))
    GROUP BY b.bucket
"""

MOVEMENTS = ("new", "reactivation", "expansion", "contraction", "churn", "fx")


def customers_sql(part: str) -> str:
    """Customers with a subscription on :last (`paying`), or in whose MRR there was a movement from :first to :last."""
    if part == "paying":
        return f"""
            WITH {_MOVEMENTS}, latest AS (
                SELECT DISTINCT ON (customer) customer, running FROM movements WHERE day <= :last ORDER BY customer, day DESC
            )
            SELECT customer FROM latest WHERE running > 0 AND CAST(:first AS date) <= :last
        """
    if part not in MOVEMENTS:
        raise ValueError(f"{part} is no movement")
    return f"""
        WITH {_MOVEMENTS}
        SELECT customer FROM movements WHERE day BETWEEN :first AND :last GROUP BY customer HAVING bool_or({part} <> 0)
    """


@dataclass(frozen=True, slots=True)
class SubscriptionBucket:
    """MRR and customers of one bucket, in the project's currency. mrr_end = mrr_start + all movements."""

    bucket: date
    new: Decimal
    reactivation: Decimal
    expansion: Decimal
    contraction: Decimal
    churn: Decimal
    fx: Decimal
    moved_of_start: Decimal
    """What the customers of the start moved: reactivation + expansion - contraction - churn."""
    churned_events: int
    new_and_churned_inside: int
    mrr_start: Decimal
    mrr_end: Decimal
    customers_start: int
    customers_end: int
    lost: int
    """Customers who paid at the start and do not at the end."""

    def movements(self) -> dict[str, Any]:
        """The movements by name, and where they start and end."""
        moved = {name: getattr(self, name) for name in MOVEMENTS}
        return {"mrr_start": self.mrr_start, **moved, "mrr_end": self.mrr_end}


async def subscription_buckets(connection: AsyncConnection, span: Span) -> dict[date, SubscriptionBucket]:
    """MRR and its movements in each bucket of a span, changes after `now` left out."""
    changed = await _changed_buckets(connection, span)
    found: dict[date, SubscriptionBucket] = {}
    latest = max((bucket for bucket in changed if bucket < span.first), default=None)
    before = None if latest is None else changed[latest]
    for bucket in span.buckets():
        before = found[bucket] = changed.get(bucket) or _unchanged(bucket, before)
    return found


async def _changed_buckets(connection: AsyncConnection, span: Span) -> dict[date, SubscriptionBucket]:
    """The buckets up to the span's last one in which anything changed."""
    key = "subscriptions", span.period, span.last
    memory = {} if span.memory is None else span.memory
    if key not in memory:
        parameters = {
            "project": span.project.id,
            "currency": span.project.currency,
            "zone": span.project.zone.key,
            "now": span.now,
            "last": span.last,
        }
        rows = await fetch(connection, _buckets_sql(span), parameters)
        memory[key] = {row.bucket: SubscriptionBucket(**row._mapping) for row in rows}
    changed: dict[date, SubscriptionBucket] = memory[key]
    return changed


def _unchanged(bucket: date, before: SubscriptionBucket | None) -> SubscriptionBucket:
    """A bucket without any change."""
    mrr, customers = (before.mrr_end, before.customers_end) if before else (Decimal(0), 0)
    moved = dict.fromkeys((*MOVEMENTS, "moved_of_start"), Decimal(0))
    return SubscriptionBucket(
        bucket,
        **moved,
        churned_events=0,
        new_and_churned_inside=0,
        mrr_start=mrr,
        mrr_end=mrr,
        customers_start=customers,
        customers_end=customers,
        lost=0,
    )


async def subscriber_churn(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Customers of the start who do not pay at the end / customers of the start."""
    found = await subscription_buckets(connection, span)
    starts = span.buckets()
    parameters = {
        "project": span.project.id,
        "zone": span.project.zone.key,
        "starts": starts,
        "ends": [*starts[1:], span.after],
    }
    scheduled = {row.bucket: row.subscriptions for row in await fetch(connection, _SCHEDULED, parameters)}
    return {
        bucket: ratio(
            months.lost,
            months.customers_start,
            churned_events=months.churned_events,
            new_and_churned_inside=months.new_and_churned_inside,
            scheduled_cancellations=scheduled.get(bucket, 0),
            customers_end=months.customers_end,
        )
        for bucket, months in found.items()
    }


def _of(figure: Callable[[SubscriptionBucket], Figure]) -> Compute:
    async def compute(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
        found = await subscription_buckets(connection, span)
        return {bucket: figure(months) for bucket, months in found.items()}

    return compute


def _gross_churn(bucket: SubscriptionBucket) -> Figure:
    return ratio(bucket.contraction + bucket.churn, bucket.mrr_start, **bucket.movements())


def _net_churn(bucket: SubscriptionBucket) -> Figure:
    lost = bucket.contraction + bucket.churn - bucket.expansion - bucket.reactivation
    return ratio(lost, bucket.mrr_start, **bucket.movements())


def _net_retention(bucket: SubscriptionBucket) -> Figure:
    return ratio(bucket.mrr_start + bucket.moved_of_start, bucket.mrr_start, **bucket.movements())


def _gross_retention(bucket: SubscriptionBucket) -> Figure:
    kept = max(bucket.mrr_start - bucket.contraction - bucket.churn, Decimal(0))
    return ratio(kept, bucket.mrr_start, **bucket.movements())


def _mrr(bucket: SubscriptionBucket) -> Figure:
    return count(bucket.mrr_end, customers=bucket.customers_end, **bucket.movements())


revenue_churn_gross = _of(_gross_churn)
revenue_churn_net = _of(_net_churn)
net_revenue_retention = _of(_net_retention)
gross_revenue_retention = _of(_gross_retention)
mrr = _of(_mrr)


def decided(kind: str) -> Compute:
    """Counts changes of a kind, `created` or `cancelled`, by the day they were decided.

    A resend changes nothing: created counts when the subscription was not running, cancelled when it was not cancelled yet.
    """

    async def compute(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
        sql = f"""
            WITH {_CHANGES}, ledger AS (
                SELECT kind, (occurred_at AT TIME ZONE :zone)::date AS day,
                       lag(kind) OVER (PARTITION BY subscription_id ORDER BY occurred_at, seq) AS previous
                FROM changes
            )
            SELECT {span.bucket_sql()} AS bucket, count(*) FROM ledger
            WHERE day >= :first AND day < :after AND kind = :kind
              AND CASE kind WHEN 'created' THEN previous IS NULL OR previous = 'cancelled'
                            ELSE previous IS DISTINCT FROM 'cancelled' END
            GROUP BY 1
        """
        return await counts(connection, span, sql, zone=span.project.zone.key, kind=kind)

    return compute

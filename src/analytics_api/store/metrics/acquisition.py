"""What acquiring customers cost: spend, and who paid for the first time (definitions, section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import REFUND_WINDOW_DAYS
from analytics_api.domain.period import start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.metrics.figure import Span, rows_of
from analytics_api.store.statements import Asked, fetch


@dataclass(slots=True)
class Acquisition:
    """What was spent in a month and how many persons paid for the first time."""

    spend: Decimal | None = None
    unconverted: int = 0
    payers: int = 0


async def acquisition(
    connection: AsyncConnection, span: Span, first_payers: Mapping[date, int] | None = None
) -> dict[date, Acquisition]:
    """Spend and new paying persons of each month. `first_payers`: all who first paid in each, where that is known."""
    found = {month: Acquisition() for month in span.buckets()}
    for row in await rows_of(connection, span.memory, spend_asked(span)):
        found[row.bucket].spend = row.spend
        found[row.bucket].unconverted = row.unconverted
    if first_payers is None:
        payers = span.sql(payers_sql({"bucket": span.bucket_sql()}))
        for row in await fetch(connection, payers, _payers_given(span)):
            found[row.bucket].payers = row.payers
        return found
    for month, each in found.items():
        each.payers = first_payers[month]
    for row in await rows_of(connection, span.memory, undone_asked(span)):
        found[row.bucket].payers -= row.persons
    return found


def spend_asked(span: Span) -> Asked:
    """The statement that says what was spent in each bucket."""
    parameters = span.parameters(currency=span.project.currency)
    return Asked(spend_sql({"bucket": span.bucket_sql()}), parameters, ("bucket", "spend", "unconverted"))


def _payers_given(span: Span) -> dict[str, Any]:
    return span.parameters(**payers_parameters(span.project, span.first, span.after))


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
          AND r.occurred_at >= p.occurred_at - make_interval(hours => 24 * :days)
          AND r.occurred_at <= p.occurred_at + make_interval(hours => 24 * :days)
          -- Of what is given back an index knows the time.
          AND r.occurred_at >= CAST(:from AS timestamptz) - make_interval(hours => 24 * :days)
          AND r.occurred_at < CAST(:to AS timestamptz) + make_interval(hours => 24 * :days)
        GROUP BY 1, 2, p.entry_id, p.amount HAVING sum(r.amount) >= p.amount
    )
"""
"""Payments from :from up to :to given back in full within :days days. By clocks that are wrong, that may be before them."""


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


def undone_asked(span: Span) -> Asked:
    """Asks for those of the persons with a first payment whom `payers_sql` leaves out, by bucket."""
    sql = f"""
        WITH {_UNDONE}
        SELECT {span.bucket_sql()} AS bucket, count(*) AS persons FROM (
            SELECT DISTINCT u.person_id, (u.occurred_at AT TIME ZONE :zone)::date AS day
            FROM undone u JOIN persons ON persons.person_id = u.person_id AND persons.first_payment_at = u.occurred_at
            WHERE persons.project_id = :project AND u.occurred_at >= :from AND u.occurred_at < :to
        ) AS people GROUP BY 1
    """
    return Asked(sql, _payers_given(span), ("bucket", "persons"))


def payers_parameters(project: Project, first: date, after: date) -> dict[str, Any]:
    """What `payers_sql` needs for the local days from `first` up to the day before `after`."""
    return {
        "project": project.id,
        "zone": project.zone.key,
        "from": start_of_day(first, project.zone),
        "to": start_of_day(after, project.zone),
        "days": REFUND_WINDOW_DAYS,
    }

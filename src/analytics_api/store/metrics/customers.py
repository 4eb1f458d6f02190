"""What is known of each customer's purchases and of each cohort's stay: what the models of domain/prediction.py are fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Project
from analytics_api.store.metrics.revenue import converted, rate_join, utc_day
from analytics_api.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Customer:
    """One person's purchases until a day. A day with several is one purchase."""

    person_id: UUID
    user_id: str | None
    first_day: date
    last_day: date
    purchase_days: int
    revenue: Decimal
    """Of all purchases, in the project's currency; those without an exchange rate or amount count 0."""
    later_revenue: Decimal
    """The same without the first day's."""


@dataclass(frozen=True, slots=True)
class Customers:
    """At most as many as were asked for, chosen by their ids, which are random, so that they stand for all."""

    chosen: list[Customer]
    all: int


async def customers(
    connection: AsyncConnection, project: Project, as_of: date, most: int, *, include_bots: bool
) -> Customers:
    """Who has bought by the end of the local day `as_of`."""
    sql = f"""
        WITH days AS (
            SELECT coalesce(m.canonical_id, p.person_id) AS person_id, p.day, sum(coalesce({converted("p", "r")}, 0)) AS amount
            FROM payments p {rate_join("p", "r", utc_day("p"))} LEFT JOIN person_merges m ON m.person_id = p.person_id
            WHERE p.project_id = :project AND p.day <= :as_of AND p.kind = 'payment' AND p.has_person AND (:bots OR NOT p.is_bot)
            GROUP BY 1, 2
        ), purchases AS (
            SELECT person_id, min(day) AS first_day, max(day) AS last_day, count(*) AS purchase_days, sum(amount) AS revenue,
                   sum(amount) - (array_agg(amount ORDER BY day))[1] AS later_revenue
            FROM days GROUP BY person_id
        )
        SELECT purchases.*, persons.user_id, count(*) OVER () AS everybody
        FROM purchases LEFT JOIN persons USING (person_id) ORDER BY person_id LIMIT :most
    """
    rows = await fetch(
        connection,
        sql,
        {
            "project": project.id,
            "as_of": as_of,
            "bots": include_bots,
            "currency": project.currency,
            "most": most,
        },
    )
    chosen = [
        Customer(
            row.person_id,
            row.user_id,
            row.first_day,
            row.last_day,
            row.purchase_days,
            row.revenue,
            row.later_revenue,
        )
        for row in rows
    ]
    return Customers(chosen, rows[0].everybody if rows else 0)


_PERIODS_SINCE = {
    "weekly": "({later} - {first}) / 7",
    "monthly": "(extract(year FROM age({later}, {first})) * 12 + extract(month FROM age({later}, {first})))::integer",
    "yearly": "extract(year FROM age({later}, {first}))::integer",
}
STAY_PERIODS = tuple(_PERIODS_SINCE)


async def survivors(
    connection: AsyncConnection,
    project: Project,
    *,
    period: str,
    cohort: tuple[date, date],
    as_of: date,
    include_bots: bool,
) -> list[int]:
    """How many of the persons first seen on the days of `cohort` were there in their first period, second and so on.

    There in a period is who has any event in it or in a later one, renewals included. Periods are counted from each person's own first
    day; given are those that are over for everybody at the end of `as_of`.
    """
    since = _PERIODS_SINCE[period]
    first = "first_day_with_bots" if include_bots else "first_day"
    sql = f"""
        WITH cohort AS (
            SELECT person_id, {first} AS first_day FROM persons
            WHERE project_id = :project AND {first} BETWEEN CAST(:start AS date) AND CAST(:end AS date)
        ), stays AS (
            SELECT c.person_id, max({since.format(later="d.day", first="c.first_day")}) AS period
            FROM cohort c JOIN person_days d ON d.person_id = c.person_id AND d.day >= c.first_day AND d.day <= :as_of
            GROUP BY c.person_id
        ), ended AS (
            SELECT {since.format(later="CAST(:as_of AS date) + 1", first="max(first_day)")} AS periods FROM cohort
        )
        SELECT number, (SELECT count(*) FROM stays WHERE period >= number) AS persons
        FROM ended, generate_series(0, ended.periods - 1) AS number ORDER BY number
    """
    parameters: dict[str, Any] = {"project": project.id, "start": cohort[0], "end": cohort[1], "as_of": as_of}
    return [row.persons for row in await fetch(connection, sql, parameters)]

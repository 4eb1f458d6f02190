"""Active persons: by bucket, over rolling windows, and as a share (definitions, sections 1 and 2)."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.period import Period
from analytics_api.store.metrics.figure import Figure, Span, count, counts, ratio, rows_of
from analytics_api.store.statements import Asked, fetch

_LONGEST = 30
"""Days of a rolling window."""


def active_column(span: Span) -> str:
    """The column of `person_days` that says whether a person was active."""
    return "active_with_bots" if span.include_bots else "active"


async def active_persons(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Distinct persons with an active event in each day, week or month."""
    days = f"FROM person_days WHERE project_id = :project AND day >= :first AND day < :after AND {active_column(span)}"
    if span.period is Period.DAILY:
        if span.first == span.last == span.today and not span.raw:
            now = await _rolling_now(connection, span, 1)
            if now is not None:
                return {span.first: count(now)}
        return await counts(connection, span, f"SELECT day, count(*) {days} GROUP BY day")
    # Two steps, because count(DISTINCT ...) sorts every row and this hashes them.
    people = f"SELECT {span.bucket_sql()} AS bucket, person_id {days} GROUP BY 1, 2"
    return await counts(
        connection, span, f"SELECT bucket, count(*) FROM ({people}) AS people GROUP BY bucket"
    )


async def rolling(connection: AsyncConnection, span: Span, days: int) -> dict[date, Figure]:
    """Distinct persons with an active event in the `days` local days that end with each day."""
    if span.first == span.last == span.today and not span.raw:
        now = await _rolling_now(connection, span, days)
        if now is not None:
            return {span.first: count(now)}
    # A person counts from an active day until `days` later or the next active day, which begins anew: entries minus
    # exits, summed up, give every day's window in one pass over the person's days.
    sql = f"""
        WITH stays AS (
            SELECT day AS entered, least(day + CAST(:days AS integer), lead(day) OVER (PARTITION BY person_id ORDER BY day)) AS left_on
            FROM person_days
            WHERE project_id = :project AND day >= :earliest AND day < :after AND {active_column(span)}
        ), moves AS (
            SELECT entered AS day, count(*) AS persons FROM stays GROUP BY entered
            UNION ALL
            SELECT left_on, -count(*) FROM stays GROUP BY left_on
        )
        SELECT bucket, persons FROM (
            SELECT calendar.day::date AS bucket, sum(coalesce(sum(moves.persons), 0)) OVER (ORDER BY calendar.day) AS persons
            FROM generate_series(CAST(:earliest AS date)::timestamp, CAST(:last AS date)::timestamp, interval '1 day') AS calendar (day)
            LEFT JOIN moves ON moves.day = calendar.day::date
            GROUP BY calendar.day
        ) AS windows WHERE bucket >= :first
    """
    earliest = span.first - timedelta(days=days - 1)
    return await counts(connection, span, sql, days=days, earliest=earliest, last=span.last)


def last_active_asked(span: Span) -> Asked:
    """The statement behind windows that end today."""
    return Asked(
        "SELECT day, persons, persons_with_bots FROM last_active_days WHERE project_id = :project AND day >= :earliest",
        {"project": span.project.id, "earliest": span.today - timedelta(days=_LONGEST - 1)},
        ("day", "persons", "persons_with_bots"),
    )


async def _rolling_now(connection: AsyncConnection, span: Span, days: int) -> int | None:
    """The window that ends today, from the histogram of last active days: at most `days` rows whatever the traffic.

    None when somebody's last active day is still to come (a client's clock may be 5 minutes ahead at midnight).
    """
    memory = {} if span.memory is None else span.memory
    key = "last active days", span.today
    if key not in memory:
        memory[key] = await rows_of(connection, span.memory, last_active_asked(span))
    persons = 2 if span.include_bots else 1
    if any(row[persons] for row in memory[key] if row.day > span.today):
        return None
    return int(sum(row[persons] for row in memory[key] if row.day > span.today - timedelta(days=days)))


async def weekly_rolling(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Rolling 7 days."""
    return await rolling(connection, span, 7)


async def monthly_rolling(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Rolling 30 days."""
    return await rolling(connection, span, 30)


async def stickiness(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Active persons of the day / those of the 30 days that end with it."""
    daily = await active_persons(connection, span)
    monthly = await rolling(connection, span, 30)
    return {bucket: ratio(daily[bucket].value, monthly[bucket].value) for bucket in span.buckets()}


async def user_churn(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Of the persons active in the week or month before, those not active in this one (definitions, section 5a)."""
    sql = f"""
        WITH visits AS (
            SELECT DISTINCT {span.bucket_sql()} AS bucket, person_id FROM person_days
            WHERE project_id = :project AND day >= :earlier AND day < :after AND {active_column(span)}
        ), base AS (
            SELECT {span.following_sql("bucket")} AS bucket,
                   lead(bucket) OVER (PARTITION BY person_id ORDER BY bucket) AS next_visit
            FROM visits
        )
        SELECT bucket, count(*) AS base, count(*) FILTER (WHERE next_visit IS DISTINCT FROM bucket) AS churned
        FROM base WHERE bucket < :after GROUP BY bucket
    """
    rows = await fetch(connection, span.sql(sql), span.parameters(earlier=span.from_earlier(1).first))
    found = {row.bucket: ratio(row.churned, row.base) for row in rows}
    return {bucket: found.get(bucket, ratio(0, 0)) for bucket in span.buckets()}

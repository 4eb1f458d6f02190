"""New persons, registrations and payers (definitions, sections 3 and 8)."""

from __future__ import annotations

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.period import start_of_day
from analytics_api.store.metrics.figure import Figure, Span, counting, counts
from analytics_api.store.statements import Asked


async def new_persons(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first event of any kind."""
    return await _by_first(connection, span, "first_day_with_bots" if span.include_bots else "first_day")


async def new_registrations(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first signup_completed."""
    return await _by_first(connection, span, "first_signup_day")


def registrations_asked(span: Span) -> Asked:
    """The statement behind `new_registrations`."""
    return counting(span, _by_first_sql(span, "first_signup_day"))


async def new_payers(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first payment above 0."""
    zone = span.project.zone
    sql = f"""
        SELECT {span.bucket_sql()} AS bucket, count(*) FROM (
            SELECT (first_payment_at AT TIME ZONE :zone)::date AS day FROM persons
            WHERE project_id = :project AND first_payment_at >= :from AND first_payment_at < :to
        ) AS payers GROUP BY 1
    """
    stretch = {"from": start_of_day(span.first, zone), "to": start_of_day(span.after, zone)}
    return await counts(connection, span, sql, zone=zone.key, **stretch)


async def _by_first(connection: AsyncConnection, span: Span, column: str) -> dict[date, Figure]:
    return await counts(connection, span, _by_first_sql(span, column))


def _by_first_sql(span: Span, column: str) -> str:
    return f"""
        SELECT {span.bucket_sql(column)} AS bucket, count(*) FROM persons
        WHERE project_id = :project AND {column} >= :first AND {column} < :after GROUP BY 1
    """

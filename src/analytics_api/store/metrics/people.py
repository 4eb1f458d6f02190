"""New persons, registrations and payers (definitions, sections 3 and 8)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.period import start_of_day
from analytics_api.store.metrics.figure import Figure, Span, counted_in, counting, counts, rows_of
from analytics_api.store.statements import Asked


async def new_persons(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first event of any kind."""
    column = "first_day_with_bots" if span.include_bots else "first_day"
    sql = f"""
        SELECT {span.bucket_sql(column)} AS bucket, count(*) FROM persons
        WHERE project_id = :project AND {column} >= :first AND {column} < :after GROUP BY 1
    """
    return await counts(connection, span, sql)


async def new_registrations(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first signup_completed."""
    return counted_in(span, await rows_of(connection, span.memory, registrations_asked(span)))


def registrations_asked(span: Span) -> Asked:
    """The statement behind `new_registrations`."""
    sql = f"""
        SELECT {span.bucket_sql("first_signup_day")} AS bucket, count(*) FROM {signups_sql(span)} AS signups GROUP BY 1
    """
    return counting(span, sql, **signups_parameters(span))


def signups_sql(span: Span) -> str:
    """FROM for the persons who first signed up in a span, with `first_signup_at`, `first_signup_day` and `first_payment_at`.

    `persons` keeps the first signup that is no bot's; that of anybody is among the first times of all types of event.
    """
    if not span.include_bots:
        return """(
            SELECT person_id, first_signup_at, first_signup_day, first_payment_at FROM persons
            WHERE project_id = :project AND first_signup_day >= :first AND first_signup_day < :after)"""
    return f"""(
        SELECT p.person_id, f.first_at_with_bots AS first_signup_at, p.first_payment_at,
               (f.first_at_with_bots AT TIME ZONE :signup_zone)::date AS first_signup_day
        FROM person_firsts f JOIN persons p USING (person_id)
        WHERE f.project_id = :project AND f.event_type = '{EventType.SIGNUP_COMPLETED.value}'
          -- `first_at`, which has the index, is of bots alone NULL, and never before `first_at_with_bots`.
          AND (f.first_at >= :signups_from OR f.first_at IS NULL)
          AND f.first_at_with_bots >= :signups_from AND f.first_at_with_bots < :signups_to)"""


def signups_parameters(span: Span) -> dict[str, Any]:
    """What `signups_sql` needs."""
    if not span.include_bots:
        return {}
    zone = span.project.zone
    return {
        "signup_zone": zone.key,
        "signups_from": start_of_day(span.first, zone),
        "signups_to": start_of_day(span.after, zone),
    }


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

"""New persons and new registrations (definitions, section 3)."""

from __future__ import annotations

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.metrics.figure import Figure, Span, counts


async def new_persons(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first event of any kind."""
    return await _by_first(connection, span, "first_day_with_bots" if span.include_bots else "first_day")


async def new_registrations(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Persons by the bucket of their first signup_completed."""
    return await _by_first(connection, span, "first_signup_day")


async def _by_first(connection: AsyncConnection, span: Span, column: str) -> dict[date, Figure]:
    sql = f"""
        SELECT {span.bucket_sql(column)} AS bucket, count(*) FROM persons
        WHERE project_id = :project AND {column} >= :first AND {column} < :after GROUP BY 1
    """
    return await counts(connection, span, sql)

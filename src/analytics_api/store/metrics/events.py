"""Counts of events and sessions."""

from __future__ import annotations

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.store.metrics.figure import Compute, Figure, Span, counts, ratio
from analytics_api.store.statements import fetch


async def all_events(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """All events, those without a person included."""
    sql = f"""
        SELECT {span.bucket_sql()} AS bucket, sum(events) FROM event_days
        WHERE project_id = :project AND day >= :first AND day < :after AND (:bots OR NOT is_bot) GROUP BY 1
    """
    return await counts(connection, span, sql, bots=span.include_bots)


def events_of(kind: EventType) -> Compute:
    """Counts events of one type."""

    async def compute(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
        sql = f"""
            SELECT {span.bucket_sql()} AS bucket, sum(events) FROM event_days
            WHERE project_id = :project AND day >= :first AND day < :after
              AND event_type = :kind AND (:bots OR NOT is_bot)
            GROUP BY 1
        """
        return await counts(connection, span, sql, kind=kind.value, bots=span.include_bots)

    return compute


async def sessions(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """Sessions by the bucket of their start."""
    sql = f"""
        SELECT {span.bucket_sql()} AS bucket, count(*) FROM sessions
        WHERE project_id = :project AND day >= :first AND day < :after AND (:bots OR NOT is_bot) GROUP BY 1
    """
    return await counts(connection, span, sql, bots=span.include_bots)


async def average_session_seconds(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
    """How long the sessions that start in a bucket last on average; one of a single event lasts 0 s."""
    sql = f"""
        SELECT {span.bucket_sql()} AS bucket, sum(extract(epoch FROM ended_at - started_at)) AS seconds, count(*) AS sessions
        FROM sessions
        WHERE project_id = :project AND day >= :first AND day < :after AND (:bots OR NOT is_bot) GROUP BY 1
    """
    rows = await fetch(connection, span.sql(sql), span.parameters(bots=span.include_bots))
    found = {row.bucket: ratio(row.seconds, row.sessions) for row in rows}
    return {bucket: found.get(bucket, ratio(0, 0)) for bucket in span.buckets()}

"""Persons of a week or month by what they did before: new, current, resurrected, dormant (definitions, section 5a)."""

from __future__ import annotations

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.metrics.activity import active_column
from analytics_api.store.metrics.figure import Compute, Figure, Span, count
from analytics_api.store.statements import fetch

STAGES = ("new", "current", "resurrected", "dormant")


def lifecycle(stage: str) -> Compute:
    """Computes one of STAGES. Its details hold the others, so that active = new + current + resurrected can be seen."""

    async def compute(connection: AsyncConnection, span: Span) -> dict[date, Figure]:
        found = await _stages(connection, span)
        return {
            bucket: count(stages[stage], **{name: stages[name] for name in STAGES if name != stage})
            for bucket, stages in found.items()
        }

    return compute


async def _stages(connection: AsyncConnection, span: Span) -> dict[date, dict[str, int]]:
    key = ("lifecycle", span.period, span.first, span.last, span.include_bots)
    if span.memory is not None and key in span.memory:
        kept: dict[date, dict[str, int]] = span.memory[key]
        return kept
    active = active_column(span)
    sql = f"""
        WITH visits AS (
            SELECT {span.bucket_sql()} AS bucket, person_id FROM person_days
            WHERE project_id = :project AND day >= :earlier AND day < :after AND {active} GROUP BY 1, 2
        ), neighbours AS (
            SELECT bucket, person_id, following, lag(following) OVER person AS expected, lead(bucket) OVER person AS next_bucket
            FROM (SELECT *, {span.following_sql("bucket")} AS following FROM visits) AS visits
            WINDOW person AS (PARTITION BY person_id ORDER BY bucket)
        ), came AS (
            SELECT n.bucket, n.bucket IS NOT DISTINCT FROM n.expected AS current, n.expected IS NOT NULL OR EXISTS (
                       SELECT 1 FROM person_days d WHERE d.person_id = n.person_id AND d.day < n.bucket AND d.{active}
                   ) AS known
            FROM neighbours n WHERE n.bucket >= :first
        )
        SELECT bucket, count(*) FILTER (WHERE NOT known) AS new, count(*) FILTER (WHERE current) AS current,
               count(*) FILTER (WHERE known AND NOT current) AS resurrected, 0 AS dormant FROM came GROUP BY bucket
        UNION ALL
        SELECT following, 0, 0, 0, count(*) FROM neighbours
        WHERE next_bucket IS DISTINCT FROM following AND following >= :first AND following < :after GROUP BY following
    """
    rows = await fetch(connection, span.sql(sql), span.parameters(earlier=span.from_earlier(1).first))
    found = {bucket: dict.fromkeys(STAGES, 0) for bucket in span.buckets()}
    for row in rows:
        for stage in STAGES:
            found[row.bucket][stage] += getattr(row, stage)
    if span.memory is not None:
        span.memory[key] = found
    return found

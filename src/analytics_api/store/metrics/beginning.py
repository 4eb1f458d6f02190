"""What is looked up of a project before any of its figures, and stretches of kept ones."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.metrics.days import DirtyDay
from analytics_api.store.metrics.stored import StoredFigure
from analytics_api.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Beginning:
    """How far a project's days reach, and which closed ones have changed."""

    first_day: date | None
    sealed_until: date | None
    changed: list[DirtyDay]


async def look_up(connection: AsyncConnection, project: Project) -> Beginning:
    """All of it in one statement: every answer begins with it."""
    [row] = await fetch(
        connection,
        """
        WITH dirty AS (
            SELECT array_agg(day ORDER BY day, cause) AS days, array_agg(cause ORDER BY day, cause) AS causes,
                   array_agg(events ORDER BY day, cause) AS events
            FROM dirty_days WHERE project_id = :project
        )
        SELECT (SELECT min(day) FROM event_days WHERE project_id = :project) AS first_day,
               (SELECT min(day) FROM project_days WHERE project_id = :project) AS first_closed,
               (SELECT max(day) FROM project_days WHERE project_id = :project AND state = 'sealed') AS sealed_until,
               days, causes, events
        FROM dirty
        """,
        {"project": project.id},
    )
    found = zip(row.days or (), row.causes or (), row.events or (), strict=True)
    changed = [DirtyDay(*each) for each in found]
    if row.first_day is not None and row.first_closed is not None and row.first_day < row.first_closed:
        # History came in before the first closed day and is not closed yet; kept figures do not know of it.
        yesterday = row.first_closed - timedelta(days=1)
        changed += [DirtyDay(row.first_day, "backfill", 0), DirtyDay(yesterday, "backfill", 0)]
    return Beginning(row.first_day, row.sealed_until, changed)


@dataclass(frozen=True, slots=True)
class KeptStretch:
    """All kept figures of a metric from a first to a last bucket."""

    first: date
    last: date
    figures: dict[date, StoredFigure]


@dataclass(frozen=True, slots=True)
class Settled:
    """Buckets whose points are all kept and untouched."""

    first: date
    last: date
    key: Hashable
    """All that their points are made of: with an equal key they are equal."""


async def first_day_in(
    connection: AsyncConnection, project: Project, first_day: date | None, zone: ZoneInfo
) -> date | None:
    """The first day with an event, in another zone than the project's."""
    if first_day is None:
        return None
    first: datetime | None = await connection.scalar(
        text(
            "SELECT min(occurred_at) FROM events WHERE project_id = :project AND occurred_at >= :lower AND occurred_at < :upper"
        ),
        {
            "project": project.id,
            "lower": start_of_day(first_day, project.zone) - timedelta(hours=2),
            "upper": start_of_day(first_day + timedelta(days=1), project.zone) + timedelta(hours=2),
        },
    )
    return first_day if first is None else local_day(first, zone)

"""A project's time zone: which one it is now, and the change to another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg

from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project


async def with_current_zone(connection: asyncpg.Connection, project: Project) -> Project:
    """The project with the zone that it has now. It changes under the lease of the rollup reader only."""
    zone = await connection.fetchval("SELECT time_zone FROM projects WHERE id = $1", project.id)
    return project if zone in (None, project.zone.key) else replace(project, zone=ZoneInfo(zone))


async def switch_zone(
    connection: asyncpg.Connection, project: Project, before: ZoneInfo, *, upto: int, now: datetime
) -> None:
    """Give a project the zone that `project` says, instead of `before`; a step of a rebuild, which makes the days again.

    Days that are sealed stay, and so does a day of the new zone whose events are partly gone: it is sealed, too.
    """
    await connection.execute("UPDATE projects SET time_zone = $2 WHERE id = $1", project.id, project.zone.key)
    sealed = await connection.fetchval(
        "SELECT max(day) FROM project_days WHERE project_id = $1 AND state = 'sealed'", project.id
    )
    if sealed is not None:
        gone_until = start_of_day(sealed + timedelta(days=1), before)
        await connection.execute(
            "UPDATE project_days SET state = 'sealed' WHERE project_id = $1 AND day > $2 AND day <= $3",
            project.id,
            sealed,
            local_day(gone_until - timedelta(microseconds=1), project.zone),
        )
    # It may be an earlier day now, and then the last closed one is not over.
    await connection.execute(
        "DELETE FROM project_days WHERE project_id = $1 AND day >= $2 AND state <> 'sealed'",
        project.id,
        local_day(now, project.zone),
    )

"""Another time zone for a project: its days are made again from the log, those whose events are gone stay as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg

from analytics_api.aggregate.rebuild import RebuildReport, Shown, rebuild_project
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.domain.zones import zone_names
from analytics_api.errors import Unprocessable
from analytics_api.store.engine import Database
from analytics_api.store.zones import switch_zone


async def change_zone(
    database: Database,
    project: Project,
    zone: str,
    owner: str,
    *,
    shown: Shown = lambda *_: None,
    clock: Clock = system_clock,
) -> tuple[Project, RebuildReport | None]:
    """Change the zone and make all days that are not sealed again; without events there are none (None).

    Everything goes on meanwhile; until it is done, answers mix days of both zones. Stopped midway, do it again. Figures are the
    caller's to make again. Raises Unprocessable for no zone, and Conflict as a rebuild does.
    """
    if zone not in zone_names():
        raise Unprocessable(f"time_zone {zone!r} is no IANA time zone such as Europe/Berlin.")
    there = replace(project, zone=ZoneInfo(zone))
    now = clock()
    # Days of the former zone may be a day ahead, and their rows must go as well.
    last = max(local_day(now, each.zone) for each in (project, there)) + timedelta(days=1)

    async def switch(connection: asyncpg.Connection, to: Project, *, upto: int, now: datetime) -> None:
        await switch_zone(connection, to, project.zone, upto=upto, now=now)

    report = await rebuild_project(
        database, there, owner, last=last, shown=shown, clock=clock, first_step=switch
    )
    return there, report if report.days else None

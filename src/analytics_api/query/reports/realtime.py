"""Who is there now (S4, live counters): from events of the last minutes that the rollups have counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.query.metrics import as_utc
from analytics_api.query.reports.measures import events, persons, rows
from analytics_api.store.reports.table import By, table
from analytics_api.store.reports.visits import active_by_minute, people
from analytics_api.store.reports.window import Window

NOW_MINUTES = 5
"""Somebody is there now who did something in the last five minutes."""
MINUTES = 30
MOST = 10


async def live_counters(connection: AsyncConnection, half_hour: Window) -> dict[str, Any]:
    """The answer of GET /live for the last 30 minutes."""
    project, now, bots = half_hour.project, half_hour.now, half_hour.include_bots
    present = Window.of_hours(project, NOW_MINUTES / 60, now, include_bots=bots)
    counted = {row.minute: row for row in await active_by_minute(connection, half_hour)}
    this = now.replace(second=0, microsecond=0)
    minutes = [this - timedelta(minutes=back) for back in reversed(range(MINUTES))]
    wanted = {"users": persons(), "events": events()}
    viewed = {"users": persons(EventType.PAGE_VIEW.value), "views": events(EventType.PAGE_VIEW.value)}
    places = {
        "pages": ("path", By.path("event_data.path", "context.page.path", known=True), viewed),
        "countries": ("country", By.path("context.country", known=True), wanted),
        "sources": ("channel", By.path("context.source.channel", known=True), wanted),
    }
    return {
        "as_of": as_utc(now),
        "active_now": (await people(connection, present)).active,
        "active_30_minutes": (await people(connection, half_hour)).active,
        "minutes": [
            {
                "minute": as_utc(minute),
                "events": counted[minute].events if minute in counted else 0,
                "users": counted[minute].persons if minute in counted else 0,
            }
            for minute in minutes
        ],
        **{
            name: rows(await table(connection, present, by, measures, limit=MOST), column)
            for name, (column, by, measures) in places.items()
        },
    }


async def realtime(connection: AsyncConnection, half_hour: Window) -> dict[str, Any]:
    """The answer of GET /realtime: the live counters, and who was active in the last hour and day."""
    project, now, bots = half_hour.project, half_hour.now, half_hour.include_bots
    hour = Window.of_hours(project, 1, now, include_bots=bots)
    day = Window.of_hours(project, 24, now, include_bots=bots)
    return {
        "active_users_1h": (await people(connection, hour)).active,
        "active_users_24h": (await people(connection, day)).active,
        **await live_counters(connection, half_hour),
    }

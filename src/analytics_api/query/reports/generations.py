"""Metalise's answers (S3): visits and generations in the shape of its `/api/analytics`, and generations in detail."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.filters import EVERY_EVENT
from analytics_api.domain.measures import Of
from analytics_api.query.reports.downloads import daily
from analytics_api.query.reports.measures import (
    events,
    number,
    percentiles,
    persons,
    rows,
    share,
    values,
    window_answer,
)
from analytics_api.store.reports.lifetime import lifetime
from analytics_api.store.reports.table import By, table, totals
from analytics_api.store.reports.window import Window

DAYS = 7
MOST = 20
VISIT = EventType.PAGE_VIEW.value
COMPLETED, FAILED = EventType.GENERATION_COMPLETED.value, EventType.GENERATION_FAILED.value
_TRIED = {"total": events(COMPLETED, FAILED), "successful": events(COMPLETED), "failed": events(FAILED)}


async def summary(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """The answer of GET /summary. `window`: the last seven days; the newest comes first."""
    ever = await lifetime(connection, window.project.id, (VISIT, COMPLETED, FAILED))
    measures = {
        "unique_visitors": persons(VISIT),
        "total_visits": events(VISIT),
        "successful_generations": events(COMPLETED),
        "failed_generations": events(FAILED),
    }
    days = list(reversed(await daily(connection, window, measures, EVERY_EVENT)))
    today = {name: value for name, value in days[0].items() if name != "date"}
    successful, failed = ever.events[COMPLETED], ever.events[FAILED]
    people = window.project.counted_as(date.min, window.last)
    return {
        **({} if people is None else {"counted_as": people}),
        "total": {
            "visits": ever.events[VISIT],
            "unique_visitors": ever.visitors,
            "successful_generations": successful,
            "failed_generations": failed,
            "total_generations": successful + failed,
        },
        "today": {
            **today,
            "total_generations": today["successful_generations"] + today["failed_generations"],
        },
        "last_7_days": days,
    }


def summary_window(window: Window) -> Window:
    """The seven local days that end with the window's."""
    first = window.last - timedelta(days=DAYS - 1)
    return Window.of_dates(window.project, first, window.last, window.now, include_bots=window.include_bots)


async def generations(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """The answer of GET /generations."""
    found = await totals(connection, window, _TRIED)
    duration = "event_data.duration_ms"
    time = {
        "average": number(Of.AVERAGE, duration, COMPLETED, FAILED),
        **percentiles(duration, COMPLETED, FAILED),
    }
    with_text = By.path("event_data.has_text", "event_data.text_included")
    return {
        "window": window_answer(window),
        **values(found),
        "success_rate": share(found["successful"], found["total"]),
        "text_included": rows(await table(connection, window, with_text, _TRIED), "text_included"),
        "types": rows(
            await table(connection, window, By.path("event_data.generation_type"), _TRIED, limit=MOST),
            "generation_type",
        ),
        "errors": rows(
            await table(
                connection, window, By.path("event_data.error"), {"failed": events(FAILED)}, limit=MOST
            ),
            "error",
        ),
        "processing_ms": values(await totals(connection, window, time)),
        "daily": await daily(connection, window, _TRIED, EVERY_EVENT),
    }

"""Mixbot's answer (S2): uploads, choices, analyses, feedback, ratings, and how well it all works."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.measures import Of
from analytics_api.query.reports.measures import (
    events,
    number,
    percentiles,
    persons,
    rows,
    share,
    values,
    where,
    window_answer,
)
from analytics_api.query.reports.traffic import uptime_answer
from analytics_api.store.reports.table import By, table, totals
from analytics_api.store.reports.visits import came_back, people, sessions
from analytics_api.store.reports.window import Window

MOST = 20
UPLOAD, ANALYSED, FAILED = "file_uploaded", "analysis_completed", "analysis_failed"
FEEDBACK, RATED = "feedback_downloaded", "rating_given"
_WELL, _BADLY = where("event_data.success is_not false"), where("event_data.success is false")
_SECONDS = "event_data.seconds"
_STEPS = {
    "uploaded": persons(UPLOAD),
    "analysed": persons(ANALYSED, only=_WELL),
    "downloaded_feedback": persons(FEEDBACK),
}
_COUNTS = {
    "completed": events(ANALYSED, only=_WELL),
    "failed_at_the_end": events(ANALYSED, only=_BADLY),
    "failed": events(FAILED),
    "feedback_downloads": events(FEEDBACK),
}


async def usage(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """The answer of GET /usage."""
    seen, visits = await people(connection, window), await sessions(connection, window)
    found = await totals(connection, window, _COUNTS)
    completed = int(found["completed"] or 0)
    failed = int(found["failed"] or 0) + int(found["failed_at_the_end"] or 0)
    duration = values(
        await totals(
            connection,
            window,
            {"average": number(Of.AVERAGE, _SECONDS, ANALYSED), **percentiles(_SECONDS, ANALYSED)},
        )
    )
    return {
        "window": window_answer(window),
        "users": {
            "active": seen.active,
            "new": seen.new,
            "returning": seen.active - seen.new,
            "returning_rate": share(seen.active - seen.new, seen.active),
            "came_back": await came_back(connection, window),
        },
        "sessions": visits.sessions,
        "uploads": await _uploads(connection, window),
        "daws": await _choices(connection, window, "daw_selected", "daw"),
        "genres": await _choices(connection, window, "genre_detected", "genre"),
        "analyses": {
            "total": completed + failed,
            "completed": completed,
            "failed": failed,
            "completion_rate": share(completed, completed + failed),
            "seconds": duration,
        },
        "feedback_downloads": found["feedback_downloads"],
        "workflow": values(await totals(connection, window, _STEPS)),
        "ratings": await _ratings(connection, window),
        "technical": {
            "error_rate": share(failed, completed + failed),
            "seconds": duration,
            "uptime": await uptime_answer(connection, window),
        },
    }


async def _uploads(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    size = "event_data.size"
    measures = {
        "total": events(UPLOAD),
        "users": persons(UPLOAD),
        "bytes": number(Of.SUM, size, UPLOAD),
        "average_bytes": number(Of.AVERAGE, size, UPLOAD),
        "largest_bytes": number(Of.MAXIMUM, size, UPLOAD),
    }
    by_type = await table(connection, window, By.path("event_data.type"), measures, limit=MOST)
    return {**values(await totals(connection, window, measures)), "types": rows(by_type, "type")}


async def _choices(connection: AsyncConnection, window: Window, kind: str, name: str) -> list[dict[str, Any]]:
    by = By.path("event_data.value", f"event_data.{name}", known=True)
    chosen = {"times": events(kind), "users": persons(kind)}
    return rows(await table(connection, window, by, chosen, limit=MOST), name)


async def _ratings(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    rated = {"total": events(RATED), "average": number(Of.AVERAGE, "event_data.rating", RATED)}
    by = By.path("event_data.rating", known=True)
    stars = await table(connection, window, by, {"total": events(RATED)}, limit=MOST)
    return {**values(await totals(connection, window, rated)), "by_rating": rows(stars, "rating")}

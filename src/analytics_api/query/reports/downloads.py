"""EvRemixes' answer (S0): downloads, who made them, of what and how they went."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import AllOf
from analytics_api.domain.period import Period, buckets
from analytics_api.query.metrics import as_utc
from analytics_api.query.reports.measures import events, persons, rows, share, values, where, window_answer
from analytics_api.store.event_pages import EventChoice, latest
from analytics_api.store.reports.table import DAY, By, table, totals
from analytics_api.store.reports.window import Window

KIND = "download"
RECENT = 10
MOST = 20
_DONE = where("event_data.success is true")
_MEASURES = {
    "downloads": events(KIND),
    "successful": events(KIND, only=_DONE),
    "unique_users": persons(KIND),
}
_PROPERTIES = {
    "formats": "format",
    "versions": "version",
    "platforms": "platform",
    "python_versions": "python_version",
    "tracks": "track_name",
}


async def downloads(connection: AsyncConnection, window: Window, filters: AllOf) -> dict[str, Any]:
    """The answer of GET /downloads. A download is successful when it says `success: true`."""
    found = await totals(connection, window, _MEASURES, filters=filters)
    by_session = By.path("session_id", known=True)
    visits = await table(
        connection, window, by_session, {"downloads": events(KIND)}, filters=filters, limit=1
    )
    return {
        "window": window_answer(window),
        "total": found["downloads"],
        "successful": found["successful"],
        "unique_users": found["unique_users"],
        "active_sessions": visits.all,
        "success_rate": share(found["successful"], found["downloads"]),
        **{
            name: rows(
                await table(
                    connection, window, By.path(f"event_data.{key}"), _MEASURES, filters=filters, limit=MOST
                ),
                key,
            )
            for name, key in _PROPERTIES.items()
        },
        "countries": rows(
            await table(
                connection,
                window,
                By.path("context.country", known=True),
                _MEASURES,
                filters=filters,
                limit=MOST,
            ),
            "country",
        ),
        "daily": await daily(connection, window, _MEASURES, filters),
        "recent": await _recent(connection, window, filters),
    }


async def daily(
    connection: AsyncConnection, window: Window, measures: dict[str, Any], filters: AllOf
) -> list[dict[str, Any]]:
    """One entry for each local day that the window touches, in order, also for those without events."""
    found = await table(connection, window, DAY, measures, filters=filters, limit=10_000)
    known = {row.key: row.values for row in found.rows}
    nothing = dict.fromkeys(measures, 0)
    return [
        {"date": day.isoformat(), **values(known.get(day.isoformat(), nothing))}
        for day in buckets(window.first, window.last, Period.DAILY)
    ]


async def _recent(connection: AsyncConnection, window: Window, filters: AllOf) -> list[dict[str, Any]]:
    choice = EventChoice(
        window.project.id, (KIND,), filters, window.begins, window.ends, include_bots=window.include_bots
    )
    return [
        {
            "occurred_at": as_utc(row.occurred_at),
            "person_id": str(row.person_id) if row.has_person else None,
            "session_id": row.session_id,
            **{key: orjson.loads(row.event_data).get(key) for key in (*_PROPERTIES.values(), "success")},
        }
        for row in await latest(connection, choice, RECENT)
    ]

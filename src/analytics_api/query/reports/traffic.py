"""GET /api-traffic: requests to the API and to applications that note theirs, and how they went."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.measures import Measure, Of
from analytics_api.query.reports.measures import (
    events,
    number,
    percentiles,
    plain,
    rows,
    share,
    values,
    where,
    window_answer,
)
from analytics_api.store.reports.table import By, table, totals
from analytics_api.store.reports.traffic import (
    ROUTE,
    ROUTE_AND_STATUS,
    counted_requests,
    done_by_affected,
    uptime,
)
from analytics_api.store.reports.window import Window

MOST = 50
KIND = EventType.API_REQUEST.value
_DURATION = "event_data.duration_ms"
_CLIENT = where("event_data.status between [400, 499]")
_TIMES = {
    "average": number(Of.AVERAGE, _DURATION, KIND),
    **percentiles(_DURATION, KIND),
    "slowest": number(Of.MAXIMUM, _DURATION, KIND),
}
_MEASURES: dict[str, Measure] = {
    "requests": events(KIND),
    "client_errors": events(KIND, only=_CLIENT),
    "errors": events(KIND, only=where("event_data.status >= 500")),
    **_TIMES,
}
_SLOWEST_FIRST = {"p95": _MEASURES["p95"], **_MEASURES}


async def api_traffic(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """The answer. Times are in milliseconds; those of counted requests have no percentiles."""
    noted = await totals(connection, window, _MEASURES)
    counted = await counted_requests(connection, window)
    by_status: Counter[int] = Counter()
    for row in counted:
        by_status[row.status] += int(row.requests)
    requests = int(noted["requests"] or 0) + by_status.total()
    errors = int(noted["errors"] or 0) + sum(n for status, n in by_status.items() if status >= 500)
    client_errors = int(noted["client_errors"] or 0) + sum(
        n for status, n in by_status.items() if 400 <= status < 500
    )
    return {
        "window": window_answer(window),
        "requests": requests,
        "errors": errors,
        "client_errors": client_errors,
        "error_rate": share(errors, requests),
        "uptime": await uptime_answer(connection, window),
        "milliseconds": values({name: noted[name] for name in _TIMES}),
        "routes": _rated(rows(await table(connection, window, ROUTE, _MEASURES, limit=MOST), "route")),
        "slowest_routes": _rated(
            rows(await table(connection, window, ROUTE, _SLOWEST_FIRST, limit=10), "route")
        ),
        "callers": _rated(
            rows(
                await table(connection, window, By.path("event_data.caller"), _MEASURES, limit=MOST), "caller"
            )
        ),
        "client_error_reasons": await _reasons(connection, window, counted),
        "counted": [_counted(row) for row in counted[:MOST]],
        "affected_people": await _affected(connection, window),
    }


async def uptime_answer(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """Of the minutes with requests the share in which not all failed."""
    found = await uptime(connection, window)
    return {"numerator": found.up, "denominator": found.minutes, "value": share(found.up, found.minutes)}


def _rated(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups with requests, with their rate of errors."""
    return [{**row, "error_rate": share(row["errors"], row["requests"])} for row in listed if row["requests"]]


async def _reasons(connection: AsyncConnection, window: Window, counted: list[Any]) -> list[dict[str, Any]]:
    refused = {"requests": events(KIND, only=_CLIENT)}
    found: Counter[tuple[int, str]] = Counter()
    for each in (await table(connection, window, ROUTE_AND_STATUS, refused, limit=1000)).rows:
        if each.values["requests"]:
            status, _, route = (each.key or "").partition(" ")
            found[(int(status), route)] += int(each.values["requests"])
    for row in counted:
        if 400 <= row.status < 500:
            found[(row.status, f"{row.method} {row.route}")] += int(row.requests)
    listed = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"status": status, "reason": _phrase(status), "route": route, "requests": number_of}
        for (status, route), number_of in listed[:MOST]
    ]


def _phrase(status: int) -> str | None:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request" if status == 499 else None


def _counted(row: Any) -> dict[str, Any]:
    return {
        "method": row.method,
        "route": row.route,
        "status": row.status,
        "caller": row.caller,
        "requests": int(row.requests),
        "average": plain(row.seconds * 1000 / row.requests),
        "slowest": plain(row.slowest * 1000),
    }


async def _affected(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    done = await done_by_affected(connection, window, 20)
    return {
        "people": done[0].affected,
        "events": [
            {"event_type": row.event_type, "events": row.events, "users": row.users}
            for row in done
            if row.event_type is not None
        ],
    }

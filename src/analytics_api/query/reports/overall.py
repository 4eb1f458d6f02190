"""CloudFace's overview (S4): visits, actions, shares, places, sources, pages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.measures import Measure, Of
from analytics_api.domain.metrics import METRICS_BY_NAME
from analytics_api.query.reports.measures import (
    events,
    number,
    persons,
    plain,
    rows,
    share,
    values,
    where,
    window_answer,
)
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.reports.table import By, Number, Row, table, totals
from analytics_api.store.reports.visits import Pages, Sessions, pages, people, sessions
from analytics_api.store.reports.window import Window

CHANNELS = ("whatsapp", "email", "qr", "link")
"""Those that S4 names; they are listed also without a share."""
MOST = 10
DOWNLOADED = ("photo_downloaded", "photos_downloaded")
_UNNUMBERED = where("event_data.count not_exists")
_FOUND = where('{"any_of": [{"path": "event_data.matches_found", "op": ">", "value": 0}, '
               '{"path": "event_data.success", "op": "is", "value": true}]}')  # fmt: skip

ACTIONS: dict[str, Measure] = {
    "photos_processed": number(Of.SUM, "event_data.processed_count", "photo_processed"),
    "links_created": events("link_created"),
    "_downloads": number(Of.SUM, "event_data.count", *DOWNLOADED),
    "_single_downloads": events(*DOWNLOADED, only=_UNNUMBERED),
    "searches": events("search_performed"),
    "searches_with_a_match": events("search_performed", only=_FOUND),
    "shares": events("share"),
    "recipients": number(Of.SUM, "event_data.recipient_count", "share"),
    "sharers": persons("share"),
}
"""What a window's actions add up to. A share without `recipient_count` has reached nobody that is known of."""


async def overall(figures: Figures, window: Window) -> dict[str, Any]:
    """The answer of GET /overall."""
    connection = figures.connection
    hour, day = window.of_last_hours(1), window.of_last_hours(24)
    seen = await people(connection, window)
    visits = await sessions(connection, window)
    found = await totals(connection, window, ACTIONS)
    popular = await pages(connection, window, MOST)
    return {
        "window": window_answer(window),
        "active_users_1h": (await people(connection, hour)).active,
        "active_users_24h": (await people(connection, day)).active,
        "active_users": seen.active,
        "new_users": seen.new,
        "returning_users": seen.active - seen.new,
        **session_answer(visits),
        "page_views": await _catalogue(figures, window, "page_views", EventType.PAGE_VIEW),
        "average_seconds_on_page": plain(_average(popular.seconds, popular.timed)),
        "actions": actions_answer(found),
        "shares": {
            **share_answer(found, seen.active),
            "by_channel": await _channels(figures, window),
        },
        "countries": await _countries(figures, window),
        "sources": await source_rows(connection, window, MOST),
        "popular_pages": page_rows(popular),
    }


async def _catalogue(figures: Figures, window: Window, metric: str, kind: EventType) -> Any:
    """A count of events: the catalogue's figure, or for the last hours and with filters the same from the log."""
    if window.rolling or window.filters.parts:
        return values(await totals(figures.connection, window, {"events": events(kind.value)}))["events"]
    points = await figures.points(
        METRICS_BY_NAME[metric], window.first, window.last, include_bots=window.include_bots
    )
    return plain(sum((point.figure.value or Decimal(0) for point in points), Decimal(0)))


def session_answer(visits: Sessions) -> dict[str, Any]:
    """Sessions and their average length."""
    return {
        "sessions": visits.sessions,
        "average_session_seconds": plain(_average(visits.seconds, visits.sessions)),
    }


def actions_answer(found: dict[str, Number]) -> dict[str, Any]:
    """Sums of what people did."""
    searches, matched = found["searches"], found["searches_with_a_match"]
    return {
        "photos_processed": plain(found["photos_processed"]),
        "links_created": found["links_created"],
        "photos_downloaded": plain((found["_downloads"] or 0) + (found["_single_downloads"] or 0)),
        "searches": {"total": searches, "successful": matched, "success_rate": share(matched, searches)},
    }


def share_answer(found: dict[str, Number], active: int) -> dict[str, Any]:
    """Shares, and how far they carry: virality is the people reached for each active person."""
    recipients, sharers = found["recipients"], found["sharers"]
    return {
        "total": found["shares"],
        "recipients": plain(recipients),
        "sharers": sharers,
        "sharing_rate": share(sharers, active),
        "virality": {
            "numerator": plain(recipients),
            "denominator": active,
            "value": share(recipients, active),
        },
    }


async def _channels(figures: Figures, window: Window) -> list[dict[str, Any]]:
    wanted = {name: ACTIONS[name] for name in ("shares", "recipients", "sharers")}
    found = await table(figures.connection, window, By.path("event_data.channel"), wanted, limit=100)
    known = {row.key for row in found.rows}
    nothing: dict[str, Number] = {"shares": 0, "recipients": 0, "sharers": 0}
    missing = [Row(name, nothing) for name in CHANNELS if name not in known]
    return [{"channel": row.key, **values(row.values)} for row in [*found.rows, *missing]]


async def _countries(figures: Figures, window: Window) -> list[dict[str, Any]]:
    wanted = {"users": persons(), "events": events()}
    found = await table(
        figures.connection, window, By.path("context.country", known=True), wanted, limit=MOST
    )
    return rows(found, "country")


async def source_rows(connection: AsyncConnection, window: Window, limit: int) -> dict[str, Any]:
    """Where page views came from: by channel, by site, and by the UTM parameters of links."""
    wanted = {
        "page_views": events(EventType.PAGE_VIEW.value),
        "users": persons(EventType.PAGE_VIEW.value),
    }
    places = {
        "channels": "channel",
        "sites": "site",
        "utm_sources": "utm_source",
        "utm_mediums": "utm_medium",
        "utm_campaigns": "utm_campaign",
    }
    return {
        name: rows(
            await table(
                connection, window, By.path(f"context.source.{key}", known=True), wanted, limit=limit
            ),
            key,
        )
        for name, key in places.items()
    }


def page_rows(found: Pages) -> list[dict[str, Any]]:
    """Pages as JSON."""
    return [
        {
            "path": page.path,
            "views": page.views,
            "visitors": page.visitors,
            "entries": page.entries,
            "exits": page.exits,
            "average_seconds": plain(_average(page.seconds, page.timed)),
        }
        for page in found.pages
    ]


def _average(total: Decimal, count: int) -> Decimal | None:
    return total / count if count else None

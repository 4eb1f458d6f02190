"""Answers as the API's documentation shows them."""

from __future__ import annotations

from typing import Any

Responses = dict[int | str, dict[str, Any]]


def example(value: Any, description: str = "The answer.") -> Responses:
    """For the parameter `responses` of a route."""
    kind = "array" if isinstance(value, list) else "object"
    return {
        200: {
            "description": description,
            "content": {"application/json": {"schema": {"type": kind}, "example": value}},
        }
    }


_WINDOW = {
    "from": "2026-02-19T00:00:00Z",
    "to": "2026-03-20T12:00:00Z",
    "first_day": "2026-02-19",
    "last_day": "2026-03-20",
    "rolling": False,
    "zone": "UTC",
    "include_bots": False,
}
_ACTIONS = {
    "photos_processed": 150,
    "links_created": 12,
    "photos_downloaded": 40,
    "searches": {"total": 20, "successful": 15, "success_rate": 0.75},
}
_LIVE = {
    "as_of": "2026-03-20T12:00:00Z",
    "active_now": 3,
    "active_30_minutes": 9,
    "minutes": [{"minute": "2026-03-20T12:00:00Z", "events": 4, "users": 2}],
    "pages": [{"path": "/", "users": 2, "views": 3}],
    "countries": [{"country": "DE", "users": 3, "events": 11}],
    "sources": [{"channel": "search", "users": 1, "events": 2}],
}
_PERSON = {
    "person_id": "0b2f3c1e-5d5c-5a52-8a1d-3c1f3c0b8c0f",
    "user_id": "ada",
    "anonymous_id": None,
    "first_seen_at": "2026-03-01T08:00:00Z",
    "last_seen_at": "2026-03-20T11:58:00Z",
    "sessions": 7,
    "average_session_seconds": 310.5,
    "events": 80,
    "page_views": 41,
    "shares": 2,
    "recipients": 6,
    **_ACTIONS,
}

OVERALL = example(
    {
        "window": _WINDOW,
        "active_users_1h": 4,
        "active_users_24h": 31,
        "active_users": 240,
        "new_users": 90,
        "returning_users": 150,
        "sessions": 610,
        "average_session_seconds": 284.2,
        "page_views": 2400,
        "average_seconds_on_page": 41.5,
        "actions": _ACTIONS,
        "shares": {
            "total": 30,
            "recipients": 96,
            "sharers": 24,
            "sharing_rate": 0.1,
            "virality": {"numerator": 96, "denominator": 240, "value": 0.4},
            "by_channel": [{"channel": "whatsapp", "shares": 20, "recipients": 80, "sharers": 15}],
        },
        "countries": [{"country": "DE", "users": 120, "events": 4000}],
        "sources": {
            "channels": [{"channel": "search", "page_views": 700, "users": 80}],
            "sites": [{"site": "Google", "page_views": 650, "users": 75}],
            "utm_sources": [{"utm_source": "newsletter", "page_views": 90, "users": 20}],
            "utm_mediums": [{"utm_medium": "email", "page_views": 90, "users": 20}],
            "utm_campaigns": [{"utm_campaign": "spring", "page_views": 90, "users": 20}],
        },
        "popular_pages": [
            {
                "path": "/",
                "views": 900,
                "visitors": 220,
                "entries": 400,
                "exits": 310,
                "average_seconds": 20.1,
            }
        ],
    }
)
USERS = example({"window": _WINDOW, "total": 240, "users": [_PERSON], "next_cursor": None})
USER = example(
    {
        "window": _WINDOW,
        **_PERSON,
        "properties": {"plan": "pro"},
        "first_touch": {"channel": "search", "site": "Google"},
        "event_types": [{"event_type": "page_view", "events": 41}],
        "popular_pages": [{"path": "/", "views": 20}],
        "latest_sessions": [
            {"started_at": "2026-03-20T11:50:00Z", "seconds": 480.0, "events": 9, "page_views": 5}
        ],
    }
)
REALTIME = example({"active_users_1h": 12, "active_users_24h": 31, **_LIVE})
LIVE = example(_LIVE)

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
    "user_id": "user123",
    "anonymous_id": "b1946ac9",
    "first_seen_at": "2026-03-01T08:00:00Z",
    "last_seen_at": "2026-03-20T11:58:00Z",
    "sessions": 14,
    "average_session_seconds": 301.5,
    "events": 120,
    "page_views": 60,
    "shares": 3,
    "recipients": 9,
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
_SHARE = {"downloads": 80, "successful": 78, "unique_users": 40}
DOWNLOADS = example(
    {
        "window": _WINDOW,
        "total": 120,
        "successful": 114,
        "unique_users": 61,
        "active_sessions": 70,
        "success_rate": 0.95,
        "formats": [{"format": "FLAC", **_SHARE}],
        "versions": [{"version": "Original", **_SHARE}],
        "platforms": [{"platform": "macOS", **_SHARE}],
        "python_versions": [{"python_version": "3.12.4", **_SHARE}],
        "tracks": [{"track_name": "Evanescence", **_SHARE}],
        "countries": [{"country": "DE", **_SHARE}],
        "daily": [{"date": "2026-03-20", "downloads": 4, "successful": 4, "unique_users": 3}],
        "recent": [
            {
                "occurred_at": "2026-03-20T11:58:00Z",
                "person_id": "0b2f3c1e-5d5c-5a52-8a1d-3c1f3c0b8c0f",
                "session_id": "20260320-115700",
                "format": "FLAC",
                "version": "Original",
                "platform": "macOS",
                "python_version": "3.12.4",
                "track_name": "Evanescence",
                "success": True,
            }
        ],
    }
)
SUMMARY = example(
    {
        "total": {
            "visits": 150,
            "unique_visitors": 75,
            "successful_generations": 45,
            "failed_generations": 12,
            "total_generations": 57,
        },
        "today": {
            "unique_visitors": 8,
            "total_visits": 15,
            "successful_generations": 5,
            "failed_generations": 2,
            "total_generations": 7,
        },
        "last_7_days": [
            {
                "date": "2025-12-15",
                "unique_visitors": 8,
                "total_visits": 15,
                "successful_generations": 5,
                "failed_generations": 2,
            }
        ],
    }
)
_TRIED = {"total": 57, "successful": 45, "failed": 12}
GENERATIONS = example(
    {
        "window": _WINDOW,
        **_TRIED,
        "success_rate": 0.789,
        "text_included": [{"text_included": "true", **_TRIED}],
        "types": [{"generation_type": "image", **_TRIED}],
        "errors": [{"error": "the text is longer than 40 characters", "failed": 12}],
        "processing_ms": {"average": 820.4, "p50": 700, "p95": 2100, "p99": 3900},
        "daily": [{"date": "2026-03-20", "total": 7, "successful": 5, "failed": 2}],
    }
)
_SECONDS = {"average": 2.1, "p50": 1.8, "p95": 4.4, "p99": 6.0}
_UPLOADS = {"total": 60, "users": 31, "bytes": 2_400_000, "average_bytes": 40_000, "largest_bytes": 90_000}
USAGE = example(
    {
        "window": _WINDOW,
        "users": {"active": 100, "new": 70, "returning": 30, "returning_rate": 0.3, "came_back": 45},
        "sessions": 140,
        "uploads": {**_UPLOADS, "types": [{"type": "wav", **_UPLOADS}]},
        "daws": [{"daw": "Reaper", "times": 30, "users": 22}],
        "genres": [{"genre": "House", "times": 25, "users": 20}],
        "analyses": {"total": 50, "completed": 49, "failed": 1, "completion_rate": 0.98, "seconds": _SECONDS},
        "feedback_downloads": 12,
        "workflow": {"uploaded": 31, "analysed": 28, "downloaded_feedback": 10},
        "ratings": {"total": 9, "average": 4.6, "by_rating": [{"rating": "5", "total": 7}]},
        "technical": {
            "error_rate": 0.02,
            "seconds": _SECONDS,
            "uptime": {"numerator": 9990, "denominator": 10_000, "value": 0.999},
        },
    }
)
_PAGE = {"path": "/", "views": 900, "visitors": 220, "entries": 400, "exits": 310, "average_seconds": 20.1}
PAGES = example({"window": _WINDOW, "total": 12, "pages": [_PAGE]})
_SOURCE = {"page_views": 90, "users": 20}
SOURCES = example(
    {
        "window": _WINDOW,
        "channels": [{"channel": "email", **_SOURCE}],
        "sites": [{"site": "newsletter", **_SOURCE}],
        "utm_sources": [{"utm_source": "newsletter", **_SOURCE}],
        "utm_mediums": [{"utm_medium": "email", **_SOURCE}],
        "utm_campaigns": [{"utm_campaign": "spring", **_SOURCE}],
    }
)
GEO = example(
    {
        "window": _WINDOW,
        "total": 1,
        "places": [{"country": "DE", "users": 120, "page_views": 900, "events": 4000}],
    }
)
SESSIONS = example(
    {
        "window": _WINDOW,
        "total": 610,
        "average_session_seconds": 284.2,
        "bounces": 200,
        "sessions": [
            {
                "person_id": "0b2f3c1e-5d5c-5a52-8a1d-3c1f3c0b8c0f",
                "user_id": "ada",
                "device": None,
                "started_at": "2026-03-20T11:50:00Z",
                "ended_at": "2026-03-20T11:58:00Z",
                "seconds": 480,
                "events": 9,
                "page_views": 5,
            }
        ],
        "next_cursor": None,
    }
)
EVENTS = example(
    {
        "events": [
            {
                "seq": 4711,
                "event_id": "0197c1de-7f6c-7d8a-b7bb-0a1f4b1e5a10",
                "event_type": "page_view",
                "person_id": "0b2f3c1e-5d5c-5a52-8a1d-3c1f3c0b8c0f",
                "user_id": "ada",
                "anonymous_id": None,
                "session_id": None,
                "event_data": {"path": "/"},
                "user_properties": None,
                "context": {"country": "DE"},
                "revenue": None,
                "currency": None,
                "occurred_at": "2026-03-20T11:58:00Z",
                "received_at": "2026-03-20T11:58:00.120000Z",
                "is_bot": False,
            }
        ],
        "next_cursor": 4711,
    }
)
_TIMES = {"average": 12.1, "p50": 8.0, "p95": 40.2, "p99": 95.5, "slowest": 310.0}
_REQUESTS = {"requests": 900, "client_errors": 12, "errors": 1, **_TIMES, "error_rate": 0.001}
TRAFFIC = example(
    {
        "window": _WINDOW,
        "requests": 5200,
        "errors": 1,
        "client_errors": 20,
        "error_rate": 0.0002,
        "uptime": {"numerator": 9990, "denominator": 10_000, "value": 0.999},
        "milliseconds": _TIMES,
        "routes": [{"route": "GET /api/v1/analytics/users/{id}", **_REQUESTS}],
        "slowest_routes": [{"route": "GET /api/v1/analytics/users/{id}", **_REQUESTS}],
        "callers": [{"caller": "read-key-3", **_REQUESTS}],
        "client_error_reasons": [
            {
                "status": 422,
                "reason": "Unprocessable Content",
                "route": "POST /api/v1/analytics/events",
                "requests": 8,
            }
        ],
        "counted": [
            {
                "method": "POST",
                "route": "/api/v1/analytics/events",
                "status": 202,
                "caller": "write-key-1",
                "requests": 4300,
                "average": 1.4,
                "slowest": 80.0,
            }
        ],
        "affected_people": {
            "people": 1,
            "events": [{"event_type": "generation_started", "events": 3, "users": 1}],
        },
    }
)
SCHEMA = example(
    {
        "event_types": [
            {
                "event_type": "download",
                "events": 120,
                "first_day": "2026-01-03",
                "last_day": "2026-03-20",
                "properties": [{"name": "format", "types": ["string"]}],
            }
        ],
        "export_columns": [{"name": "seq", "type": "integer"}],
        "sql_views": [{"view": "bi.events", "columns": [{"name": "project", "type": "text"}]}],
        "metrics": [{"metric_type": "dau", "period": "daily", "unit": "count"}],
    }
)

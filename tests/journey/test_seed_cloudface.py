"""CloudFace (S4): its calls with their arguments over HTTP, then every card, chart and list of its dashboard by its name.

Each answer is compared as a whole, so a field that is renamed, lost or added fails here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.journey.test_intake_http import api
from tests.support.seeds import WINDOW, ask, counted, send
from tests.support.serving import Served


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


ARRIVED = "https://cloudface-ai.com/?utm_source=newsletter&utm_medium=email&utm_campaign=spring"
FOUND = {"url": "https://cloudface-ai.com/search", "referrer": "https://www.google.com/"}
CLOUDFACE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("page_view", {"path": "/"}, {"page": {"url": ARRIVED}}),
    ("photo_processed", {"processed_count": 150, "total_files": 200}, {}),
    ("search_performed", {"matches_found": 25, "threshold_used": 0.5}, {}),
    ("search_performed", {"matches_found": 0, "threshold_used": 0.5}, {}),
    ("page_view", {"path": "/search"}, {"page": FOUND}),
    ("link_created", {"link": "https://cloudface-ai.com/s/abc123"}, {}),
    ("photo_downloaded", {"count": 40}, {}),
    ("share", {"channel": "email", "recipient_count": 1}, {}),
    ("share", {"channel": "qr", "recipient_count": 1}, {}),
    ("share", {"channel": "link", "recipient_count": 1}, {}),
]
"""What `user123` does, one thing every 20 seconds, in Germany."""
SHARED = {
    "session_id": "session456",
    "user_id": "user456",
    "share_type": "whatsapp",
    "share_data": {"link": "https://cloudface-ai.com/s/abc123"},
    "recipient_count": 5,
}
ACTIONS = {
    "photos_processed": 150,
    "links_created": 1,
    "photos_downloaded": 40,
    "searches": {"total": 2, "successful": 1, "success_rate": 0.5},
}
ONCE = {"page_views": 1, "users": 1}
CAMPAIGN = {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "spring"}


async def use_cloudface(server: Served) -> datetime:
    """Returns when it began."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    events = [
        {
            "event_type": kind,
            "user_id": "user123",
            "anonymous_id": "b1946ac9",
            "event_data": data,
            "context": {"country": "DE", **context},
            "timestamp": (began + timedelta(seconds=20 * place)).isoformat(),
        }
        for place, (kind, data, context) in enumerate(CLOUDFACE)
    ]
    await send(server, "/events", {"events": events})
    await send(server, "/track-share", SHARED)
    await counted(server)
    return began


OVERALL = {
    "active_users_1h": 2,
    "active_users_24h": 2,
    "active_users": 2,
    "new_users": 2,
    "returning_users": 0,
    "sessions": 2,
    # One of 180 seconds, one of a single event.
    "average_session_seconds": 90,
    "page_views": 2,
    "average_seconds_on_page": 80,
    "actions": ACTIONS,
    "shares": {
        "total": 4,
        "recipients": 8,
        "sharers": 2,
        "sharing_rate": 1.0,
        "virality": {"numerator": 8, "denominator": 2, "value": 4.0},
        "by_channel": [
            {"channel": "email", "shares": 1, "recipients": 1, "sharers": 1},
            {"channel": "link", "shares": 1, "recipients": 1, "sharers": 1},
            {"channel": "qr", "shares": 1, "recipients": 1, "sharers": 1},
            {"channel": "whatsapp", "shares": 1, "recipients": 5, "sharers": 1},
        ],
    },
    "countries": [{"country": "DE", "users": 1, "events": 10}],
    "sources": {
        "channels": [{"channel": "email", **ONCE}, {"channel": "search", **ONCE}],
        "sites": [{"site": "Google", **ONCE}, {"site": "newsletter", **ONCE}],
        "utm_sources": [{"utm_source": "newsletter", **ONCE}],
        "utm_mediums": [{"utm_medium": "email", **ONCE}],
        "utm_campaigns": [{"utm_campaign": "spring", **ONCE}],
    },
    "popular_pages": [
        {"path": "/", "views": 1, "visitors": 1, "entries": 1, "exits": 0, "average_seconds": 80},
        {"path": "/search", "views": 1, "visitors": 1, "entries": 0, "exits": 1, "average_seconds": None},
    ],
}


async def test_the_overview_and_the_lists_of_cloudface(server: Served) -> None:
    began = await use_cloudface(server)
    for days in (1, 7, 30, 90):
        answer = await ask(server, "/overall", days=days)
        window = answer.pop("window")
        assert list(window) == WINDOW
        assert window["rolling"] is (days == 1)
        assert answer == OVERALL, days

    people = await ask(server, "/users", days=30)
    assert list(people) == ["window", "total", "users", "next_cursor"]
    assert (people["total"], people["next_cursor"]) == (2, None)
    first, second = people["users"]
    whose = first.pop("person_id")
    assert first == {
        "user_id": "user123",
        "anonymous_id": "b1946ac9",
        "first_seen_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "last_seen_at": f"{began + timedelta(seconds=180):%Y-%m-%dT%H:%M:%SZ}",
        "sessions": 1,
        "average_session_seconds": 180,
        "events": 10,
        "page_views": 2,
        "shares": 3,
        "recipients": 3,
        **ACTIONS,
    }
    assert (second["user_id"], second["shares"], second["recipients"]) == ("user456", 1, 5)
    assert second.keys() == first.keys() | {"person_id"}

    # The document says /user/{user_id} for one person.
    for path in ("/user/user123", "/users/user123"):
        one = await ask(server, path, days=30)
        assert list(one.pop("window")) == WINDOW
        assert one.pop("first_touch").items() >= {"channel": "email", **CAMPAIGN}.items()
        assert one == {
            "person_id": whose,
            **first,
            "properties": {},
            "event_types": [
                {"event_type": "share", "events": 3},
                {"event_type": "page_view", "events": 2},
                {"event_type": "search_performed", "events": 2},
                {"event_type": "link_created", "events": 1},
                {"event_type": "photo_downloaded", "events": 1},
                {"event_type": "photo_processed", "events": 1},
            ],
            "popular_pages": [{"path": "/", "views": 1}, {"path": "/search", "views": 1}],
            "latest_sessions": [
                {"started_at": first["first_seen_at"], "seconds": 180.0, "events": 10, "page_views": 2}
            ],
        }


async def test_who_is_at_cloudface_now(server: Served) -> None:
    await use_cloudface(server)
    now = await ask(server, "/realtime")
    minutes = now.pop("minutes")
    assert {name: now[name] for name in ("active_users_1h", "active_users_24h", "active_30_minutes")} == {
        "active_users_1h": 2,
        "active_users_24h": 2,
        "active_30_minutes": 2,
    }
    assert list(now) == [
        "active_users_1h", "active_users_24h", "as_of", "active_now", "active_30_minutes", "pages", "countries", "sources",
    ]  # fmt: skip
    assert [list(minute) for minute in minutes] == [["minute", "events", "users"]] * 30
    assert sum(minute["events"] for minute in minutes) == len(CLOUDFACE) + 1

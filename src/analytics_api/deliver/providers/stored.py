"""What all providers read from a stored event, in the exact form that every attempt must repeat."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics_api.domain.event import StoredEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def json_object(text: str | None) -> dict[str, Any]:
    """A fresh object from a JSON column; builders of the official packages change what they are given."""
    value: dict[str, Any] = json.loads(text) if text else {}
    return value


# `json.dumps` with options of its own makes an encoder each time.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def json_bytes(value: object) -> bytes:
    """Compact JSON. Raises ValueError for NaN and infinity, which are no JSON."""
    return _encode(value).encode()


def text_at(value: dict[str, Any], *path: str) -> str | None:
    """A non-empty text inside nested objects, else None."""
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def first_text(value: dict[str, Any], *paths: tuple[str, ...]) -> str | None:
    """The first non-empty text that is found at one of the paths, else None."""
    return next((text for path in paths if (text := text_at(value, *path)) is not None), None)


def texts_at(
    value: dict[str, Any], places: Iterable[tuple[str, tuple[tuple[str, ...], ...]]]
) -> dict[str, str]:
    """For each name the first non-empty text at one of its paths, of one or two keys; names without any are left out."""
    found = {}
    for name, paths in places:
        for path in paths:
            text = value.get(path[0])
            if len(path) == 2:
                text = text.get(path[1]) if isinstance(text, dict) else None
            if text and isinstance(text, str):
                found[name] = text
                break
    return found


OS = (("os", "name"), ("os",))
COUNTRY = (("location", "country"), ("country",))
REGION = (("location", "region"), ("region",))
CITY = (("location", "city"), ("city",))
"""Where a context has these: as the sender says it, or else as intake found it out."""

_PAGE = tuple((f"page_{key}", (("page", key),)) for key in ("url", "path", "title", "referrer"))


def page_properties(context: dict[str, Any]) -> dict[str, str]:
    """The page an event happened on, as event properties."""
    return texts_at(context, _PAGE) if "page" in context else {}


def event_object(event: StoredEvent) -> dict[str, Any]:
    """The whole event under the names of POST /events, without loss."""
    return {
        "event_type": event.event_type,
        "event_id": str(event.event_id),
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "session_id": event.session_id,
        "timestamp": event.occurred_at.isoformat(),
        "event_data": json_object(event.event_data),
        "user_properties": json_object(event.user_properties),
        "context": json_object(event.context),
        "revenue": None if event.revenue is None else str(event.revenue),
        "currency": event.currency,
    }


def without_words_for(operations: dict[str, Any], spoken: Iterable[str]) -> dict[str, Any]:
    """The operations on user properties that a provider has no word for; they travel with the event as data."""
    known = set(spoken)
    return {name: value for name, value in operations.items() if name not in known and value}


def free_name(name: str, data: dict[str, Any], taken: frozenset[str]) -> str:
    """The name, or where the provider has taken it, the name with as many underscores behind it as it takes to be free."""
    while name in taken:
        name += "_"
        while name in data:
            name += "_"
    return name

"""What all providers read from a stored event, in the exact form that every attempt must repeat."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def json_object(text: str | None) -> dict[str, Any]:
    """A fresh object from a JSON column; builders of the official packages change what they are given."""
    value: dict[str, Any] = json.loads(text) if text else {}
    return value


def json_bytes(value: object) -> bytes:
    """Compact JSON. Raises ValueError for NaN and infinity, which are no JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def text_at(value: dict[str, Any], *path: str) -> str | None:
    """A non-empty text inside nested objects, else None."""
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


_PAGE = {"page_url": "url", "page_path": "path", "page_title": "title", "page_referrer": "referrer"}


def page_properties(context: dict[str, Any]) -> dict[str, str]:
    """The page an event happened on, as event properties."""
    found = {name: text_at(context, "page", key) for name, key in _PAGE.items()}
    return {name: value for name, value in found.items() if value is not None}

"""What all providers read from a stored event, in the exact form that every attempt must repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from analytics_api.domain.event import StoredEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


_decode = msgspec.json.Decoder().decode


def json_object(text: str | None) -> dict[str, Any]:
    """A fresh object from a JSON column; builders of the official packages change what they are given.

    Raises ValueError for a number beyond the largest float.
    """
    value: dict[str, Any] = _decode(text) if text else {}
    return value


json_bytes = msgspec.json.Encoder().encode
"""Compact JSON in UTF-8, whole numbers of any size included. A UUID becomes its text."""


def text_at(value: dict[str, Any], *path: str) -> str | None:
    """A non-empty text inside nested objects, else None."""
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def first_text(value: dict[str, Any], *paths: tuple[str, ...]) -> str | None:
    """The first non-empty text that is found at one of the paths, else None."""
    return next((text for path in paths if (text := text_at(value, *path)) is not None), None)


_Path = tuple[str, ...]


class Places:
    """Where texts are: names, each with its paths of one or two keys, of which the first that leads to a text counts."""

    def __init__(self, paths: Mapping[str, Iterable[_Path]]) -> None:
        self._below: dict[str, list[tuple[int, str, str | None]]] = {}
        ranked = enumerate((name, path) for name, given in paths.items() for path in given)
        for rank, (name, path) in ranked:
            entry = (rank, name, path[1] if len(path) == 2 else None)
            self._below.setdefault(path[0], []).append(entry)

    def texts(self, value: dict[str, Any]) -> dict[str, Any]:
        """The non-empty texts, by name and in the order of the names; names without any are left out."""
        hits = []
        # By what is there, for of all that could be there most is not.
        for key, inner in value.items():
            for rank, name, below in self._below.get(key, ()):
                text = inner
                if below is not None:
                    text = inner.get(below) if isinstance(inner, dict) else None
                if text and isinstance(text, str):
                    hits.append((rank, name, text))
        hits.sort()
        found: dict[str, Any] = {}
        for _, name, text in hits:
            found.setdefault(name, text)
        return found


OS = (("os", "name"), ("os",))
COUNTRY = (("location", "country"), ("country",))
REGION = (("location", "region"), ("region",))
CITY = (("location", "city"), ("city",))
"""Where a context has these: as the sender says it, or else as intake found it out."""

PAGE = {f"page_{key}": (("page", key),) for key in ("url", "path", "title", "referrer")}
"""The page an event happened on, as event properties."""


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

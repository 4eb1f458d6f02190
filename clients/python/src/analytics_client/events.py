"""From what a program says to the JSON of an event: ids, times, and values that JSON does not know."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
import time
from collections.abc import Mapping
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from random import Random
from typing import Any, Union

from analytics_client.pii import without_personal

Timestamp = Union[datetime, str, int, float]
"""A moment: a datetime (without a zone: local time), ISO 8601, or milliseconds since 1970."""

MOST_BYTES = 65_536
"""Of one event; the server's default limit."""
_OBJECTS = ("event_data", "user_properties", "context")


class InvalidEvent(ValueError):
    """An event that cannot be sent. Stays inside the client, which counts and logs it."""


_random = Random()  # noqa: S311 (ids are no secrets)
"""Seeded by the system, and not the one whose seed a program may set; a tenth of the cost of asking the system each time."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_event_id() -> str:
    """A new UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    random = _random.getrandbits(74)
    return f"{(milliseconds := time.time_ns() // 1_000_000) >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{random & 0xFFF:03x}-{0x8000 | random >> 12 & 0x3FFF:04x}-{random >> 32:012x}"


def encode(event: dict[str, Any], *, keep_pii: bool) -> bytes:
    """The JSON of an event, one line without its end. Raises InvalidEvent, naming the field and the fix."""
    if not isinstance(event["event_type"], str) or not event["event_type"]:
        raise InvalidEvent("event_type must be a text that names what happened, such as 'page_view'")
    for field in _OBJECTS:
        value = event.get(field)
        if value is None:
            continue
        if not isinstance(value, Mapping):
            raise InvalidEvent(f"{field} must be a dict, not {type(value).__name__}")
        event[field] = value if isinstance(value, dict) else dict(value)
    if isinstance(event.get("timestamp"), datetime):
        event["timestamp"] = _plain(event["timestamp"])
    try:
        if not keep_pii:
            _drop_personal(event)
        line = _dump(event)
    except RecursionError:
        raise InvalidEvent("the event is nested too deeply") from None
    if len(line) > MOST_BYTES:
        raise InvalidEvent(f"the event has {len(line)} bytes; the limit is {MOST_BYTES}: send less of it")
    return line


def _drop_personal(event: dict[str, Any]) -> None:
    for field in _OBJECTS:
        if event.get(field):
            event[field] = without_personal(event[field], field)


def _dump(event: dict[str, Any]) -> bytes:
    try:
        text = _encoder.encode(event)
    except (TypeError, ValueError):
        # NaN, keys that are no text, or a circle: rare, so only now is everything looked through.
        text = _encoder.encode(_mended(event, ()))
    # A lone surrogate (from a file name, say) has no UTF-8.
    return text.encode("utf-8", "replace")


def _plain(value: object) -> Any:
    """What JSON has no form for, in one that it has; anything unknown as its text."""
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.astimezone()).isoformat()
    if isinstance(value, (date, time_of_day)):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _mended(value: Any, above: tuple[int, ...]) -> Any:
    """A copy with text as keys, and null for numbers that JSON does not have. Raises InvalidEvent for a circle."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, (str, int, float, dict, list, tuple, type(None))):
        value = _plain(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) in above:
        raise InvalidEvent("the event holds an object that holds itself")
    above = (*above, id(value))
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): _mended(inner, above) for key, inner in value.items()
        }
    return [_mended(inner, above) for inner in value]


def text_of(value: object) -> str | None:
    """An id as text; None stays None."""
    return None if value is None else str(value)

"""A stored event as an event of the Measurement Protocol.

A request speaks of one client. What it says of that client (ids, user properties, place, device) is its head, and events
with the same head share a request.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from analytics_api.deliver.providers.ga4 import names
from analytics_api.deliver.providers.port import Payload, Rendered
from analytics_api.deliver.providers.stored import (
    CITY,
    COUNTRY,
    OS,
    first_text,
    json_bytes,
    json_object,
    milliseconds,
    text_at,
)
from analytics_api.domain.event import OWN_TYPES, EventType, StoredEvent
from analytics_api.domain.outcome import Dead, Skipped, SkipReason

LONGEST_ID = 256
OLDEST = timedelta(hours=72)
"""Google moves an older event to exactly this long ago."""

_PAGE = {"page_location": "url", "page_title": "title", "page_referrer": "referrer"}
_DEVICE = {
    "category": (("device", "type"), ("device",)),
    "brand": (("device", "brand"),),
    "model": (("device", "model"),),
    "operating_system": OS,
    "operating_system_version": (("os", "version"),),
    "browser": (("browser", "name"), ("browser",)),
    "browser_version": (("browser", "version"), ("browser_version",)),
    "language": (("locale",),),
}


def render(event: StoredEvent) -> Rendered:
    """One event. It must not arrive twice: Google recognises no repetition."""
    if event.event_type in OWN_TYPES:
        return Skipped(SkipReason.FILTER)
    if not event.has_person:
        return Skipped(SkipReason.NO_PERSON)
    identifies = event.event_type == EventType.IDENTIFY
    user_properties = _user_properties(event)
    if identifies and not user_properties:
        return Skipped(SkipReason.EMPTY)
    name = "identify" if identifies else names.usable_name(event.event_type, names.RESERVED_EVENTS)
    if name is None or len(name) > names.LONGEST_NAME:
        return Dead(
            f"not sent to GA4: the event type cannot be a name of at most {names.LONGEST_NAME} letters, digits and _"
        )
    head = _head(event, user_properties)
    if len(head["client_id"]) > LONGEST_ID or len(head.get("user_id", "")) > LONGEST_ID:
        return Dead(f"not sent to GA4: an id has more than {LONGEST_ID} characters")
    body = {"name": name, "timestamp_micros": _microseconds(event), "params": _params(event)}
    return [Payload(json_bytes(head).decode(), json_bytes(body), (head["client_id"],), once=True)]


def too_old(body: dict[str, Any], now: datetime) -> bool:
    """Whether Google would move the event to another time."""
    moment: int = body["timestamp_micros"]
    return moment < 1000 * milliseconds(now - OLDEST)


def _microseconds(event: StoredEvent) -> int:
    return milliseconds(event.occurred_at) * 1000 + event.occurred_at.microsecond % 1000


def _head(event: StoredEvent, user_properties: dict[str, Any]) -> dict[str, Any]:
    context = json_object(event.context)
    # A user without a browser has no client; the person's id is one and stays the same.
    head: dict[str, Any] = {"client_id": event.anonymous_id or str(event.person_id)}
    if event.user_id is not None:
        head["user_id"] = event.user_id
    if user_properties:
        head["user_properties"] = user_properties
    place = {"country_id": first_text(context, *COUNTRY), "city": first_text(context, *CITY)}
    parts: dict[str, dict[str, str | None]] = {
        "user_location": place,
        "device": {name: first_text(context, *paths) for name, paths in _DEVICE.items()},
    }
    for name, part in parts.items():
        said = {key: value[: names.LONGEST_VALUE] for key, value in part.items() if value is not None}
        if said:
            head[name] = said
    ip = text_at(context, "ip")
    if ip is not None and "user_location" not in head:
        head["ip_override"] = ip
    return head


def _user_properties(event: StoredEvent) -> dict[str, Any]:
    """What is set. Google has no words for the other operations."""
    given = json_object(event.user_properties).get("$set", {})
    pairs = names.scalars(
        given, names.LONGEST_USER_NAME, names.LONGEST_USER_VALUE, names.RESERVED_USER_PROPERTIES
    )
    return {name: {"value": value} for name, value in names.first_of(pairs, names.MOST).items()}


def _params(event: StoredEvent) -> dict[str, Any]:
    """What Google itself reads comes first, then as many of the event's own properties as fit."""
    # Without a time of engagement the event shows neither in Realtime nor as an active user.
    ours: dict[str, Any] = {"engagement_time_msec": 1}
    if event.session_id:
        ours["session_id"] = _session_number(event.session_id)
    if event.revenue is not None:
        ours |= {"value": float(event.revenue), "currency": event.currency}
    context = json_object(event.context)
    for name, key in _PAGE.items():
        text = text_at(context, "page", key)
        if text is not None:
            ours[name] = text[: names.LONGEST_VALUE]
    pairs = names.scalars(json_object(event.event_data), names.LONGEST_NAME, names.LONGEST_VALUE)
    return ours | names.first_of(pairs, names.MOST, ours)


def _session_number(session_id: str) -> str:
    """Digits, as Google wants them: the id itself, or a number that stands for it."""
    if session_id.isascii() and session_id.isdecimal() and len(session_id) <= 18:
        return session_id
    return str(int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:6], "big"))

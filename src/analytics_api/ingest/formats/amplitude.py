"""Amplitude: JSON lines of its Export API (unpack the ZIP archive; the files in it are read as they are).

Source of the fields: amplitude.com/docs/apis/analytics/export. Times there are UTC without a zone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from analytics_api.domain.event import EventType
from analytics_api.ingest.formats.jsonl import reader_of
from analytics_api.ingest.formats.names import without_dollar
from analytics_api.ingest.payloads import EventPayload

NO_SESSION = -1
"""What `session_id` says of events outside any session."""

_OPERATIONS = {
    "$set": "$set",
    "$setOnce": "$set_once",
    "$add": "$add",
    "$append": "$append",
    "$prepend": "$append",
    "$preInsert": "$append",
    "$postInsert": "$append",
    "$unset": "$unset",
}
"""Amplitude's operation -> ours. `$remove` and `$clearAll` have no counterpart and are left out."""

_TYPES = {"[Amplitude] Page Viewed": EventType.PAGE_VIEW.value}
_GROUP_IDENTIFY = "$groupidentify"
_PAGE = {
    "[Amplitude] Page Title": "title",
    "[Amplitude] Page Path": "path",
    # The second is the same with its query.
    "[Amplitude] Page URL": "url",
    "[Amplitude] Page Location": "url",
}
"""What the browser SDK adds to events of a page. The channel follows from it, and from `referrer` beside it."""
_CONTEXT = ("language", "platform", "os_name", "os_version", "device_family", "device_type", "version_name")
_LOCATION = ("country", "region", "city", "dma")
"""As words, not as ISO codes: kept apart from what this product finds out by the address."""


class _Export(msgspec.Struct):
    event_type: str
    event_time: str
    insert_id: str | None = msgspec.field(name="$insert_id", default=None)
    uuid: str | None = None
    user_id: str | int | None = None
    device_id: str | int | None = None
    session_id: int | None = None
    event_properties: dict[str, Any] | None = None
    user_properties: dict[str, Any] | None = None
    groups: dict[str, Any] | None = None
    ip_address: str | None = None
    language: str | None = None
    platform: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    device_family: str | None = None
    device_type: str | None = None
    version_name: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    dma: str | None = None


_decode = msgspec.json.Decoder(_Export).decode


def decode_amplitude(line: bytes) -> EventPayload | None:
    """One exported event; None for what is about a group and no person. Raises msgspec.DecodeError."""
    event = _decode(line)
    if event.event_type == _GROUP_IDENTIFY:
        return None
    data = event.event_properties or {}
    revenue = data.get("$revenue")
    return EventPayload(
        _TYPES.get(event.event_type) or without_dollar(event.event_type),
        {name: value for name, value in data.items() if name not in _PAGE},
        _operations(event.user_properties or {}),
        user_id=event.user_id,
        anonymous_id=event.device_id,
        session_id=None if event.session_id in (None, NO_SESSION) else str(event.session_id),
        event_id=event.insert_id or event.uuid,
        timestamp=event.event_time,
        context=_context(event),
        # Below 0 it is a refund, which is no captured payment.
        revenue=revenue if isinstance(revenue, int | float) and revenue >= 0 else None,
    )


def _context(event: _Export) -> dict[str, Any]:
    context: dict[str, Any] = {name: value for name in _CONTEXT if (value := getattr(event, name))}
    location = {name: value for name in _LOCATION if (value := getattr(event, name))}
    if location:
        context["location"] = location
    properties = event.event_properties or {}
    page = {ours: properties[theirs] for theirs, ours in _PAGE.items() if properties.get(theirs)}
    if page:
        context["page"] = {**page, "referrer": properties["referrer"]} if properties.get("referrer") else page
    if event.groups:
        context["groups"] = event.groups
    if event.ip_address:
        context["ip"] = event.ip_address
    return context


def _operations(given: dict[str, Any]) -> dict[str, Any]:
    """Operations as they were sent with `$identify`; other events carry a snapshot of all properties."""
    operations: dict[str, Any] = {}
    for name, value in given.items():
        if name in _OPERATIONS and isinstance(value, dict):
            operations.setdefault(_OPERATIONS[name], {}).update(value)
        elif not name.startswith("$"):
            operations.setdefault("$set", {})[name] = value
    return operations


read_amplitude = reader_of(decode_amplitude)

"""Segment: messages of the tracking API as JSON lines, as its warehouse of raw data (S3) and replays hold them.

Source of the fields: segment.com/docs/connections/spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from analytics_api.domain.event import EventType
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.formats.jsonl import reader_of
from analytics_api.ingest.payloads import EventPayload

ORDER_COMPLETED = "Order Completed"
"""The one event of Segment's commerce spec whose `revenue` has been paid; others name what may be paid."""

_PAGE_FIELDS = ("url", "path", "title", "referrer")


class _Message(msgspec.Struct, rename="camel"):
    type: str
    message_id: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    timestamp: str | int | None = None
    original_timestamp: str | int | None = None
    received_at: str | int | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Message).decode


def decode_segment(line: bytes) -> EventPayload:
    """The event of one message. Raises Rejected, or msgspec.DecodeError naming the field that is wrong."""
    message = _decode(line)
    convert = _KINDS.get(message.type)
    if convert is None:
        raise Rejected(f"type {message.type!r} is none of {', '.join(_KINDS)}")
    context = dict(message.context or {})
    traits = context.pop("traits", None)
    if "userAgent" in context:
        context["user_agent"] = context.pop("userAgent")
    payload = convert(message)
    payload.event_id = message.message_id
    payload.user_id = message.user_id
    payload.anonymous_id = message.anonymous_id
    payload.timestamp = message.timestamp or message.original_timestamp or message.received_at
    payload.context = {**context, **(payload.context or {})}
    if isinstance(traits, dict) and traits and payload.user_properties is None:
        payload.user_properties = {"$set": traits}
    return payload


def _track(message: _Message) -> EventPayload:
    if not message.event:
        raise Rejected("event is missing: a track message names what happened")
    payload = EventPayload(message.event, message.properties)
    properties = message.properties or {}
    revenue, currency = properties.get("revenue"), properties.get("currency")
    if message.event == ORDER_COMPLETED and isinstance(revenue, int | float | str):
        payload.revenue, payload.currency = revenue, currency if isinstance(currency, str) else None
    return payload


def _page(message: _Message) -> EventPayload:
    properties = message.properties or {}
    page = {field: properties[field] for field in _PAGE_FIELDS if properties.get(field)}
    named = {"page_name": message.name, "page_category": message.category}
    payload = EventPayload(EventType.PAGE_VIEW, {**properties, **_given(named)})
    if page:
        known = (message.context or {}).get("page")
        payload.context = {"page": {**(known if isinstance(known, dict) else {}), **page}}
    return payload


def _screen(message: _Message) -> EventPayload:
    named = {"screen_name": message.name, "screen_category": message.category}
    return EventPayload("screen_view", {**(message.properties or {}), **_given(named)})


def _identify(message: _Message) -> EventPayload:
    return EventPayload(EventType.IDENTIFY, user_properties={"$set": message.traits or {}})


def _group(message: _Message) -> EventPayload:
    """Belonging to a group is a property of the person; the group's own traits stay with the event."""
    if message.group_id is None:
        raise Rejected("groupId is missing: a group message names the group")
    return EventPayload(
        EventType.IDENTIFY,
        {"group_id": message.group_id, "group_traits": message.traits or {}},
        user_properties={"$set": {"group_id": message.group_id}},
    )


def _alias(message: _Message) -> EventPayload:
    if message.previous_id is None or message.user_id is None:
        raise Rejected("previousId or userId is missing: an alias message names both")
    return EventPayload(EventType.ALIAS, {"alias": str(message.previous_id)})


def _given(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


_KINDS: dict[str, Callable[[_Message], EventPayload]] = {
    "track": _track,
    "page": _page,
    "screen": _screen,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}

read_segment = reader_of(decode_segment)

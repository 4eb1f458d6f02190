"""Mixpanel: JSON lines of its raw event export.

Source of the fields: docs.mixpanel.com/reference/raw-event-export. `time` is in seconds, or in milliseconds when the
export was asked for them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from analytics_api.domain.event import EventType
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.formats.jsonl import reader_of
from analytics_api.ingest.formats.names import without_dollar
from analytics_api.ingest.payloads import EventPayload

DEVICE = "$device:"
"""Prefix of the distinct ids of persons who are known by their device only."""

SMALLEST_MILLISECONDS = 10**11
"""1973-03-03 in milliseconds; as seconds it is the year 5138."""

_TYPES = {"$mp_web_page_view": EventType.PAGE_VIEW.value, "$create_alias": EventType.ALIAS.value}
_MERGE = "$merge"
_CONTEXT = {
    "$browser": "browser",
    "$browser_version": "browser_version",
    "$os": "os",
    "$device": "device",
    "$city": "city",
    "$region": "region",
    "mp_country_code": "country",
    "$locale": "locale",
}
_PAGE = {
    "$current_url": "url",
    "current_url_path": "path",
    "current_page_title": "title",
    "$referrer": "referrer",
}
_USED = frozenset(
    (
        *("time", "distinct_id", "$user_id", "$device_id", "$insert_id", "$session_id", "token", "$import"),
        *("$identified_id", "$anon_id", "$distinct_ids"),
        *("mp_processing_time_ms", "$mp_api_timestamp_ms", "$mp_api_endpoint"),
    )
)
_HIDDEN = _USED | _CONTEXT.keys() | _PAGE.keys()


class _Export(msgspec.Struct):
    event: str
    properties: dict[str, Any]


_decode = msgspec.json.Decoder(_Export).decode


def decode_mixpanel(line: bytes) -> EventPayload:
    """One exported event. Raises Rejected, or msgspec.DecodeError naming the field that is wrong."""
    event = _decode(line)
    properties = event.properties
    payload = EventPayload(
        _TYPES.get(event.event) or without_dollar(event.event),
        {name: value for name, value in properties.items() if name not in _HIDDEN},
        session_id=_text(properties, "$session_id"),
        event_id=_text(properties, "$insert_id"),
        timestamp=_milliseconds(properties.get("time")),
        context=_context(properties),
    )
    if payload.event_type == EventType.PAGE_VIEW and "current_url_path" in properties:
        payload.event_data = {**(payload.event_data or {}), "path": properties["current_url_path"]}
    _put_person(event, payload)
    return payload


def _put_person(event: _Export, payload: EventPayload) -> None:
    properties = event.properties
    distinct = _text(properties, "distinct_id")
    device = _text(properties, "$device_id") or _text(properties, "$anon_id")
    user = _text(properties, "$user_id") or _text(properties, "$identified_id")
    if event.event == _MERGE:
        ids = properties.get("$distinct_ids")
        if not isinstance(ids, list) or len(ids) != 2:
            raise Rejected("properties.$distinct_ids does not hold two ids")
        payload.event_type, payload.event_data = EventType.ALIAS, {"alias": str(ids[1])}
        user = str(ids[0])
    elif distinct is not None and distinct.startswith(DEVICE):
        device = device or distinct.removeprefix(DEVICE)
    elif user is None and distinct != device:
        user = distinct
    payload.user_id, payload.anonymous_id = user, device


def _text(properties: dict[str, Any], name: str) -> str | None:
    value = properties.get(name)
    return None if value is None or value == "" else str(value)


def _milliseconds(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("properties.time is not a number of seconds or milliseconds")
    return round(value * 1000 if value < SMALLEST_MILLISECONDS else value)


def _context(properties: dict[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {
        ours: properties[theirs] for theirs, ours in _CONTEXT.items() if properties.get(theirs) is not None
    }
    page = {ours: properties[theirs] for theirs, ours in _PAGE.items() if properties.get(theirs)}
    if page:
        context["page"] = page
    return context


read_mixpanel = reader_of(decode_mixpanel)

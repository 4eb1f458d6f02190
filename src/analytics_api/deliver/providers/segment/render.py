"""A stored event as Segment's messages. Checked here, because Segment answers 200 to what it throws away.

Source: Segment's specification of `track` and `identify` and of their common fields.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from analytics_api.deliver.providers.port import Payload, Rendered
from analytics_api.deliver.providers.stored import json_bytes, json_object, without_words_for
from analytics_api.domain.event import OWN_TYPES, EventType, StoredEvent
from analytics_api.domain.outcome import Dead, Skipped, SkipReason

ENDPOINT = "batch"
LARGEST_MESSAGE = 32_000
"""Bytes; Segment says 32 KB and drops more without a word."""

_CAMPAIGN = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}
_PLACE = ("country", "region", "city")
_SPOKEN = ("$set", "$unset")


def render(event: StoredEvent) -> Rendered:
    """`identify` for the user properties, then `track`, in this order so that the event already has them."""
    if event.event_type in OWN_TYPES:
        return Skipped(SkipReason.FILTER)
    if not event.has_person:
        return Skipped(SkipReason.NO_PERSON)
    common = _common(event)
    messages = []
    if _identifies(event):
        messages.append(_identify(event, common))
    if event.event_type != EventType.IDENTIFY:
        messages.append(_track(event, common))
    if not messages:
        return Skipped(SkipReason.EMPTY)
    bodies = [json_bytes(message) for message in messages]
    largest = max(len(body) for body in bodies)
    if largest > LARGEST_MESSAGE:
        return Dead(f"not sent to Segment: a message has {largest} bytes; it takes {LARGEST_MESSAGE}")
    person = tuple(text for text in (event.user_id, event.anonymous_id) if text is not None)
    return [Payload(ENDPOINT, body, person) for body in bodies]


def _identifies(event: StoredEvent) -> bool:
    if event.user_properties and json_object(event.user_properties):
        return True
    # Without traits it still says that two ids are one person.
    both = event.user_id is not None and event.anonymous_id is not None
    return event.event_type == EventType.IDENTIFY and both


def _common(event: StoredEvent) -> dict[str, Any]:
    ids = {"userId": event.user_id, "anonymousId": event.anonymous_id}
    return {
        **{name: value for name, value in ids.items() if value is not None},
        # Without `sentAt`, from which Segment would compute another time for late events.
        "timestamp": event.occurred_at.isoformat(),
        "context": _context(event),
    }


def _track(event: StoredEvent, common: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if event.session_id is not None:
        about["session_id"] = event.session_id
    if event.revenue is not None:
        about |= {"revenue": float(event.revenue), "currency": event.currency}
    return {
        "type": "track",
        "messageId": str(event.event_id),
        **common,
        "event": event.event_type,
        "properties": {**about, **json_object(event.event_data)},
    }


def _identify(event: StoredEvent, common: dict[str, Any]) -> dict[str, Any]:
    operations = json_object(event.user_properties)
    traits = {**dict.fromkeys(operations.get("$unset", {})), **operations.get("$set", {})}
    others = without_words_for(operations, _SPOKEN)
    if others:
        common = {**common, "context": {**common["context"], "user_property_changes": others}}
    # An id of its own: under the event's Segment would take one of the two for a repetition.
    return {
        "type": "identify",
        "messageId": str(uuid5(event.event_id, "identify")),
        **common,
        "traits": traits,
    }


def _context(event: StoredEvent) -> dict[str, Any]:
    """The event's context under Segment's names; what Segment has no name for keeps ours."""
    context = json_object(event.context)
    if "user_agent" in context:
        context["userAgent"] = context.pop("user_agent")
    for name, inner in (("os", "name"), ("device", "type")):
        if isinstance(context.get(name), str):
            context[name] = {inner: context[name]}
    place = {name: context.pop(name) for name in _PLACE if name in context}
    if place and not isinstance(context.get("location"), dict):
        context["location"] = place
    source = context.get("source")
    if isinstance(source, dict) and "campaign" not in context:
        campaign = {ours: source[utm] for utm, ours in _CAMPAIGN.items() if utm in source}
        if campaign:
            context["campaign"] = campaign
    return {**context, "library": {"name": "analytics-api"}}

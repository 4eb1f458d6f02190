"""A stored event as PostHog's event. Checked here, because PostHog answers 200 to what it throws away."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from analytics_api.deliver.providers.port import Payload, Rendered
from analytics_api.deliver.providers.stored import (
    CITY,
    COUNTRY,
    OS,
    REGION,
    first_text,
    free_name,
    json_bytes,
    json_object,
    text_at,
    without_words_for,
)
from analytics_api.domain.event import OWN_TYPES, EventType, StoredEvent
from analytics_api.domain.outcome import Dead, Skipped, SkipReason

ENDPOINT = "batch"
LARGEST_EVENT = 1_000_000
LONGEST_ID = 200

FORBIDDEN_IDS = frozenset(
    {"0", "anonymous", "guest", "null", "none", "undefined", "true", "false", "nan", "id", "email", "user"}
    | {"system", "distinctid", "distinct_id", "not_authenticated", "[object object]"}
)
"""Ids in lower case under which PostHog joins nobody, because many strangers would share them."""

_CONTEXT = {
    "$current_url": (("page", "url"),),
    "$pathname": (("page", "path"),),
    "title": (("page", "title"),),
    "$referrer": (("page", "referrer"),),
    "$raw_user_agent": (("user_agent",),),
    "$browser": (("browser", "name"), ("browser",)),
    "$browser_version": (("browser", "version"), ("browser_version",)),
    "$os": OS,
    "$os_version": (("os", "version"),),
    "$device_type": (("device", "type"), ("device",)),
    "$app_version": (("app", "version"),),
    "$geoip_country_code": COUNTRY,
    "$geoip_subdivision_1_name": REGION,
    "$geoip_city_name": CITY,
}
_SPOKEN = ("$set", "$set_once", "$unset")
_TAKEN = frozenset(
    {
        *_SPOKEN,
        "distinct_id",
        "token",
        "$anon_distinct_id",
        "$process_person_profile",
        "$ip",
        "$geoip_disable",
    }
    | {"$group_type", "$group_key", "$group_set", "$groups", "$lib", "user_property_changes"}
)
"""Names by which PostHog is told what to do; an event's property of that name goes as `NAME_`."""


def render(event: StoredEvent) -> Rendered:
    """One event; user properties go along in it as `$set`, `$set_once` and `$unset`."""
    if event.event_type in OWN_TYPES:
        return Skipped(SkipReason.FILTER)
    if not event.has_person:
        return Skipped(SkipReason.NO_PERSON)
    distinct_id = event.user_id if event.user_id is not None else event.anonymous_id or ""
    problem = _problem(distinct_id)
    if problem is not None:
        return Dead(f"not sent to PostHog: {problem}")
    properties = _properties(event)
    if event.event_type == EventType.IDENTIFY:
        if event.user_id is not None and event.anonymous_id is not None:
            if _problem(event.anonymous_id) is None:
                properties["$anon_distinct_id"] = event.anonymous_id
        elif not event.user_properties:
            return Skipped(SkipReason.EMPTY)
    body = json_bytes(
        {
            "uuid": str(event.event_id),
            "event": event.event_type,
            "distinct_id": distinct_id,
            "timestamp": event.occurred_at.isoformat(),
            "properties": properties,
        }
    )
    if len(body) > LARGEST_EVENT:
        return Dead(f"not sent to PostHog: it has {len(body)} bytes; it takes {LARGEST_EVENT}")
    return [Payload(ENDPOINT, body, (distinct_id,))]


def _problem(distinct_id: str) -> str | None:
    if not distinct_id.strip() or distinct_id.strip().lower() in FORBIDDEN_IDS:
        return f"the id {distinct_id!r} is on its list of ids that name nobody"
    if len(distinct_id) > LONGEST_ID:
        return f"the id has {len(distinct_id)} characters; it takes {LONGEST_ID}"
    return None


def _properties(event: StoredEvent) -> dict[str, Any]:
    context = json_object(event.context)
    found = {name: first_text(context, *paths) for name, paths in _CONTEXT.items()}
    about: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    if event.session_id is not None:
        # PostHog's own sessions are UUIDs; any other text would not be taken for one.
        about["$session_id" if _is_uuid(event.session_id) else "session_id"] = event.session_id
    if event.revenue is not None:
        about |= {"revenue": float(event.revenue), "currency": event.currency}
    operations = json_object(event.user_properties)
    ours: dict[str, Any] = {name: operations[name] for name in _SPOKEN[:2] if operations.get(name)}
    if operations.get("$unset"):
        ours["$unset"] = list(operations["$unset"])
    others = without_words_for(operations, _SPOKEN)
    if others:
        ours["user_property_changes"] = others
    if not operations and event.user_id is None:
        # A profile for each visitor who never says who he is costs money and tells nothing.
        ours["$process_person_profile"] = False
    ip = text_at(context, "ip")
    # Without an address PostHog would take that of our server for the visitor's.
    ours |= {"$ip": ip} if ip is not None else {"$geoip_disable": True}
    data = json_object(event.event_data)
    given = {free_name(name, data, _TAKEN): value for name, value in data.items()}
    return {**about, **given, **ours, "$lib": "analytics-api"}


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

"""A stored event as Amplitude's events, as the official package's builders make them.

The builders drop what they do not like with no more than a log line. So values they would drop are put into a form they
take (said at `fitting`), and whatever is still missing afterwards makes the event a dead letter instead of a torso.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

from amplitude.constants import MAX_PROPERTY_KEYS, MAX_STRING_LENGTH
from amplitude.event import EVENT_KEY_MAPPING, BaseEvent, Identify
from amplitude.plugin import verify_event

from analytics_api.deliver.providers.port import Payload, Rendered
from analytics_api.deliver.providers.stored import (
    CITY,
    COUNTRY,
    OS,
    PAGE,
    REGION,
    Places,
    json_bytes,
    json_object,
    milliseconds,
)
from analytics_api.domain.event import OWN_TYPES, EventType, StoredEvent
from analytics_api.domain.outcome import Dead, Skipped, SkipReason

ENDPOINT = "batch"

FORBIDDEN_IDS = frozenset(
    {"0", "-1", "anonymous", "null", "none", "undefined", "unknown", "00000000-0000-0000-0000-000000000000"}
)
"""Refused by Amplitude whatever `min_id_length` says."""

_CONTEXT = {
    "ip": (("ip",),),
    "user_agent": (("user_agent",),),
    "platform": (("platform",),),
    "language": (("locale",),),
    "app_version": (("app", "version"),),
    "os_name": OS,
    "os_version": (("os", "version"),),
    "device_brand": (("device", "brand"),),
    "device_manufacturer": (("device", "manufacturer"),),
    "device_model": (("device", "model"),),
    "country": COUNTRY,
    "region": REGION,
    "city": CITY,
}
"""Amplitude's field: where the event's context has it, as the sender says it or else as intake found it out."""

_ADDED = {"user_id", "device_id", "event_type", "time", "insert_id", "session_id"}
_FIELDS = tuple(
    name
    for name in EVENT_KEY_MAPPING
    if name in {*_CONTEXT, *_ADDED, "revenue", "currency", "event_properties"}
)
"""The fields that are used here, in the builder's order."""

_ABOUT = Places(_CONTEXT)
_ON_PAGE = Places(PAGE)

_SHORTEST_SESSION = 10**12
"""Amplitude's session id is the start in epoch milliseconds; any other text goes along as an event property."""


class Lost(Exception):
    """The builder would drop something; the text says what."""


def render(event: StoredEvent) -> Rendered:
    """`$identify` for the user properties, then the event, in this order so that the event already has them."""
    if event.event_type in OWN_TYPES:
        return Skipped(SkipReason.FILTER)
    if not event.has_person:
        return Skipped(SkipReason.NO_PERSON)
    try:
        ids = _ids(event)
        bodies = _identify_bodies(event, ids)
        if event.event_type != EventType.IDENTIFY:
            bodies.append(_event_body(event, ids))
    except Lost as lost:
        return Dead(f"not sent to Amplitude: {lost}")
    if not bodies:
        return Skipped(SkipReason.EMPTY)
    person = tuple(ids.values())
    return [Payload(ENDPOINT, json_bytes(body), person) for body in bodies]


def _ids(event: StoredEvent) -> dict[str, str]:
    """user_id and device_id. A forbidden anonymous id is left out beside a user id: the user is known without it."""
    ids = {}
    if event.user_id is not None:
        if event.user_id in FORBIDDEN_IDS:
            raise Lost(f"user_id {event.user_id!r} is on its list of ids that name nobody")
        ids["user_id"] = event.user_id
    if event.anonymous_id is not None:
        if event.anonymous_id not in FORBIDDEN_IDS:
            ids["device_id"] = event.anonymous_id
        elif not ids:
            raise Lost(f"anonymous_id {event.anonymous_id!r} is on its list of ids that name nobody")
    return ids


def _event_body(event: StoredEvent, ids: dict[str, str]) -> dict[str, Any]:
    context = json_object(event.context)
    properties = {**_ON_PAGE.texts(context), **json_object(event.event_data)}
    fields: dict[str, Any] = {**ids, **_ABOUT.texts(context)}
    if event.session_id is not None:
        number = int(event.session_id) if event.session_id.isascii() and event.session_id.isdecimal() else 0
        if _SHORTEST_SESSION <= number < 10 * _SHORTEST_SESSION:
            fields["session_id"] = number
        else:
            properties.setdefault("session_id", event.session_id)
    if event.revenue is not None:
        fields["revenue"] = float(event.revenue)
        if event.currency is not None:
            fields["currency"] = event.currency
    fields["time"] = milliseconds(event.occurred_at)
    fields["insert_id"] = str(event.event_id)
    if is_plain(event):
        return _plain_body(event.event_type, fields, properties)
    return _build(event.event_type, **fields, event_properties=fitting(properties))


def is_plain(event: StoredEvent) -> bool:
    """Whether the builder finds nothing to check or to cut: all texts are short, and no property is a list.

    It takes two thirds of the time of rendering; almost all events are plain.
    """
    length = len(event.event_data) + len(event.context) + len(event.event_type)
    for text in (event.user_id, event.anonymous_id):
        if text == "":
            return False
        length += len(text or "")
    length += len(event.session_id or "")
    return length <= MAX_STRING_LENGTH and "[" not in event.event_data and event.event_type != ""


def _plain_body(event_type: str, fields: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """What `_build` makes of a plain event (a test compares)."""
    whole = {"event_type": event_type, **fields}
    whole["event_properties"] = {name: value for name, value in properties.items() if value is not None}
    return {name: whole[name] for name in _FIELDS if name in whole}


def _identify_bodies(event: StoredEvent, ids: dict[str, str]) -> list[dict[str, Any]]:
    if not event.user_properties:
        return []
    operations = json_object(event.user_properties)
    return [
        _build(
            EventType.IDENTIFY.value,
            **ids,
            time=milliseconds(event.occurred_at),
            insert_id=str(_identify_id(event.event_id, number)),
            user_properties=identify.user_properties,
        )
        for number, identify in enumerate(_identifies(operations))
    ]


def _identify_id(event_id: UUID, number: int) -> UUID:
    """An insert id of its own, for with the event's own one Amplitude would take one of the two for a repetition."""
    return uuid5(event_id, f"$identify {number}")


def _identifies(operations: dict[str, dict[str, Any]]) -> list[Identify]:
    """The operations in the order in which our own person takes them.

    One Identify takes each property once, so a later operation on the same property goes into a later Identify.
    """
    identifies: list[Identify] = []
    used: list[set[str]] = []
    for operation in ("$set_once", "$set", "$add", "$append", "$unset"):
        for name, value in operations.get(operation, {}).items():
            number = max((i + 1 for i, names in enumerate(used) if name in names), default=0)
            if number == len(identifies):
                identifies.append(Identify())
                used.append(set())
            used[number].add(name)
            _apply(identifies[number], operation, name, fitting(value))
    _check_whole(identifies, used)
    return identifies


def _check_whole(identifies: list[Identify], used: list[set[str]]) -> None:
    """Raise Lost when the builder has refused an operation, or will empty an object for its size."""
    for identify, names in zip(identifies, used, strict=True):
        held = {name for properties in identify.user_properties.values() for name in properties}
        if held != names:
            raise Lost(f"user properties {', '.join(sorted(names - held))} cannot be expressed")
        if len(names) > MAX_PROPERTY_KEYS:
            raise Lost(f"{len(names)} user properties at once; it takes {MAX_PROPERTY_KEYS}")


def _apply(identify: Identify, operation: str, name: str, value: Any) -> None:
    if operation == "$unset":
        identify.unset(name)
    elif operation == "$add":
        identify.add(name, value)
    elif operation == "$append":
        identify.append(name, value)
    elif operation == "$set":
        identify.set(name, value)
    else:
        identify.set_once(name, value)


def fitting(value: Any, *, in_list: bool = False) -> Any:
    """A JSON value in the form that Amplitude's builders take whole.

    Inside a list, null is left out and a list becomes JSON text. Texts are cut at 1024 characters by the builder, which
    is Amplitude's limit. Raises Lost for an object of more than 1024 keys, which the builder would empty.
    """
    if isinstance(value, dict):
        if len(value) > MAX_PROPERTY_KEYS:
            raise Lost(f"an object has {len(value)} keys; it takes {MAX_PROPERTY_KEYS}")
        return {name: fitting(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if in_list:
            return json.dumps(value, ensure_ascii=False)
        return [fitting(inner, in_list=True) for inner in value if inner is not None]
    return value


def _build(event_type: str, **fields: Any) -> dict[str, Any]:
    """The body of one event. Raises Lost when the builder drops a field."""
    event = BaseEvent(event_type, **fields)
    lost = [name for name, value in fields.items() if event[name] is None and value is not None]
    if lost:
        raise Lost(f"{', '.join(lost)} cannot be expressed")
    if not verify_event(event):
        raise Lost("it needs a user_id or an anonymous_id")
    body: dict[str, Any] = event.get_event_body()
    return body

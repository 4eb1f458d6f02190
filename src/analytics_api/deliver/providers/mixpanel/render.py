"""A stored event as Mixpanel's import record and profile updates, as the official package's builder makes them.

Mixpanel recognises a repetition by event name, time, distinct_id and $insert_id together, so all four come from the
stored row and never from the moment of sending.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from mixpanel import DatetimeSerializer, Mixpanel, __version__

from analytics_api.deliver.providers.port import Payload, Rendered
from analytics_api.deliver.providers.stored import (
    CITY,
    COUNTRY,
    OS,
    PAGE,
    REGION,
    Places,
    free_name,
    json_bytes,
    json_object,
    milliseconds,
    text_at,
)
from analytics_api.domain.event import OWN_TYPES, EventType, StoredEvent
from analytics_api.domain.outcome import Dead, Skipped, SkipReason

IMPORT = "import"
ENGAGE = "engage"

FORBIDDEN_IDS = frozenset(
    {"00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a", "na"}
    | {"undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"}
)
LONGEST_ID = 247
"""Texts are cut at 255; an anonymous id gets `$device:` before it."""
MOST_PROPERTIES = 254
_ADDED = 6
"""token, distinct_id, time, $insert_id and the builder's mp_lib and $lib_version."""
DEEPEST = 3
MOST_NESTED = 254
LARGEST_NESTED = 8_000
LARGEST_RECORD = 1_000_000

_TAKEN = frozenset(
    {
        "time",
        "distinct_id",
        "token",
        "ip",
        "bucket",
        "$bucket",
        "$ignore",
        "$insert_id",
        "$device_id",
        "$user_id",
    }
)
"""Names with a meaning of Mixpanel's own; an event's property of that name goes as `NAME_`. `$ignore` would make
Mixpanel drop the event without a word."""

HISTORY = timedelta(days=1)
"""An event that arrived later than this is history and no sign that its person has been seen now."""

_CONTEXT = Places(
    PAGE
    | {
        "$current_url": (("page", "url"),),
        "$referrer": (("page", "referrer"),),
        "$browser": (("browser", "name"), ("browser",)),
        "$browser_version": (("browser", "version"), ("browser_version",)),
        "$os": OS,
        "$os_version": (("os", "version"),),
        "$device": (("device", "type"), ("device",)),
        "$manufacturer": (("device", "manufacturer"),),
        "$brand": (("device", "brand"),),
        "$model": (("device", "model"),),
        "$app_version_string": (("app", "version"),),
        "mp_country_code": COUNTRY,
        "$region": REGION,
        "$city": CITY,
    }
)
"""Mixpanel's default properties. Places go along because `ip` is mostly 0, from which Mixpanel finds out none."""

_REPEATABLE = ("$set_once", "$set")
_COUNTING = ("$add", "$append")


class Refusal(Exception):
    """Mixpanel would refuse the event; the text says why."""


class _Collector:
    """A consumer for the official package that keeps the records instead of sending them."""

    def __init__(self) -> None:
        self.records: list[str] = []

    def send(self, _endpoint: str, json_message: str, *_credentials: object) -> None:
        """Called by the builder with one JSON object."""
        self.records.append(json_message)


class _Serializer(DatetimeSerializer):  # type: ignore[misc]
    """UTF-8 instead of six bytes for a letter, and no NaN, which is no JSON."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False, "allow_nan": False})


class Renderer:
    """Builds records for one project token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._collector = _Collector()
        self._builder = Mixpanel(token, consumer=self._collector, serializer=_Serializer)

    def render(self, event: StoredEvent) -> Rendered:
        """The import record first, then the profile; the part that cannot be repeated safely comes last of all."""
        if event.event_type in OWN_TYPES:
            return Skipped(SkipReason.FILTER)
        try:
            distinct_id = _distinct_id(event)
            payloads = []
            if event.event_type != EventType.IDENTIFY or (event.user_id and event.anonymous_id):
                payloads.append(self._import(event, distinct_id))
            payloads += self._engage(event, distinct_id)
        except Refusal as refusal:
            return Dead(f"not sent to Mixpanel: {refusal}")
        finally:
            self._collector.records.clear()
        return payloads or Skipped(SkipReason.EMPTY)

    def _import(self, event: StoredEvent, distinct_id: str) -> Payload:
        # As the official package's `import_data` has it (a test compares), without the $insert_id that it makes up.
        properties = {
            "token": self._token,
            "distinct_id": distinct_id,
            "time": _time(event),
            "$insert_id": event.event_id,
            "mp_lib": "python",
            "$lib_version": __version__,
        }
        _put_properties(properties, event, distinct_id)
        if len(properties) > MOST_PROPERTIES:
            number = len(properties) - _ADDED
            raise Refusal(f"it has {number} properties; it takes {MOST_PROPERTIES - _ADDED}")
        record = json_bytes({"event": event.event_type, "properties": properties})
        return Payload(IMPORT, _bounded(record), (distinct_id,), order=IMPORT)

    def _engage(self, event: StoredEvent, distinct_id: str) -> list[Payload]:
        if not event.user_properties or not distinct_id:
            return []
        operations = json_object(event.user_properties)
        repeatable = {name: operations[name] for name in _REPEATABLE if operations.get(name)}
        if operations.get("$unset"):
            repeatable["$unset"] = list(operations["$unset"])
        payloads = []
        if repeatable:
            payloads.append(self._update(event, distinct_id, repeatable, once=False))
        counting = {name: operations[name] for name in _COUNTING if operations.get(name)}
        if counting:
            payloads.append(self._update(event, distinct_id, counting, once=True))
        return payloads

    def _update(
        self, event: StoredEvent, distinct_id: str, operations: dict[str, Any], *, once: bool
    ) -> Payload:
        # $ip 0: else the profile would be placed where our server is.
        record = {
            "$distinct_id": distinct_id,
            "$ip": 0,
            "$time": _time(event) / 1000,
            **{name: _operands(value) for name, value in operations.items()},
        }
        if event.received_at - event.occurred_at > HISTORY:
            record["$ignore_time"] = True
        self._builder.people_update(record)
        built = _bounded(self._collector.records.pop().encode())
        return Payload(ENGAGE, built, (distinct_id,), once=once, order=ENGAGE)


def _bounded(record: bytes) -> bytes:
    if len(record) >= LARGEST_RECORD:
        raise Refusal(f"it has {len(record)} bytes; it takes less than {LARGEST_RECORD}")
    return record


def _operands(value: Any) -> Any:
    return {name: _nested(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _time(event: StoredEvent) -> int:
    """Milliseconds. Never in the future, for Mixpanel would overwrite such a time and with it the dedupe key."""
    occurred, received = event.occurred_at, event.received_at
    return milliseconds(occurred if occurred < received else received)


def _distinct_id(event: StoredEvent) -> str:
    """The user id, else `$device:` and the anonymous id as Simplified ID Merge has it, else "" for nobody."""
    for field, value in (("user_id", event.user_id), ("anonymous_id", event.anonymous_id)):
        if value is not None and value in FORBIDDEN_IDS:
            raise Refusal(f"{field} {value!r} is on its list of ids that name nobody")
        if value is not None and len(value) > LONGEST_ID:
            raise Refusal(f"{field} has {len(value)} characters; ids of more than {LONGEST_ID} would be cut")
    if event.user_id is not None:
        return event.user_id
    return f"$device:{event.anonymous_id}" if event.anonymous_id is not None else ""


def _put_properties(properties: dict[str, Any], event: StoredEvent, distinct_id: str) -> None:
    """Add what the event says to what the record says already."""
    context = json_object(event.context)
    properties.update(_CONTEXT.texts(context))
    if event.session_id is not None:
        properties["session_id"] = event.session_id
    if event.revenue is not None:
        properties |= {"revenue": float(event.revenue), "currency": event.currency}
    properties.update(_given(event))
    # 0: without it Mixpanel would take the address of our server for the visitor's.
    properties["ip"] = text_at(context, "ip") or 0
    if event.anonymous_id is not None:
        properties["$device_id"] = event.anonymous_id
    if event.user_id is not None:
        properties["$user_id"] = event.user_id
    if event.event_type == EventType.IDENTIFY:
        # Original ID Merge joins by these two; Simplified ID Merge by $device_id and $user_id.
        properties |= {"$identified_id": distinct_id, "$anon_id": f"$device:{event.anonymous_id}"}


def _given(event: StoredEvent) -> dict[str, Any]:
    """The event's own properties."""
    data = json_object(event.event_data)
    if not _TAKEN.isdisjoint(data):
        data = {free_name(name, data, _TAKEN): value for name, value in data.items()}
    if "[" in event.event_data or event.event_data.count("{") > 1:
        data = {name: _nested(value) for name, value in data.items()}
    return data


def _nested(value: Any) -> Any:
    """A property value; a nested one that is more than Mixpanel takes goes as JSON text, which Mixpanel cuts at 255."""
    if isinstance(value, dict | list) and value:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > LARGEST_NESTED or not _fits(value, 1):
            return text
    return value


def _fits(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    if depth > DEEPEST or len(value) > MOST_NESTED:
        return False
    inner = value.values() if isinstance(value, dict) else value
    return all(_fits(item, depth + 1) for item in inner)

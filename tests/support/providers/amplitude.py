"""Amplitude, as strict as its documentation."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter

from tests.support.providers.server import JSON, Received, Reply, StandIn, depth, longest, strict_json

_OBJECTS = ("event_properties", "user_properties")


class AmplitudeStandIn(StandIn):
    """`POST /batch`. An event whose properties hold `"bad": true` is refused."""

    STRINGS = frozenset(
        [
            "user_id",
            "device_id",
            "event_type",
            "insert_id",
            "app_version",
            "platform",
            "os_name",
            "os_version",
            "device_brand",
            "device_manufacturer",
            "device_model",
            "carrier",
            "country",
            "region",
            "city",
            "language",
            "currency",
            "ip",
            "user_agent",
        ]
    )
    FIELDS = STRINGS | {"time", "event_properties", "user_properties", "revenue", "session_id", "library"}
    NOBODY = frozenset(
        [
            "0",
            "-1",
            "anonymous",
            "null",
            "none",
            "undefined",
            "unknown",
            "00000000-0000-0000-0000-000000000000",
        ]
    )

    def __init__(self, api_key: str = "amplitude-key") -> None:
        super().__init__()
        self.api_key = api_key
        self.first_index_only = False
        self.throttled: set[str] = set()
        """Users and devices whose events are answered with 429."""
        self.over_quota: set[str] = set()
        self.silenced: set[str] = set()
        self.dropped: list[JSON] = []
        """Events of silenced devices."""
        self.stored: list[JSON] = []
        """Events in the order of their first arrival, repetitions dropped."""
        self.repeated: Counter[str] = Counter()
        self._keys: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Everything that was taken."""
        self.stored.clear()
        self._keys.clear()

    def too_large(self) -> Reply:
        return Reply(413, {"code": 413, "error": "Payload too large"})

    def handle(self, request: Received) -> Reply:
        if request.path != "/batch":
            return Reply(400, {"code": 400, "error": "Invalid request path"})
        try:
            body = strict_json(request.body)
        except ValueError:
            return Reply(400, {"code": 400, "error": "Invalid JSON request body"})
        if body.get("api_key") != self.api_key:
            return Reply(400, {"code": 400, "error": f"Invalid API key: {body.get('api_key')}"})
        events = body.get("events")
        if len(request.body) > 20_000_000:
            return self.too_large()
        if not isinstance(events, list) or not events or len(events) > 2000:
            return Reply(
                400, {"code": 400, "error": "Request missing required field", "missing_field": "events"}
            )
        least = body.get("options", {}).get("min_id_length", 5)
        return (
            self._invalid(events, least)
            or self._silent(events)
            or self._throttle(events)
            or self._store(events)
        )

    def _invalid(self, events: list[JSON], least: int) -> Reply | None:
        fields: dict[str, list[int]] = {}
        missing: dict[str, list[int]] = {}
        lengths: dict[str, list[int]] = {}
        for index, event in enumerate(events):
            if not event.get("event_type"):
                missing.setdefault("event_type", []).append(index)
            if not event.get("user_id") and not event.get("device_id"):
                missing.setdefault("user_id", []).append(index)
            for name in self._wrong(event):
                fields.setdefault(name, []).append(index)
            for name in ("user_id", "device_id"):
                if name in event and (len(event[name]) < least or event[name] in self.NOBODY):
                    lengths.setdefault(name, []).append(index)
        if not (fields or missing or lengths):
            return None
        error = (
            "Invalid id length for user_id or device_id" if lengths and not fields else "Invalid field values"
        )
        body = {
            "events_with_invalid_fields": fields,
            "events_with_missing_fields": missing,
            "events_with_invalid_id_lengths": lengths,
        }
        if self.first_index_only:
            body = {
                name: {key: indexes[:1] for key, indexes in found.items()} for name, found in body.items()
            }
        return Reply(400, {"code": 400, "error": error, **body})

    def _wrong(self, event: JSON) -> list[str]:
        wrong = [name for name in event if name not in self.FIELDS]
        wrong += [name for name in self.STRINGS & event.keys() if not isinstance(event[name], str)]
        if type(event.get("time")) is not int or "insert_id" not in event:
            wrong.append("time")
        if type(event.get("session_id", -1)) is not int:
            wrong.append("session_id")
        if not re.fullmatch("[A-Z]{3}", event.get("currency", "EUR")):
            wrong.append("currency")
        wrong += [name for name in _OBJECTS if not isinstance(event.get(name, {}), dict)]
        if "revenue" in event and not isinstance(event["revenue"], float | int):
            wrong.append("revenue")
        if longest(event) > 1024 or depth(event) > 41:
            wrong.append("event_properties")
        if event.get("event_properties", {}).get("bad") is True:
            wrong.append("event_properties")
        operators = event.get("user_properties", {})
        if any(name.startswith("$") for name in operators) and not all(n.startswith("$") for n in operators):
            wrong.append("user_properties")
        return wrong

    def _silent(self, events: list[JSON]) -> Reply | None:
        listed = [i for i, event in enumerate(events) if event.get("device_id") in self.silenced]
        if not listed:
            return None
        self.dropped += [events[index] for index in listed]
        return Reply(
            400,
            {
                "code": 400,
                "error": "Events silenced for device_id",
                "silenced_devices": sorted(self.silenced),
                "silenced_events": listed,
                "throttled_devices": {},
                "throttled_events": [],
                "exceeded_daily_quota_devices": {},
                "eps_threshold": 1000,
            },
        )

    def _throttle(self, events: list[JSON]) -> Reply | None:
        ids = self.throttled | self.over_quota
        listed = [
            index
            for index, event in enumerate(events)
            if ids & {event.get("user_id"), event.get("device_id")}
        ]
        if not listed:
            return None
        users = {events[i]["user_id"] for i in listed if events[i].get("user_id") in ids}
        devices = {events[i]["device_id"] for i in listed if events[i].get("device_id") in ids}
        return Reply(
            429,
            {
                "code": 429,
                "error": "Too many requests for some devices and users",
                "eps_threshold": 1000,
                "throttled_users": dict.fromkeys(users, 1001),
                "throttled_devices": dict.fromkeys(devices, 1001),
                "throttled_events": listed,
                "exceeded_daily_quota_users": dict.fromkeys(users & self.over_quota, 500001),
                "exceeded_daily_quota_devices": dict.fromkeys(devices & self.over_quota, 500001),
            },
        )

    def _store(self, events: list[JSON]) -> Reply:
        before = self.repeated.total()
        for event in events:
            device = event.get("device_id") or hashlib.sha256(event["user_id"].encode()).hexdigest()
            key = (device, event["insert_id"])
            if key in self._keys:
                self.repeated[event["insert_id"]] += 1
            else:
                self._keys.add(key)
                self.stored.append(event)
        ingested = len(events) - (0 if self.counts_repeats else self.repeated.total() - before)
        now = int(time.time() * 1000)
        return Reply(
            200,
            {"code": 200, "events_ingested": ingested, "payload_size_bytes": 1, "server_upload_time": now},
            acknowledges=ingested,
        )

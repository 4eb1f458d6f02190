"""Google's Measurement Protocol: 2xx for whatever comes; what it throws away is counted. Knows no repetition."""

from __future__ import annotations

import re
from typing import Any

from tests.support.providers.server import JSON, Received, Reply, StandIn, strict_json

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
_EVENTS = ("session_start", "first_visit", "user_engagement", "error", "app_remove")
_HEAD = {
    "client_id",
    "user_id",
    "timestamp_micros",
    "user_properties",
    "user_location",
    "device",
    "ip_override",
}


class GoogleAnalyticsStandIn(StandIn):
    """`POST /mp/collect`."""

    def __init__(self, measurement_id: str = "G-STANDIN", api_secret: str = "ga4-secret") -> None:
        super().__init__()
        self.measurement_id = measurement_id
        self.api_secret = api_secret
        self.stored: list[JSON] = []
        """Events with the client's id put in; a repetition is there twice."""
        self.dropped: list[Any] = []
        """Thrown away without a word."""
        self.complaints: list[JSON] = []
        """What the validation server says."""
        self.user_properties: dict[str, JSON] = {}

    def too_large(self) -> Reply:
        return Reply(413, {"error": "too large"})

    def handle(self, request: Received) -> Reply:
        if request.path == "/debug/mp/collect":
            return Reply(200, {"validationMessages": self.complaints})
        try:
            body = strict_json(request.body)
        except ValueError:
            body = None
        allowed = request.query == {"measurement_id": self.measurement_id, "api_secret": self.api_secret}
        if request.path != "/mp/collect" or not allowed or not self._usable_request(body, request):
            self.dropped.append(body)
            return Reply(204, None)
        self.user_properties.setdefault(body["client_id"], {}).update(body.get("user_properties", {}))
        for event in body["events"]:
            if self._usable_event(event):
                self.stored.append({**event, "client_id": body["client_id"], "user_id": body.get("user_id")})
            else:
                self.dropped.append(event)
        return Reply(204, None)

    @staticmethod
    def _usable_request(body: Any, request: Received) -> bool:
        if not isinstance(body, dict) or set(body) - _HEAD - {"events"} or len(request.body) >= 130_000:
            return False
        properties = body.get("user_properties", {})
        return (
            isinstance(body.get("client_id"), str)
            and bool(body["client_id"])
            and 0 < len(body.get("events", [])) <= 25
            and len(properties) <= 25
            and all(_fits(name, held["value"], 24, 36) for name, held in properties.items())
            and "user_id" not in properties
        )

    @staticmethod
    def _usable_event(event: JSON) -> bool:
        name, params = event.get("name", ""), event.get("params", {})
        return (
            _fits(name, "", 40, 0)
            and name not in _EVENTS
            and len(params) <= 25
            and all(_fits(key, value, 40, 100) for key, value in params.items())
            and "engagement_time_msec" in params
            and type(event.get("timestamp_micros")) is int
        )


def _fits(name: str, value: Any, longest_name: int, longest_value: int) -> bool:
    usable_name = bool(_NAME.fullmatch(name)) and len(name) <= longest_name and not name.startswith(_PREFIXES)
    usable_value = (isinstance(value, str) and len(value) <= longest_value) or type(value) in (int, float)
    return usable_name and usable_value

"""A receiver of signed webhooks, written from the Standard Webhooks specification."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections import Counter

from tests.support.providers.server import JSON, Received, Reply, StandIn, strict_json

TOLERANCE = 300
"""Seconds between the signed time and now."""


class WebhookStandIn(StandIn):
    """`POST /hook`. Takes a request as a whole or not at all; an event whose data holds `"bad": true` spoils it."""

    def __init__(
        self, secret: str = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
    ) -> None:
        super().__init__()
        self.secret = secret
        self.forgiving = False
        """Whether bad events are taken, too."""
        self.stored: list[JSON] = []
        self.repeated: Counter[str] = Counter()
        self.ids: list[str] = []
        """The `webhook-id` of each request that was taken."""
        self._seen: set[str] = set()

    def forget(self) -> None:
        """Everything that was taken."""
        self.stored.clear()
        self._seen.clear()

    def too_large(self) -> Reply:
        return Reply(413, {"error": "too large"})

    def handle(self, request: Received) -> Reply:
        if request.path != "/hook":
            return Reply(404, {"error": "not found"})
        if not self._is_signed(request):
            return Reply(401, {"error": "Invalid signature"})
        try:
            events = strict_json(request.body)
        except ValueError:
            return Reply(400, {"error": "no JSON"})
        if not isinstance(events, list) or not events or len(events) > 500:
            return Reply(400, {"error": "an array of 1 to 500 events is wanted"})
        for event in events:
            if not event.get("event_id") or not event.get("event_type") or not event.get("timestamp"):
                return Reply(400, {"error": "event_id, event_type and timestamp are wanted"})
            if event["event_data"].get("bad") is True and not self.forgiving:
                return Reply(422, {"error": "bad is bad"})
        self.ids.append(request.headers["webhook-id"])
        for event in events:
            if event["event_id"] in self._seen:
                self.repeated[event["event_id"]] += 1
            else:
                self._seen.add(event["event_id"])
                self.stored.append(event)
        return Reply(200, {}, acknowledges=len(events))

    def _is_signed(self, request: Received) -> bool:
        headers = request.headers
        name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not name or not moment.isdecimal() or abs(time.time() - int(moment)) > TOLERANCE:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{name}.{moment}.".encode() + request.body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [part.split(",", 1) for part in headers.get("webhook-signature", "").split(" ")]
        return any(version == "v1" and hmac.compare_digest(text, expected) for version, text in given)

"""Segment's and RudderStack's `/v1/batch`, as strict as their documentation."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import datetime

from tests.support.providers.server import JSON, Received, Reply, StandIn, strict_json


class SegmentStandIn(StandIn):
    """`POST /v1/batch`. Segment answers 200 to everything but size and broken JSON; `rudder` says what is wrong."""

    def __init__(self, write_key: str = "segment-key", *, rudder: bool = False) -> None:
        super().__init__()
        self.write_key = write_key
        self.rudder = rudder
        self.disabled = False
        self.stored: list[JSON] = []
        self.repeated: Counter[str] = Counter()
        self.dropped: list[JSON] = []
        """Thrown away without a word."""
        self.traits: dict[str, JSON] = {}
        self._ids: set[str] = set()

    def too_large(self) -> Reply:
        if self.rudder:
            return Reply(413, {"error": "Request size exceeds max limit"})
        return Reply(400, {"success": False, "message": "request too large"})

    def handle(self, request: Received) -> Reply:
        if request.path != "/v1/batch":
            return Reply(404, {"error": "not found"})
        if self.rudder and self.disabled:
            return Reply(404, {"error": "Source is disabled"})
        try:
            body = strict_json(request.body)
        except ValueError:
            return Reply(400, {"error": "Invalid JSON"})
        messages = body.get("batch")
        if len(request.body) > (4_000_000 if self.rudder else 500_000):
            return self.too_large()
        if set(body) - {"batch"}:
            return Reply(400, {"error": "this stand-in wants no sentAt, for it would shift all times"})
        expected = base64.b64encode(f"{self.write_key}:".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            if self.rudder:
                return Reply(401, {"error": "Invalid Write Key"})
            self.dropped += messages
            return Reply(200, {"success": True})
        if self.rudder and not all(self._has_id(message) for message in messages):
            return Reply(400, {"error": "Request neither has anonymousId nor userId"})
        for message in messages:
            if self._usable(message):
                self._store(message)
            else:
                self.dropped.append(message)
        return Reply(200, "OK") if self.rudder else Reply(200, {"success": True})

    @staticmethod
    def _has_id(message: JSON) -> bool:
        return bool(message.get("userId") or message.get("anonymousId"))

    def _usable(self, message: JSON) -> bool:
        kind, message_id = message.get("type"), message.get("messageId", "")
        try:
            zoned = datetime.fromisoformat(message["timestamp"]).tzinfo is not None
        except (KeyError, ValueError):
            return False
        named = bool(message.get("event")) if kind == "track" else isinstance(message.get("traits"), dict)
        size = len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())
        return (
            kind in ("track", "identify")
            and self._has_id(message)
            and 0 < len(message_id) < 100
            and zoned
            and named
            and size <= 32 * 1024
        )

    def _store(self, message: JSON) -> None:
        if message["messageId"] in self._ids:
            self.repeated[message["messageId"]] += 1
            return
        self._ids.add(message["messageId"])
        self.stored.append(message)
        if message["type"] == "identify":
            who = message.get("userId") or message["anonymousId"]
            self.traits.setdefault(who, {}).update(message["traits"])

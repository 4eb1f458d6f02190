"""PostHog's capture API, as strict as its documentation; what it throws away without a word is counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.support.providers.server import JSON, Received, Reply, StandIn, strict_json


class PostHogStandIn(StandIn):
    """`POST /batch/`. Errors are texts, and a bad event is answered with 200 and gone."""

    NOBODY = frozenset(
        {"0", "anonymous", "guest", "null", "none", "undefined", "true", "false", "nan", "id", "email"}
        | {"user", "system", "distinctid"}
    )

    def __init__(self, api_key: str = "phc_posthog") -> None:
        super().__init__()
        self.api_key = api_key
        self.stored: list[JSON] = []
        self.repeated: Counter[str] = Counter()
        self.dropped: list[JSON] = []
        """Thrown away without a word."""
        self.persons: dict[str, JSON] = {}
        self._keys: set[tuple[str, str, str, str]] = set()

    def too_large(self) -> Reply:
        return Reply(413, {"error": "payload too large"})

    def handle(self, request: Received) -> Reply:
        if request.path != "/batch/":
            return Reply(404, {"error": "not found"})
        try:
            body = strict_json(request.body)
        except ValueError:
            return Reply(400, {"error": "failed to parse"})
        if body.get("api_key") != self.api_key:
            return Reply(401, {"error": "Invalid API key"})
        if not body.get("batch"):
            return Reply(400, {"error": "empty batch"})
        if set(body) - {"api_key", "batch", "historical_migration"}:
            return Reply(
                400, {"error": "this stand-in wants no other fields, for sent_at would shift all times"}
            )
        for event in body["batch"]:
            if self._usable(event):
                self._store(event)
            else:
                self.dropped.append(event)
        return Reply(200, {"status": "Ok"})

    def _usable(self, event: JSON) -> bool:
        distinct_id = event.get("distinct_id")
        if not event.get("event") or not isinstance(distinct_id, str) or not distinct_id.strip():
            return False
        try:
            moment = datetime.fromisoformat(event["timestamp"])
            UUID(event["uuid"])
        except (KeyError, ValueError):
            return False
        properties = event.get("properties", {})
        located = "$ip" in properties or properties.get("$geoip_disable") is True
        return (
            distinct_id.strip().lower() not in self.NOBODY
            and moment.tzinfo is not None
            and moment < datetime.now(UTC) + timedelta(hours=23)
            and located
        )

    def _store(self, event: JSON) -> None:
        day = datetime.fromisoformat(event["timestamp"]).astimezone(UTC).date().isoformat()
        key = (event["uuid"], event["event"], event["distinct_id"], day)
        if key in self._keys:
            self.repeated[event["uuid"]] += 1
            return
        self._keys.add(key)
        self.stored.append(event)
        person = self.persons.setdefault(event["distinct_id"], {})
        properties = event["properties"]
        for name, value in properties.get("$set_once", {}).items():
            person.setdefault(name, value)
        person.update(properties.get("$set", {}))
        for name in properties.get("$unset", []):
            person.pop(name, None)

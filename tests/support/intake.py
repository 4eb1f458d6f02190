"""A server that takes events as docs/http-api.md says, and goes wrong on request; what it has, by event id."""

from __future__ import annotations

import gzip
import json

from tests.support.providers.server import JSON, Received, Reply, StandIn


class IntakeStandIn(StandIn):
    """`POST /api/v1/analytics/events`. An event whose data holds `"bad": true` is rejected."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, JSON] = {}
        self.batches: list[int] = []

    def too_large(self) -> Reply:
        return Reply(413, {"detail": "split it"})

    def handle(self, request: Received) -> Reply:
        assert request.path == "/api/v1/analytics/events"
        body = request.body
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        results: list[JSON] = []
        events = json.loads(body)["events"]
        self.batches.append(len(events))
        for index, event in enumerate(events):
            status = "duplicate" if event["event_id"] in self.events else "accepted"
            if event.get("event_data", {}).get("bad"):
                results.append({"index": index, "status": "rejected", "reason": "bad is bad"})
                continue
            self.events[event["event_id"]] = event
            results.append({"index": index, "event_id": event["event_id"], "status": status})
        counts = {name: sum(each["status"] == name for each in results) for name in ("accepted", "rejected")}
        duplicates = sum(each["status"] == "duplicate" for each in results)
        return Reply(202, {**counts, "duplicates": duplicates, "results": results})

"""The deletion APIs of Amplitude, Mixpanel and PostHog, as strict as their documentation; a job takes `polls` questions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from tests.support.providers.server import JSON, Received, Reply, StandIn


class DeletionStandIn(StandIn):
    """What was asked for, and what `on_request` is told when it is."""

    def __init__(self, polls: int = 2) -> None:
        super().__init__()
        self.polls = polls
        self.asked_for: list[str] = []
        self.asked = 0
        self.on_request: Callable[[], None] = lambda: None

    def handle(self, request: Received) -> Reply:
        if request.method == "POST":
            self.on_request()
            return self.requested(request, json.loads(request.body))
        self.asked += 1
        return self.state(request, done=self.asked > self.polls)

    def requested(self, request: Received, body: JSON) -> Reply:
        """The answer to a request for deletion."""
        raise NotImplementedError

    def state(self, request: Received, *, done: bool) -> Reply:
        """How far it is."""
        raise NotImplementedError

    def too_large(self) -> Reply:
        return Reply(413, {})


def _basic(request: Received) -> str:
    return base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()


class AmplitudeDeletionStandIn(DeletionStandIn):
    """`/api/2/deletions/users`."""

    day = "2026-03-10"

    def requested(self, request: Received, body: JSON) -> Reply:
        assert request.path == "/api/2/deletions/users"
        if _basic(request) != "amplitude-key:secret":
            return Reply(401, {"error": "Unauthorized"})
        assert 0 < len(body["user_ids"]) <= 100
        if not body.get("ignore_invalid_id"):
            return Reply(400, {"error": "unknown user"})
        self.asked_for += body["user_ids"]
        ids = [{"amplitude_id": n, "requester": body["requester"]} for n, _ in enumerate(body["user_ids"])]
        return Reply(200, {"day": self.day, "status": "staging", "amplitude_ids": ids})

    def state(self, request: Received, *, done: bool) -> Reply:
        assert _basic(request) == "amplitude-key:secret"
        assert request.query["start_day"] <= self.day <= request.query["end_day"]
        body: list[JSON] = [{"day": self.day, "status": "done" if done else "submitted", "amplitude_ids": []}]
        return Reply(200, json.dumps(body))


class MixpanelDeletionStandIn(DeletionStandIn):
    """`/api/app/data-deletions/v3.0/`."""

    def requested(self, request: Received, body: JSON) -> Reply:
        assert request.path == "/api/app/data-deletions/v3.0/"
        assert request.query == {"token": "token"}
        if request.headers["authorization"] != "Bearer gdpr":
            return Reply(401, {"error": "Unauthorized"})
        assert body["compliance_type"] in ("GDPR", "CCPA")
        assert 0 < len(body["distinct_ids"]) <= 1999
        self.asked_for += body["distinct_ids"]
        return Reply(200, {"status": "ok", "results": [{"tracking_id": "job-1", "status": "PENDING"}]})

    def state(self, request: Received, *, done: bool) -> Reply:
        assert request.path == "/api/app/data-deletions/v3.0/job-1"
        status = "SUCCESS" if done else "STARTED"
        return Reply(200, {"status": "ok", "results": {"status": status, "tracking_id": "job-1"}})


class PostHogDeletionStandIn(DeletionStandIn):
    """`/api/projects/:id/persons/`."""

    def requested(self, request: Received, body: JSON) -> Reply:
        assert request.path == "/api/projects/7/persons/bulk_delete/"
        if request.headers["authorization"] != "Bearer phx_1":
            return Reply(401, {"detail": "Unauthorized"})
        assert body["delete_events"] is True
        assert 0 < len(body["distinct_ids"]) <= 1000
        self.asked_for += body["distinct_ids"]
        return Reply(202, {"persons_found": 1, "persons_deleted": 1})

    def state(self, request: Received, *, done: bool) -> Reply:
        assert request.path == "/api/projects/7/persons/"
        return Reply(200, {"results": [] if done else [{"distinct_ids": [request.query["distinct_id"]]}]})

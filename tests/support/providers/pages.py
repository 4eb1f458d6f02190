"""What Amplitude's and Mixpanel's packages for browsers talk to."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

from tests.support.providers.server import JSON, Received, Reply, StandIn


class PageVendors(StandIn):
    """Amplitude's `/2/httpapi` and Mixpanel's `/track/` and `/engage/`, for pages of any origin."""

    def __init__(self) -> None:
        super().__init__()
        self.amplitude: list[JSON] = []
        self.mixpanel: list[JSON] = []
        self.profiles: list[JSON] = []

    def handle(self, request: Received) -> Reply:
        headers = {
            "Access-Control-Allow-Origin": request.headers.get("origin", "*"),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": request.headers.get(
                "access-control-request-headers", "content-type"
            ),
        }
        if "access-control-request-method" in request.headers:
            return Reply(204, None, headers)
        if request.path == "/2/httpapi":
            events = json.loads(request.body)["events"]
            self.amplitude += events
            answer = {"code": 200, "events_ingested": len(events), "payload_size_bytes": len(request.body)}
            return Reply(200, answer, headers)
        if request.path == "/track/":
            self.mixpanel += _records(request)
        elif request.path == "/engage/":
            self.profiles += _records(request)
        else:
            return Reply(404, {}, headers)
        return Reply(200, {"status": 1, "error": None}, headers)


def _records(request: Received) -> list[JSON]:
    data = parse_qs(request.body.decode())["data"][0]
    given = json.loads(data if data[0] in "[{" else base64.b64decode(data))
    return given if isinstance(given, list) else [given]

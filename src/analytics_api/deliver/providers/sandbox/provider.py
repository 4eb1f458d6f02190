"""A destination on this machine: an INFO line for each event, and the last ones readable over the API."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.stored import event_object, json_bytes
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Delivered, Outcome
from analytics_api.outbound.connections import Client

logger = logging.getLogger(__name__)

KEPT = 1000
LINES_A_MINUTE = 1000
"""An import of a million events must not bury the terminal: past this, requests are summed up in a line each."""


class Sandbox:
    """Takes everything, at once."""

    name = "sandbox"
    limits = Limits(records=2000, size=20_000_000)
    dedupes_for: timedelta | None = None
    secrets: tuple[str, ...] = ()
    keep = KEPT

    def __init__(self) -> None:
        self._minute = 0
        self._lines = 0

    def render(self, event: StoredEvent) -> Rendered:
        """The event as a provider would be told of it, without loss."""
        return [Payload("log", json_bytes(event_object(event)))]

    async def send(self, _client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """Log the payloads."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._lines = minute, 0
        logged = payloads[: max(LINES_A_MINUTE - self._lines, 0)]
        for payload in logged:
            logger.info("event %s", payload.body.decode())
        self._lines += len(logged)
        if len(logged) < len(payloads):
            logger.info(
                "and %d more events: GET /deliveries/sandbox shows the last", len(payloads) - len(logged)
            )
        return [Delivered()] * len(payloads)


def make(_options: Mapping[str, str]) -> Sandbox:
    """Needs no options."""
    return Sandbox()

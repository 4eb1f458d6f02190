"""A signed webhook: a JSON array of events, taken or refused as a whole, signed as Standard Webhooks says."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.options import address, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.stored import event_object, json_bytes
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import (
    Delivered,
    Outcome,
    Paused,
    Refused,
    Retry,
    TooLarge,
)
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, common_outcome, post
from analytics_api.outbound.signing import signed_headers, signing_key


class Webhook:
    """Sends to one URL. The receiver tells repetitions by `event_id`, or whole requests by `webhook-id`."""

    name = "webhook"
    # 500 events are the batch of Mixpanel's webhooks, 1 MB is what most web servers take without being asked.
    limits = Limits(records=500, size=1_000_000)
    dedupes_for: timedelta | None = None
    keep = 0

    def __init__(self, url: str, secret: str) -> None:
        self.secrets: tuple[str, ...] = (secret,)
        self._url = url
        self._key = signing_key(secret, "destination webhook")

    def render(self, event: StoredEvent) -> Rendered:
        """The whole event, also one of nobody."""
        body = {**event_object(event), "received_at": event.received_at.isoformat()}
        return [Payload("events", json_bytes(body))]

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One signed request."""
        body = b"[" + b",".join(payload.body for payload in payloads) + b"]"
        headers = signed_headers(self._key, name_of(body), body, int(time.time()))
        answer = await post(client, self._url, body, headers=headers)
        return [_read(answer) if isinstance(answer, Answer) else answer] * len(payloads)


def name_of(body: bytes) -> str:
    """The id of a request: the same for the same events."""
    return f"msg_{hashlib.sha256(body).hexdigest()[:32]}"


def _read(answer: Answer) -> Outcome:
    """2xx: taken. 401, 403, 404, 410: nobody wants it any more. 400, 422: something in it is wrong."""
    if 200 <= answer.status < 300:
        return Delivered()
    if answer.status in (404, 410):
        return Paused(answer.words())
    if answer.status == 413:
        return TooLarge(answer.words())
    if answer.status in (400, 422):
        return Refused(answer.words())
    return common_outcome(answer) or Retry(answer.words(), answer.retry_after())


def make(options: Mapping[str, str]) -> Webhook:
    """From `url` and `secret` (`whsec_` and base64, or any text of at least 16 bytes)."""
    return Webhook(
        address(required(options, "url", "webhook"), "webhook"), required(options, "secret", "webhook")
    )

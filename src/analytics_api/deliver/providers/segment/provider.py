"""Segment's side of the port, also for RudderStack: `POST /v1/batch`.

Source: Segment's documentation of its HTTP tracking API, and the answers of RudderStack's gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.options import base_url, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.segment.render import render
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Delivered, Outcome, Paused, Refused, Retry, TooLarge, Unknown
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, common_outcome, post

DEFAULT_URL = "https://api.segment.io"


class Segment:
    """Repetitions are recognised by `messageId` for at least a day."""

    name = "segment"
    limits = Limits(records=2500, size=500_000)
    dedupes_for: timedelta | None = timedelta(hours=24)
    keep = 0

    def __init__(self, write_key: str, url: str = DEFAULT_URL) -> None:
        self.secrets: tuple[str, ...] = (write_key,)
        self._auth = (write_key, "")
        self._url = f"{url}/v1/batch"

    def render(self, event: StoredEvent) -> Rendered:
        """Segment's messages for a stored event."""
        return render(event)

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One request."""
        body = b'{"batch":[' + b",".join(payload.body for payload in payloads) + b"]}"
        answer = await post(client, self._url, body, auth=self._auth)
        return [read_answer(answer) if isinstance(answer, Answer) else answer] * len(payloads)


def read_answer(answer: Answer) -> Outcome:
    """What an answer means for all messages of the request. Segment's 200 is JSON, RudderStack's the text `OK`."""
    if answer.status == 404 and b"disabled" in answer.body:
        return Paused(answer.words())
    found = common_outcome(answer)
    if found is not None:
        return found
    if answer.status == 413:
        return TooLarge(answer.words())
    if answer.status == 429:
        return Retry(answer.words(), answer.retry_after())
    if answer.status == 400:
        # Segment: too large or no JSON. RudderStack: one message without ids refuses all.
        return Refused(answer.words())
    body = answer.json_object()
    if answer.body.strip().strip(b'"').upper() == b"OK" or (body is not None and body.get("success") is True):
        return Delivered()
    return Unknown(f"not an answer of Segment: {answer.words()}", answer.retry_after())


def make(options: Mapping[str, str]) -> Segment:
    """From `write_key` and `url` (optional; `https://events.eu1.segmentapis.com`, or RudderStack's data plane)."""
    return Segment(required(options, "write_key", "segment"), base_url(options, DEFAULT_URL, "segment"))

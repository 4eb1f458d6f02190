"""The Measurement Protocol's side of the port: `POST /mp/collect`.

Google answers 2xx whatever it is sent, and recognises no repetition. So every event is checked before, and sent at most
once where it may have arrived. Source: Google's documentation of the Measurement Protocol for GA4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from analytics_api.deliver.providers.ga4.render import render, too_old
from analytics_api.deliver.providers.options import base_url, choice, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.stored import json_bytes
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, Delivered, Outcome, Refused, Retry, TooLarge, Unknown
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, common_outcome, post

DEFAULT_URL = "https://www.google-analytics.com"
REFUSE, SEND = "refuse", "send"


class GoogleAnalytics:
    """Sends to one data stream."""

    name = "ga4"
    # 130 kB less a head of 25 user properties.
    limits = Limits(records=25, size=120_000)
    dedupes_for: timedelta | None = timedelta(0)
    keep = 0

    def __init__(
        self, measurement_id: str, api_secret: str, url: str = DEFAULT_URL, *, old_events: str = REFUSE
    ) -> None:
        self.secrets: tuple[str, ...] = (api_secret,)
        self._url = f"{url}/mp/collect"
        self._debug_url = f"{url}/debug/mp/collect"
        self._params = {"measurement_id": measurement_id, "api_secret": api_secret}
        self._refuses_old = old_events == REFUSE

    def render(self, event: StoredEvent) -> Rendered:
        """The Measurement Protocol's event for a stored event."""
        return render(event)

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One request of the client that the payloads share. Those that are too old are refused here."""
        now = datetime.now(UTC)
        old = [self._refuses_old and too_old(json.loads(payload.body), now) for payload in payloads]
        fresh = [payload.body for payload, is_old in zip(payloads, old, strict=True) if not is_old]
        outcome: Outcome = Delivered()
        if fresh:
            head = payloads[0].endpoint.encode()
            body = head[:-1] + b',"events":[' + b",".join(fresh) + b"]}"
            answer = await post(client, self._url, body, params=self._params)
            outcome = read_answer(answer) if isinstance(answer, Answer) else answer
        dead = Dead("older than 72 hours: GA4 would count it at another time (option old_events)")
        return [dead if is_old else outcome for is_old in old]

    async def check(self, client: Client) -> list[str]:
        """What Google's validation server finds wrong with an event of this stream. It does not look at the secret."""
        body = json_bytes({"client_id": "check", "events": [{"name": "page_view", "params": {}}]})
        answer = await post(client, self._debug_url, body, params=self._params)
        found = answer.json_object() if isinstance(answer, Answer) and answer.status == 200 else None
        messages = (found or {}).get("validationMessages")
        return [
            str(message.get("description") or message.get("validationCode"))
            for message in (messages if isinstance(messages, list) else ())
            if isinstance(message, dict)
        ]


def read_answer(answer: Answer) -> Outcome:
    """What an answer means for all events of the request. Google's has no body; a page is that of somebody else."""
    found = common_outcome(answer)
    if found is not None:
        return found
    if answer.status == 413:
        return TooLarge(answer.words())
    if answer.status == 429:
        return Retry(answer.words(), answer.retry_after())
    if answer.status == 400:
        return Refused(answer.words())
    if not answer.body.strip():
        return Delivered()
    return Unknown(f"not an answer of Google Analytics: {answer.words()}")


def make(options: Mapping[str, str]) -> GoogleAnalytics:
    """From `measurement_id` (`G-...`), `api_secret`, `url` (optional) and `old_events`: refuse (default) or send."""
    return GoogleAnalytics(
        required(options, "measurement_id", "ga4"),
        required(options, "api_secret", "ga4"),
        base_url(options, DEFAULT_URL, "ga4"),
        old_events=choice(options, "old_events", (REFUSE, SEND), "ga4"),
    )

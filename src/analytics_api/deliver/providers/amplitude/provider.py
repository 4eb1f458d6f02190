"""Amplitude's side of the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.amplitude.answer import read_answer
from analytics_api.deliver.providers.amplitude.deletion import DELETION_URLS, Deletions
from analytics_api.deliver.providers.amplitude.render import ENDPOINT, render
from analytics_api.deliver.providers.options import base_url, optional_url, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.stored import json_bytes
from analytics_api.domain.erasure import Deletion, PersonIds
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Outcome
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer
from analytics_api.outbound.known import post_known

DEFAULT_URL = "https://api2.amplitude.com"


class Amplitude:
    """Sends to `/batch`, which takes 1000 events a second of one person; `/2/httpapi` takes 30."""

    name = "amplitude"
    limits = Limits(records=2000, size=20_000_000)
    dedupes_for: timedelta | None = timedelta(days=7)
    keep = 0

    def __init__(
        self,
        api_key: str,
        url: str = DEFAULT_URL,
        secret_key: str | None = None,
        deletion_url: str | None = None,
    ) -> None:
        """`secret_key` is for deletions only."""
        self.secrets: tuple[str, ...] = (api_key, *filter(None, [secret_key]))
        self._deletions = Deletions(deletion_url or DELETION_URLS.get(url, url), api_key, secret_key)
        self._url = f"{url}/{ENDPOINT}"
        # `client_upload_time` stays away: Amplitude would shift the time of every late event by it.
        self._head = b'{"api_key":' + json_bytes(api_key) + b',"options":{"min_id_length":1},"events":['

    def render(self, event: StoredEvent) -> Rendered:
        """Amplitude's events for a stored event."""
        return render(event)

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One request to `/batch`."""
        body = self._head + b",".join(payload.body for payload in payloads) + b"]}"
        answer = await post_known(client, self._url, body)
        return read_answer(answer, payloads) if isinstance(answer, Answer) else [answer] * len(payloads)

    async def delete_person(self, client: Client, ids: PersonIds) -> Deletion:
        """The User Privacy API; it deletes by user id."""
        return await self._deletions.request(client, ids)

    async def deletion_state(self, client: Client, ids: PersonIds, tracking: Sequence[str]) -> Deletion:
        """The state of the day's jobs."""
        return await self._deletions.follow(client, tracking)


def make(options: Mapping[str, str]) -> Amplitude:
    """From `api_key` and `url` (optional; the region or a stand-in); `secret_key` and `deletion_url` (both optional) are for
    deletions.
    """
    return Amplitude(
        required(options, "api_key", "amplitude"),
        base_url(options, DEFAULT_URL, "amplitude"),
        options.get("secret_key") or None,
        optional_url(options, "deletion_url", "amplitude"),
    )

"""PostHog's side of the port: `POST /batch/`. Source: PostHog's documentation of the capture API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.options import base_url, optional_url, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.deliver.providers.posthog.deletion import DELETION_URLS, Deletions
from analytics_api.deliver.providers.posthog.render import ENDPOINT, render
from analytics_api.deliver.providers.stored import json_bytes
from analytics_api.domain.erasure import Deletion, PersonIds
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Delivered, Outcome, Refused, Retry, TooLarge, Unknown
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, common_outcome, post

DEFAULT_URL = "https://us.i.posthog.com"


class PostHog:
    """Repetitions are recognised in storage by uuid, event, distinct_id and day, all of which are the stored row's."""

    name = "posthog"
    # There is no limit on the number; 2000 keeps a request that has to be halved small.
    limits = Limits(records=2000, size=20_000_000)
    dedupes_for: timedelta | None = None
    keep = 0

    def __init__(
        self,
        api_key: str,
        url: str = DEFAULT_URL,
        personal_api_key: str | None = None,
        project_id: str | None = None,
        deletion_url: str | None = None,
    ) -> None:
        """`personal_api_key` and `project_id` are for deletions only."""
        self.secrets: tuple[str, ...] = (api_key, *filter(None, [personal_api_key]))
        self._deletions = Deletions(deletion_url or DELETION_URLS.get(url, url), project_id, personal_api_key)
        # The slash at the end matters. `sent_at` stays away: PostHog would shift the time of every late event by it.
        self._url = f"{url}/{ENDPOINT}/"
        self._head = b'{"api_key":' + json_bytes(api_key) + b',"historical_migration":false,"batch":['

    def render(self, event: StoredEvent) -> Rendered:
        """PostHog's event for a stored event."""
        return render(event)

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One request."""
        body = self._head + b",".join(payload.body for payload in payloads) + b"]}"
        answer = await post(client, self._url, body)
        return [read_answer(answer) if isinstance(answer, Answer) else answer] * len(payloads)

    async def delete_person(self, client: Client, ids: PersonIds) -> Deletion:
        """The persons API, with their events and recordings."""
        return await self._deletions.request(client, ids)

    async def deletion_state(self, client: Client, ids: PersonIds, tracking: Sequence[str]) -> Deletion:
        """Whether the person is gone; there is no job to ask for."""
        return await self._deletions.follow(client, ids)


def read_answer(answer: Answer) -> Outcome:
    """What an answer means for all events of the request; errors are plain text."""
    found = common_outcome(answer)
    if found is not None:
        return found
    if answer.status == 413:
        return TooLarge(answer.words())
    if answer.status == 429:
        return Retry(answer.words(), answer.retry_after())
    if answer.status == 400:
        return Refused(answer.words())
    body = answer.json_object()
    if body is not None and str(body.get("status")).lower() in ("ok", "1"):
        return Delivered()
    return Unknown(f"not an answer of PostHog: {answer.words()}", answer.retry_after())


def make(options: Mapping[str, str]) -> PostHog:
    """From `api_key` (the project's, `phc_...`) and `url` (optional; the region or one's own host); `personal_api_key`
    (`phx_...`), `project_id` and `deletion_url` (all optional) are for deletions.
    """
    return PostHog(
        required(options, "api_key", "posthog"),
        base_url(options, DEFAULT_URL, "posthog"),
        options.get("personal_api_key") or None,
        options.get("project_id") or None,
        optional_url(options, "deletion_url", "posthog"),
    )

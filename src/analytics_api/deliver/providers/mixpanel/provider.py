"""Mixpanel's side of the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from analytics_api.deliver.providers.mixpanel.answer import read_answer
from analytics_api.deliver.providers.mixpanel.deletion import DELETION_URLS, Deletions
from analytics_api.deliver.providers.mixpanel.render import IMPORT, Renderer
from analytics_api.deliver.providers.options import base_url, optional_url, required
from analytics_api.deliver.providers.port import Limits, Payload, Rendered
from analytics_api.domain.erasure import Deletion, PersonIds
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Outcome
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer
from analytics_api.outbound.known import post_known

DEFAULT_URL = "https://api.mixpanel.com"


class Mixpanel:
    """Sends to `/import`, which takes events of any age (`/track` drops those older than 5 days), and `/engage`."""

    name = "mixpanel"
    # The documentation says 10 MB, its sample of a refusal 2,097,152 bytes.
    limits = Limits(records=2000, size=2_000_000)
    dedupes_for: timedelta | None = None
    keep = 0

    def __init__(
        self,
        token: str,
        url: str = DEFAULT_URL,
        project_id: str | None = None,
        gdpr_token: str | None = None,
        deletion_url: str | None = None,
    ) -> None:
        """`gdpr_token` is for deletions only."""
        self.secrets: tuple[str, ...] = (token, *filter(None, [gdpr_token]))
        self._deletions = Deletions(deletion_url or DELETION_URLS.get(url, url), token, gdpr_token)
        self._auth = (token, "")
        self._url = url
        self._import_params = {"strict": "1"} | ({"project_id": project_id} if project_id else {})
        self._renderer = Renderer(token)

    def render(self, event: StoredEvent) -> Rendered:
        """Mixpanel's records for a stored event."""
        return self._renderer.render(event)

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One request to the endpoint that the payloads share."""
        body = b"[" + b",".join(payload.body for payload in payloads) + b"]"
        if payloads[0].endpoint == IMPORT:
            answer = await post_known(
                client, f"{self._url}/import", body, params=self._import_params, auth=self._auth
            )
        else:
            params = {"ip": "0", "verbose": "1", "strict": "1"}
            answer = await post_known(client, f"{self._url}/engage", body, params=params)
        return read_answer(answer, payloads) if isinstance(answer, Answer) else [answer] * len(payloads)

    async def delete_person(self, client: Client, ids: PersonIds) -> Deletion:
        """The data deletion API, version 3; events and profile."""
        return await self._deletions.request(client, ids)

    async def deletion_state(self, client: Client, ids: PersonIds, tracking: Sequence[str]) -> Deletion:
        """The states of its jobs."""
        return await self._deletions.follow(client, tracking)


def make(options: Mapping[str, str]) -> Mixpanel:
    """From `token`, `url` (optional; the region or a stand-in) and `project_id` (optional); `gdpr_token` and `deletion_url`
    (both optional) are for deletions.
    """
    return Mixpanel(
        required(options, "token", "mixpanel"),
        base_url(options, DEFAULT_URL, "mixpanel"),
        options.get("project_id") or None,
        options.get("gdpr_token") or None,
        optional_url(options, "deletion_url", "mixpanel"),
    )

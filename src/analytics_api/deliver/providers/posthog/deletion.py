"""Deleting a person at PostHog. Source: its documentation of the persons API."""

from __future__ import annotations

import json

from analytics_api.deliver.providers.deleting import not_possible, not_taken, pieces
from analytics_api.domain.erasure import Deletion, DeletionState, PersonIds
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, post, request

DELETION_URLS = {
    "https://us.i.posthog.com": "https://us.posthog.com",
    "https://eu.i.posthog.com": "https://eu.posthog.com",
}
MOST_IDS = 1_000


class Deletions:
    """The deletion calls of one project at PostHog."""

    def __init__(self, url: str, project_id: str | None, personal_api_key: str | None) -> None:
        self._url = f"{url}/api/projects/{project_id}/persons/"
        self._secrets = (personal_api_key,) if personal_api_key else ()
        self._headers = (
            {"Authorization": f"Bearer {personal_api_key}"} if personal_api_key and project_id else None
        )

    async def request(self, client: Client, ids: PersonIds) -> Deletion:
        """Delete person, events and recordings. Ids that PostHog does not know are passed over."""
        if self._headers is None:
            return not_possible(
                "PostHog's personal_api_key and project_id are not set: set them, and delete the person there by hand"
            )
        for distinct_ids in pieces([*ids.user_ids, *ids.anonymous_ids], MOST_IDS):
            body = {
                "distinct_ids": list(distinct_ids),
                "delete_events": True,
                "delete_recordings": True,
                "keep_person": False,
            }
            answer = await post(
                client, f"{self._url}bulk_delete/", json.dumps(body).encode(), headers=self._headers
            )
            failed = not_taken(answer, self._secrets)
            if failed is not None:
                return failed
            if not isinstance(answer, Answer) or answer.json_object() is None:
                return Deletion(DeletionState.WAITING, words="not an answer of PostHog")
        return Deletion(DeletionState.REQUESTED)

    async def follow(self, client: Client, ids: PersonIds) -> Deletion:
        """Done when none of the ids is a person's any more; events follow at PostHog's next clean-up."""
        for distinct_id in (*ids.user_ids, *ids.anonymous_ids):
            answer = await request(
                client, "GET", self._url, params={"distinct_id": distinct_id}, headers=self._headers
            )
            failed = not_taken(answer, self._secrets)
            body = answer.json_object() if isinstance(answer, Answer) else None
            if failed is not None or body is None or not isinstance(body.get("results"), list):
                return Deletion(
                    DeletionState.REQUESTED, words=failed.words if failed else "not an answer of PostHog"
                )
            if body["results"]:
                return Deletion(DeletionState.REQUESTED, words="the person is still there")
        return Deletion(DeletionState.DONE)

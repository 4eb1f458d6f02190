"""Deleting a person at Mixpanel. Source: its documentation of the data deletion API, version 3."""

from __future__ import annotations

import json
from collections.abc import Sequence

from analytics_api.deliver.providers.deleting import not_possible, not_taken, pieces
from analytics_api.domain.erasure import Deletion, DeletionState, PersonIds
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, post, request

DELETION_URLS = {
    "https://api.mixpanel.com": "https://mixpanel.com",
    "https://api-eu.mixpanel.com": "https://eu.mixpanel.com",
    "https://api-in.mixpanel.com": "https://in.mixpanel.com",
}
PATH = "/api/app/data-deletions/v3.0/"
MOST_IDS = 1_999
_FAILED = {"FAILURE", "REVOKED", "NOT_FOUND"}


class Deletions:
    """The deletion calls of one project at Mixpanel."""

    def __init__(self, url: str, token: str, gdpr_token: str | None) -> None:
        self._url = f"{url}{PATH}"
        self._params = {"token": token}
        self._secrets = (token, gdpr_token or token)
        self._headers = {"Authorization": f"Bearer {gdpr_token}"} if gdpr_token else None

    async def request(self, client: Client, ids: PersonIds) -> Deletion:
        """Ask for the deletion of events and profile. Another request for the same ids is another job, and does no harm."""
        if self._headers is None:
            return not_possible(
                "Mixpanel's gdpr_token is not set: set it, and delete the person there by hand"
            )
        known = [*ids.user_ids]
        for device in ids.anonymous_ids:
            # Events of devices are sent under the one, and their ids are joined under the other.
            known += [f"$device:{device}", device]
        if not known:
            return Deletion(DeletionState.DONE, words="no id was ever sent")
        tracking = []
        for distinct_ids in pieces(known, MOST_IDS):
            body = json.dumps({"distinct_ids": list(distinct_ids), "compliance_type": "GDPR"}).encode()
            answer = await post(client, self._url, body, params=self._params, headers=self._headers)
            failed = not_taken(answer, self._secrets)
            if failed is not None:
                return failed
            tracking += _tracking_ids(answer)
        if not tracking:
            return Deletion(DeletionState.WAITING, words="not an answer of Mixpanel")
        return Deletion(DeletionState.REQUESTED, tuple(tracking))

    async def follow(self, client: Client, tracking: Sequence[str]) -> Deletion:
        """The worst state of its jobs."""
        states = []
        for job in tracking:
            answer = await request(
                client, "GET", f"{self._url}{job}", params=self._params, headers=self._headers
            )
            failed = not_taken(answer, self._secrets)
            if failed is not None:
                return Deletion(DeletionState.REQUESTED, words=failed.words)
            states.append(_state(answer))
        words = ", ".join(states)
        if _FAILED & set(states):
            return Deletion(DeletionState.FAILED, words=words)
        if all(state == "SUCCESS" for state in states):
            return Deletion(DeletionState.DONE)
        return Deletion(DeletionState.REQUESTED, words=words)


def _results(answer: object) -> list[dict[str, object]]:
    """The documentation shows a list in one place and an object in another."""
    body = answer.json_object() if isinstance(answer, Answer) else None
    results = (body or {}).get("results")
    found = results if isinstance(results, list) else [results]
    return [one for one in found if isinstance(one, dict)]


def _tracking_ids(answer: object) -> list[str]:
    found = (one.get("tracking_id") or one.get("task_id") for one in _results(answer))
    return [str(one) for one in found if one]


def _state(answer: object) -> str:
    return next((str(one["status"]) for one in _results(answer) if "status" in one), "UNKNOWN")

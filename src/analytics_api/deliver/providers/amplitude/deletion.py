"""Deleting a person at Amplitude. Source: its documentation of the User Privacy API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta

from analytics_api.deliver.providers.deleting import not_possible, not_taken, pieces
from analytics_api.domain.erasure import Deletion, DeletionState, PersonIds
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer, post, request

DELETION_URLS = {
    "https://api2.amplitude.com": "https://amplitude.com",
    "https://api.eu.amplitude.com": "https://analytics.eu.amplitude.com",
}
PATH = "/api/2/deletions/users"
MOST_IDS = 100
WITHIN = timedelta(days=30)
"""After its request a job is listed under a day of this time."""


class Deletions:
    """The deletion calls of one project at Amplitude."""

    def __init__(self, url: str, api_key: str, secret_key: str | None) -> None:
        self._url = f"{url}{PATH}"
        self._auth = None if secret_key is None else (api_key, secret_key)

    async def request(self, client: Client, ids: PersonIds) -> Deletion:
        """Ask for the deletion. A repetition joins the day's job."""
        if self._auth is None:
            return not_possible(
                "Amplitude's secret_key is not set: set it, and delete the user there by hand"
            )
        if not ids.user_ids:
            return not_possible("Amplitude deletes by user id, and this person had none")
        days = set()
        for user_ids in pieces(ids.user_ids, MOST_IDS):
            body = {
                "user_ids": list(user_ids),
                # One user that Amplitude has never seen would refuse all of them.
                "ignore_invalid_id": True,
                "requester": "analytics-api",
            }
            answer = await post(client, self._url, json.dumps(body).encode(), auth=self._auth)
            failed = not_taken(answer, self._auth)
            if failed is not None:
                return failed
            found = _jobs(answer)
            if found is None:
                return Deletion(DeletionState.WAITING, words="not an answer of Amplitude")
            days |= {str(job["day"]) for job in found if "day" in job}
        return Deletion(DeletionState.REQUESTED, tuple(sorted(days)))

    async def follow(self, client: Client, tracking: Sequence[str]) -> Deletion:
        """Jobs are listed by day, each for all requests of that day."""
        if self._auth is None:
            return Deletion(DeletionState.REQUESTED, words="Amplitude's secret_key is not set any more")
        states = []
        for day in tracking:
            params = {"start_day": day, "end_day": str(date.fromisoformat(day) + WITHIN)}
            answer = await request(client, "GET", self._url, params=params, auth=self._auth)
            failed = not_taken(answer, self._auth)
            if failed is not None:
                return Deletion(DeletionState.REQUESTED, words=failed.words)
            states += [str(job.get("status")) for job in _jobs(answer) or [] if str(job.get("day")) == day]
        if len(states) >= len(tracking) and all(state == "done" for state in states):
            return Deletion(DeletionState.DONE)
        return Deletion(DeletionState.REQUESTED, words=", ".join(states) or "not listed yet")


def _jobs(answer: object) -> list[dict[str, object]] | None:
    """The jobs of an answer: an object, or a list of them."""
    if not isinstance(answer, Answer):
        return None
    try:
        value = json.loads(answer.body)
    except ValueError:
        return None
    found = value if isinstance(value, list) else [value]
    return found if all(isinstance(job, dict) for job in found) else None

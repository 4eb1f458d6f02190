"""Calls of the seed documents over HTTP."""

from __future__ import annotations

from typing import Any

from tests.support.serving import Served

BASE = "/api/v1/analytics"
WINDOW = ["from", "to", "first_day", "last_day", "rolling", "zone", "include_bots"]
"""Fields of the window that an answer is about."""


async def send(server: Served, path: str, body: Any, **headers: str) -> None:
    """Everything is taken."""
    answer = await server.client.post(f"{BASE}{path}", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == (len(body["events"]) if "events" in body else 1), answer.text


async def counted(server: Served, **headers: str) -> None:
    """What was sent is in all figures."""
    answer = await server.client.post(f"{BASE}/process-events", headers=headers)
    assert answer.status_code == 200, answer.text


async def ask(server: Served, path: str, **parameters: Any) -> Any:
    answer = await server.client.get(f"{BASE}{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()

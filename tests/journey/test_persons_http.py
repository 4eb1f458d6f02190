"""POST /persons/merge and /persons/unmerge over HTTP, and what they do to figures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from tests.journey.test_intake_http import EVENTS, api, make_key
from tests.support.serving import Served

BASE = "/api/v1/analytics"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


async def active_today(server: Served) -> float:
    await server.client.post(f"{BASE}/process-events")
    today = system_clock().date().isoformat()
    answer = await server.client.get(
        f"{BASE}/metrics/aggregated",
        params={"metric_type": "dau", "period": "daily", "start_date": today, "end_date": today},
    )
    [point] = answer.json()
    return float(point["value"])


async def test_two_known_persons_become_one_and_two_again(server: Served) -> None:
    for user in ("ada", "ada-old", "bob"):
        await server.client.post(EVENTS, json={"event_type": "login", "user_id": user})
    assert await active_today(server) == 3
    two = {"user_id": "ada", "from_user_id": "ada-old"}
    for _ in range(2):
        answer = await server.client.post(f"{BASE}/persons/merge", json=two)
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
        assert await active_today(server) == 2
    assert (await server.client.post(f"{BASE}/persons/unmerge", json=two)).status_code == 202
    assert await active_today(server) == 3


async def test_a_device_joins_its_user(server: Served) -> None:
    for who in ({"user_id": "ada"}, {"anonymous_id": "dev-1"}):
        await server.client.post(EVENTS, json={"event_type": "login", **who})
    both = {"user_id": "ada", "from_anonymous_id": "dev-1"}
    await server.client.post(f"{BASE}/persons/merge", json=both)
    assert await active_today(server) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"from_user_id": "b"}, "user_id: is required"),
        ({"user_id": "a"}, "give either from_user_id or from_anonymous_id"),
        ({"user_id": "a", "from_user_id": "b", "from_anonymous_id": "c"}, "give either"),
        ({"user_id": "a", "from_user_id": "a"}, "from_user_id is the same as user_id: name another person"),
        ({"user_id": "a", "from_user_id": ""}, "from_user_id: "),
    ],
)
async def test_what_names_no_two_persons_is_refused(server: Served, body: dict[str, str], words: str) -> None:
    for call in ("merge", "unmerge"):
        answer = await server.client.post(f"{BASE}/persons/{call}", json=body)
        assert answer.status_code == 422
        assert words in answer.json()["detail"]


async def test_only_server_keys_may(server: Served, database_url: str) -> None:
    body = {"user_id": "a", "from_user_id": "b"}
    for kind, status in ((KeyKind.WRITE, 403), (KeyKind.READ, 403), (KeyKind.SERVER, 202)):
        headers = {"X-API-Key": await make_key(database_url, kind)}
        answer = await server.client.post(f"{BASE}/persons/merge", json=body, headers=headers)
        assert answer.status_code == status

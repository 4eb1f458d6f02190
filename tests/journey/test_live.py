"""Live events: over two web processes, through disconnections and a kill, none is missed and none comes twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics_api.domain.project import KeyKind
from tests.journey.test_intake_http import api, make_key
from tests.support.listening import Listener
from tests.support.processes import ServerProcess
from tests.support.raw import connected, request
from tests.support.serving import Served

BASE = "/api/v1/analytics"
PATIENCE = 120


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


async def send(client: httpx.AsyncClient, base: str, *names: str) -> None:
    events = [{"event_type": "feature_used", "user_id": name, "event_id": f"e-{name}"} for name in names]
    answer = await client.post(f"{base}{BASE}/events", json=events)
    assert answer.json()["accepted"] == len(names), answer.text


async def follow(listener: Listener, urls: list[str], wanted: int, *, seed: int, **parameters: Any) -> None:
    """Listen until so many events were seen, hanging up at random and going to any of the servers."""
    chance = random.Random(seed)
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        while len(listener.seen) < wanted:
            left = chance.randint(1, 15)
            try:
                async for _kind in listener.listen(
                    client, f"{chance.choice(urls)}{BASE}/events/stream", **parameters
                ):
                    left -= 1
                    if left <= 0 or len(listener.seen) >= wanted:
                        break
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def test_two_processes_and_a_kill(tmp_path: Path, database_url: str) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    total = 120
    with (
        ServerProcess(env, tmp_path, "serve", "--with-worker") as one,
        ServerProcess(env, tmp_path, "serve") as two,
    ):
        one.start()
        two.start()
        listeners = [Listener() for _ in range(4)]
        async with httpx.AsyncClient(timeout=PATIENCE) as client, asyncio.timeout(PATIENCE):
            for listener in listeners:
                # Each has an id before the first event is sent.
                async for kind in listener.listen(client, f"{two.url}{BASE}/events/stream"):
                    if kind == "beat":
                        break
            tasks = [
                asyncio.create_task(follow(listener, [one.url, two.url], total, seed=number))
                for number, listener in enumerate(listeners)
            ]
            for number in range(0, total, 4):
                if number == total // 2:
                    two.kill()
                    two.start(wait=False)
                await send(client, one.url, *(str(number + more) for more in range(4)))
                await asyncio.sleep(0.01)
            await asyncio.gather(*tasks)
        for listener in listeners:
            ids = [seq for seq, _ in listener.seen]
            assert ids == sorted(set(ids))
            assert [event["user_id"] for _, event in listener.seen] == [
                str(number) for number in range(total)
            ]
        two.wait_until_ready()
        # A stream is open while the server is asked to end: it ends at once.
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", f"{two.url}{BASE}/events/stream") as answer,
        ):
            assert answer.status_code == 200
            assert await asyncio.to_thread(two.stop) == 0
            assert "Traceback" not in two.output


async def test_counters_of_a_process_that_neither_took_nor_counted_the_events(
    tmp_path: Path, database_url: str
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    with (
        ServerProcess(env, tmp_path, "serve", "--with-worker") as one,
        ServerProcess(env, tmp_path, "serve") as two,
    ):
        one.start()
        two.start()
        seen: list[int] = []
        async with httpx.AsyncClient(timeout=PATIENCE) as client, asyncio.timeout(PATIENCE):
            async with client.stream("GET", f"{two.url}{BASE}/live/stream") as answer:
                async for line in answer.aiter_lines():
                    if not line.startswith("data: "):
                        continue
                    seen.append(json.loads(line[6:])["active_now"])
                    if seen[-1] == 3:
                        break
                    if len(seen) == 1:
                        await send(client, one.url, "ada", "bob", "cleo")
            asked = await client.get(f"{one.url}{BASE}/live")
        assert (seen[0], asked.json()["active_now"]) == (0, 3)


async def test_who_does_not_read_is_dropped_and_goes_on_later(tmp_path: Path, database_url: str) -> None:
    env = {
        "ANALYTICS__DATABASE_URL": database_url,
        "ANALYTICS__SANDBOX_MODE": "true",
        "ANALYTICS__CLIENT_TIMEOUT_SECONDS": "1",
    }
    batch = [{"event_type": "feature_used", "user_id": "ada", "event_data": {"text": "x" * 4000}}] * 500
    with ServerProcess(env, tmp_path, "serve") as process:
        process.start()
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for _ in range(6):
                answer = await client.post(f"{process.url}{BASE}/events", json=batch)
                assert answer.json()["accepted"] == 500
            await client.get(f"{process.url}{BASE}/process-events")
            path = f"{BASE}/events/stream?after=0&include_bots=true"
            async with asyncio.timeout(PATIENCE), connected(process.port, receive_buffer=4096) as silent:
                await silent.send(request(method="GET", path=path, length=False))
                # Other answers go on meanwhile; in the end the server has closed what was not read.
                while await _streams(client, process) != 0:
                    await asyncio.sleep(0.2)
            listener = Listener()
            async with asyncio.timeout(PATIENCE):
                async for _kind in listener.listen(
                    client, f"{process.url}{BASE}/events/stream", after=0, include_bots=True
                ):
                    if len(listener.seen) == 3000:
                        break
        ids = [seq for seq, _ in listener.seen]
        assert ids == sorted(set(ids))


async def _streams(client: httpx.AsyncClient, process: ServerProcess) -> int:
    """Connections of the server beside the one that asks; at first there is one."""
    text = (await client.get(f"{process.url}/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith("analytics_open_connections ")]
    return int(float(line.split()[1])) - 1


async def test_counters_come_when_they_change(server: Served) -> None:
    listener = Listener()
    found = []
    async with asyncio.timeout(PATIENCE):
        async for kind in listener.listen(server.client, f"{BASE}/live/stream"):
            found.append(kind)
            if found.count("counters") == 1:
                await send(server.client, "", "ada")
                await server.client.get(f"{BASE}/process-events")
            if found.count("counters") == 2:
                break
    answer = (await server.client.get(f"{BASE}/live")).json()
    assert (answer["active_now"], answer["active_30_minutes"]) == (1, 1)


async def test_only_what_is_asked_for_from_where_one_was(server: Served) -> None:
    await send(server.client, "", "ada", "bob")
    await server.client.post(f"{BASE}/events", json={"event_type": "other", "user_id": "ada"})
    old = {"event_type": "feature_used", "user_id": "old", "timestamp": "2026-01-01T00:00:00Z"}
    await server.client.post(f"{BASE}/events", json=old)
    await server.client.get(f"{BASE}/process-events")
    listener = Listener()
    async with asyncio.timeout(PATIENCE):
        async for kind in listener.listen(
            server.client,
            f"{BASE}/events/stream",
            after=0,
            event_type="feature_used",
            filter="user_id is_not bob",
        ):
            if kind == "beat":
                break
    assert [event["user_id"] for _, event in listener.seen] == ["ada"]


@pytest.mark.parametrize(
    ("parameters", "headers", "status"),
    [
        ({}, {"Last-Event-ID": "x"}, 422),
        ({"filter": "event_data.a matches ("}, {}, 422),
        ({"after": -1}, {}, 422),
        ({"project": "nowhere"}, {}, 404),
    ],
)
async def test_what_is_wrong_is_said_before_the_stream(
    server: Served, parameters: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    answer = await server.client.get(f"{BASE}/events/stream", params=parameters, headers=headers)
    assert answer.status_code == status


async def test_a_write_key_may_not_listen(database_url: str) -> None:
    key = await make_key(database_url, KeyKind.WRITE)
    async with api(database_url, sandbox_mode=False) as server:
        for path in ("/events/stream", "/live", "/live/stream"):
            answer = await server.client.get(f"{BASE}{path}", headers={"X-API-Key": key})
            assert answer.status_code == 403

"""POST /events over HTTP: every form of body, every kind of key, and the worst that clients send."""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from analytics_api.app import create_app
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.settings import Settings
from analytics_api.store.keys import create_key
from analytics_api.store.projects import create_project
from tests.support.events import open_database
from tests.support.serving import Served, served

EVENTS = "/api/v1/analytics/events"


@asynccontextmanager
async def api(url: str, **settings: Any) -> AsyncIterator[Served]:
    """The whole web process, without background work."""
    app = create_app(Settings(_env_file=None, **{"sandbox_mode": True, **settings}), url)
    async with app.router.lifespan_context(app), served(app) as server:
        yield server


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


async def stored(url: str, columns: str = "event_type") -> list[Any]:
    async with open_database(url) as database:
        rows = await database.pool.fetch(
            f"SELECT {columns} FROM events WHERE event_type <> 'api_request' ORDER BY seq"
        )
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


async def make_key(
    url: str, kind: KeyKind, project: str | None = None, events_per_second: int | None = None
) -> str:
    async with open_database(url) as database, database.write() as connection:
        project_id = 1
        if project is not None:
            project_id = (await create_project(connection, project, now=system_clock())).id
        return await create_key(
            connection, project_id, kind, events_per_second=events_per_second, now=system_clock()
        )


async def test_every_form_of_body(server: Served, database_url: str) -> None:
    post = server.client.post
    one = {"event_type": "one"}
    answers = [
        await post(EVENTS, json=one),
        await post(EVENTS, json=[one, one]),
        await post(EVENTS, json={"events": [one], "sent_at": "2026-01-01T00:00:00Z"}),
        await post(
            EVENTS,
            content=b'{"event_type": "one"}\n{"event_type": "one"}\n',
            headers={"Content-Type": "application/x-ndjson"},
        ),
        await post(EVENTS, content=json.dumps(one), headers={"Content-Type": "text/plain;charset=UTF-8"}),
        await post(
            EVENTS, content=gzip.compress(json.dumps([one]).encode()), headers={"Content-Encoding": "gzip"}
        ),
        await post(EVENTS, json=[]),
    ]
    assert [answer.status_code for answer in answers] == [202] * 7
    assert [answer.json()["accepted"] for answer in answers] == [1, 2, 1, 2, 1, 1, 0]
    assert await stored(database_url) == ["one"] * 8


async def test_the_answer_names_what_became_of_each_event(server: Served, database_url: str) -> None:
    event_id = str(uuid.uuid4())
    answer = await server.client.post(
        EVENTS,
        json=[
            {"event_type": "good", "event_id": event_id},
            {"event_type": 7},
            {"event_type": "good", "event_id": event_id, "event_data": {"other": "content"}},
            {"event_type": "good", "event_data": {"email": "a@b.c"}, "extra": 1},
        ],
    )
    assert answer.status_code == 202
    body = answer.json()
    assert {name: body[name] for name in ("accepted", "duplicates", "rejected", "ignored")} == {
        "accepted": 2, "duplicates": 1, "rejected": 1, "ignored": 0,
    }  # fmt: skip
    assert [result["status"] for result in body["results"]] == [
        "accepted",
        "rejected",
        "duplicate",
        "accepted",
    ]
    assert body["results"][1] == {
        "index": 1, "status": "rejected", "reason": "event_type: expected `str`, got `int`",
    }  # fmt: skip
    assert body["results"][0]["event_id"] == event_id
    assert len(body["results"][3]["warnings"]) == 2
    assert await stored(database_url, "event_data::text") == ["{}", "{}"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"event_type": "a"', 400, "not JSON"),
        (b"", 400, "empty"),
        (b"[" * 2000, 400, "nested too deeply"),
        (b'{"events": {}}', 400, "The envelope cannot be read"),
        (b'{"event_type": 5}', 422, "event_type: expected `str`, got `int`"),
        (b'{"event_data": {}}', 422, "event_type is missing"),
        (b'{"event_type": "a\\u0000"}', 422, "control characters"),
        (b'{"event_type": "a", "event_data": {"x": "\\u0000"}}', 422, "NUL"),
        (b'{"event_type": "a", "event_data": {"x": "\\ud800"}}', 422, "surrogate"),
        (b'{"event_type": "a", "timestamp": "0001-01-01T00:00:00Z"}', 422, "before 1971-01-01"),
        (
            b'{"event_type": "a", "event_data": ' + b'{"a":' * 40 + b"1" + b"}" * 41,
            422,
            "nested deeper than 32",
        ),
        (
            json.dumps({"event_type": "a", "event_data": {"x": "y" * 1_000_000}}).encode(),
            422,
            "the limit is 65536",
        ),
        (
            json.dumps([{"event_type": "a"}] * 10_000).encode(),
            413,
            "The batch has 10000 events; the limit is 5000",
        ),
        (b"[" + b" " * 6_000_000 + b"]", 413, "The body has 6000002 bytes; the limit is 5242880"),
    ],
)
async def test_bad_bodies(server: Served, database_url: str, body: bytes, status: int, words: str) -> None:
    answer = await server.client.post(EVENTS, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert words in answer.json()["detail"]
    assert answer.json()["status"] == status
    assert await stored(database_url) == []


async def test_good_events_of_a_bad_batch_are_kept(server: Served, database_url: str) -> None:
    batch = (
        b'[{"event_type": "a"}, {"event_type": "b\\ud800"}, 7, {"event_type": "c", "timestamp": "3000-01-01"},'
        b'{"event_type": "d", "event_data": {"x": "' + b"y" * 70_000 + b'"}}, {"event_type": "e"}]'
    )
    answer = await server.client.post(EVENTS, content=batch)
    assert answer.status_code == 202
    assert [r["status"] for r in answer.json()["results"]] == [
        "accepted", "rejected", "rejected", "accepted", "rejected", "accepted",
    ]  # fmt: skip
    assert await stored(database_url) == ["a", "c", "e"]


async def test_a_resend_with_other_times_is_stored_once(server: Served, database_url: str) -> None:
    """Another sent_at, no time at all, a time in the future, and from two servers at once."""
    event = {"event_type": "same", "event_id": "order-1", "user_id": "u"}
    forms: list[Any] = [
        event,
        {"events": [{**event, "timestamp": "2026-01-05T00:00:00Z"}], "sent_at": "2026-01-05T00:00:01Z"},
        {"events": [{**event, "timestamp": "2026-01-05T00:00:00Z"}], "sent_at": "2026-01-06T00:00:01Z"},
        {**event, "timestamp": "3000-01-01T00:00:00Z"},
    ]
    async with api(database_url) as other:
        clients = [server.client, other.client]
        answers = await asyncio.gather(
            *(clients[number % 2].post(EVENTS, json=form) for number, form in enumerate(forms * 4))
        )
    assert sum(answer.json()["accepted"] for answer in answers) == 1
    assert sum(answer.json()["duplicates"] for answer in answers) == 15
    assert await stored(database_url) == ["same"]


async def test_idempotency_key(server: Served, database_url: str) -> None:
    headers = {"Idempotency-Key": "retry-1"}
    for expected in (2, 0):
        answer = await server.client.post(
            EVENTS, json=[{"event_type": "a"}, {"event_type": "a"}], headers=headers
        )
        assert answer.json()["accepted"] == expected
    assert await stored(database_url) == ["a", "a"]
    assert (
        await server.client.post(EVENTS, json=[], headers={"Idempotency-Key": "x" * 256})
    ).status_code == 400


async def test_keys(database_url: str) -> None:
    async with api(database_url, sandbox_mode=False) as server:
        keys = {kind: await make_key(database_url, kind) for kind in KeyKind}
        shop = await make_key(database_url, KeyKind.WRITE, "shop")
        body = {"event_type": "keyed"}

        async def status(**request: Any) -> int:
            return (await server.client.post(EVENTS, json=body, **request)).status_code

        assert await status() == 401
        for unreadable in (b"", b"{", b"[" * 2000):
            assert (await server.client.post(EVENTS, content=unreadable)).status_code == 401
        assert await status(headers={"X-API-Key": "wk_" + "x" * 43}) == 401
        assert await status(headers={"X-API-Key": keys[KeyKind.READ]}) == 403
        assert await status(headers={"X-API-Key": keys[KeyKind.WRITE]}) == 202
        assert await status(headers={"Authorization": f"Bearer {keys[KeyKind.SERVER]}"}) == 202
        assert await status(headers={"X-API-Key": keys[KeyKind.ADMIN]}) == 202
        assert await status(headers={"X-API-Key": shop}) == 202
        assert await status(headers={"X-API-Key": shop}, params={"project": "default"}) == 403
        beacon = json.dumps({"events": [body], "key": shop})
        answer = await server.client.post(EVENTS, content=beacon, headers={"Content-Type": "text/plain"})
        assert answer.status_code == 202
        config = "/api/v1/analytics/config"
        assert (await server.client.get(config)).status_code == 401
        assert (
            await server.client.get(config, headers={"X-API-Key": keys[KeyKind.WRITE]})
        ).status_code == 403
        assert (await server.client.get(config, headers={"X-API-Key": keys[KeyKind.READ]})).status_code == 200
    assert await stored(database_url, "trusted, project_id") == [
        (False, 1), (True, 1), (True, 1), (False, 2), (False, 2),
    ]  # fmt: skip


async def test_a_key_that_sends_too_fast_is_told_when_to_come_again(database_url: str) -> None:
    async with api(database_url, sandbox_mode=False, write_key_events_per_second=20) as server:
        fast, other = [await make_key(database_url, KeyKind.WRITE) for _ in range(2)]
        own = await make_key(database_url, KeyKind.WRITE, events_per_second=0)
        batch = [{"event_type": "fast", "event_id": str(uuid.uuid4())} for _ in range(210)]

        async def post(key: str, *, in_body: bool = False) -> httpx.Response:
            if in_body:
                return await server.client.post(EVENTS, json={"events": batch, "key": key})
            return await server.client.post(EVENTS, json=batch, headers={"X-API-Key": key})

        assert (await post(fast)).status_code == 202
        for answer in (await post(fast), await post(fast, in_body=True)):
            assert answer.status_code == 429
            assert answer.headers["content-type"] == "application/problem+json"
            assert "20 events a second" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) == 1
        assert (await post(other)).status_code == 202, "its bucket is its own"
        assert [(await post(own)).status_code for _ in range(3)] == [202] * 3
        await asyncio.sleep(int(answer.headers["retry-after"]))
        assert (await post(fast)).status_code == 202
    assert await stored(database_url) == ["fast"] * 210


async def test_pages_of_any_origin_may_send(server: Served) -> None:
    origin = {"Origin": "https://app.example"}
    preflight = await server.client.options(
        EVENTS,
        headers={
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    for body, status in ((b'{"event_type": "a"}', 202), (b"{", 400)):
        answer = await server.client.post(EVENTS, content=body, headers=origin)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in (await server.client.post(EVENTS, json=[])).headers


async def test_other_methods_are_told_what_is_possible(server: Served) -> None:
    """Events are read at the same path, and posting them passes no router."""
    answer = await server.client.put(EVENTS, json=[])
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_request_ids(server: Served) -> None:
    answer = await server.client.post(EVENTS, json=[], headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    ids = {(await server.client.post(EVENTS, json=[])).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_switched_off(database_url: str) -> None:
    async with api(database_url, enabled=False) as server:
        answer = await server.client.post(EVENTS, json=[{"event_type": "a"}, {"event_type": 5}])
    assert answer.status_code == 202
    assert [result["status"] for result in answer.json()["results"]] == ["ignored", "ignored"]
    assert await stored(database_url) == []


async def test_a_client_that_hangs_up_half_way_leaves_nothing(server: Served, database_url: str) -> None:
    for _ in range(20):
        _, writer = await server.connect()
        writer.write(
            b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n[{"
        )
        await writer.drain()
        writer.close()
    assert (await server.client.post(EVENTS, json={"event_type": "after"})).status_code == 202
    assert await stored(database_url) == ["after"]


async def test_a_body_that_never_ends_is_given_up(database_url: str) -> None:
    async with api(database_url, client_timeout_seconds=1) as server:
        reader, writer = await server.connect()
        writer.write(
            b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n[{"
        )
        await writer.drain()
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        assert (await server.client.post(EVENTS, json={"event_type": "after"})).status_code == 202


async def test_the_apis_own_requests(server: Served, database_url: str) -> None:
    """Product routes become events of their project; intake is counted per minute instead; neither counts people."""
    for _ in range(3):
        await server.client.get("/api/v1/analytics/config")
        await server.client.post(EVENTS, json={"event_type": "a"})
    await server.client.get("/health/live")
    async with open_database(database_url) as database:
        for _ in range(400):
            events = await database.pool.fetch(
                "SELECT event_data, has_person FROM events WHERE event_type = 'api_request'"
            )
            minutes = await database.pool.fetch(
                "SELECT method, route, status, caller, requests FROM request_minutes"
            )
            if len(events) == 3 and minutes:
                break
            await asyncio.sleep(0.05)
    assert [json.loads(row["event_data"])["route"] for row in events] == ["/api/v1/analytics/config"] * 3
    assert not any(row["has_person"] for row in events)
    assert [tuple(row) for row in minutes] == [("POST", EVENTS, 202, "local", 3)]


async def test_the_document_describes_what_happens(server: Served) -> None:
    document = (await server.client.get("/openapi.json")).json()
    operation = document["paths"][EVENTS]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = await server.client.post(EVENTS, json=example)
    assert answer.status_code == 202
    schema = operation["responses"]["202"]["content"]["application/json"]["schema"]
    assert set(answer.json()) == set(schema["properties"])
    assert set(answer.json()["results"][0]) <= set(schema["properties"]["results"]["items"]["properties"])
    for problem in ("400", "401", "403", "413", "422", "503"):
        reference = operation["responses"][problem]["$ref"].rsplit("/", 1)[1]
        assert "application/problem+json" in document["components"]["responses"][reference]["content"]
    for path, operations in document["paths"].items():
        for method, described in operations.items():
            assert described.get("summary"), f"{method} {path} has no summary"


async def test_many_connections(server: Served, database_url: str) -> None:
    """Five hundred clients at once, one event each."""
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.client.base_url, limits=limits, timeout=60) as client:
        answers = await asyncio.gather(
            *(client.post(EVENTS, json={"event_type": "many"}) for _ in range(500))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len(await stored(database_url)) == 500

"""A request whose body comes with its head is answered without ASGI; with what, and what is stored, is the same either way."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import asyncpg

from analytics_api.app import create_app
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.ingest.front import IntakeFront
from analytics_api.settings import Settings
from analytics_api.store.keys import create_key
from analytics_api.store.projects import create_project
from tests.support.events import open_database
from tests.support.raw import Answer, connected, request
from tests.support.serving import served

ROOT = "/api/v1/analytics"
ID = "7b0c63b5-6c1f-4f0e-9c58-9a2f1cf9{:04}"
SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}}
PLAN = {"mode": "quarantine", "unknown_types": "allow", "event_types": {"purchase": {"schema": SCHEMA}}}


def event(number: int, **fields: Any) -> dict[str, Any]:
    """One that is the same whenever it is made."""
    return {"event_type": "seen", "event_id": ID.format(number), "user_id": "ursula", **fields}


SENT: list[tuple[Any, list[str]]] = [
    (event(1), []),
    (event(1, event_data={"other": 1}), []),
    ([event(2), {"event_type": 7}, event(2), event(3, event_data={"email": "a@b.c"}, extra=1)], []),
    ({"events": [event(4)], "sent_at": "2026-01-01T00:00:00Z"}, []),
    (b"".join(json.dumps(event(number)).encode() + b"\n" for number in (5, 6)), ["Content-Type: application/x-ndjson"]),
    ({"event_type": 7}, []),
    ([], []),
    ([event(number) for number in range(10, 31)], []),
    ([{"event_type": "a"}, {"event_type": "a"}], ["Idempotency-Key: one"]),
    ([{"event_type": "a"}, {"event_type": "a"}], ["Idempotency-Key: one"]),
    (event(40), [f"Idempotency-Key: {'x' * 256}"]),
    (b"{", []),
    (b"", []),
    (b'{"event_type": "\\ud800"}', []),
    (gzip.compress(json.dumps(event(41)).encode()), ["Content-Encoding: gzip"]),
    (event(42), ["Origin: https://app.example", "X-Request-ID: mine-42"]),
    (event(43), ["Sec-GPC: 1", "DNT: 1", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"]),
    (event(44, context={"consent": {"analytics": True}}), []),
    (event(45, event_type="purchase", event_data={"price": "five"}), []),
    ([event(46, event_type="purchase", event_data={"price": "six"}), event(47)], []),
    (event(48, event_data={"text": "x" * 60_000}), []),
    (event(49, event_data={"text": "x" * 70_000}), []),
    (event(50, event_type="payment_completed", revenue=5), []),
]  # fmt: skip


async def send(port: int, head: bytes, body: bytes, *, whole: bool) -> Answer:
    """On a connection of its own; not `whole`: the body comes later than its head."""
    async with connected(port) as client:
        if whole:
            await client.send(head + body)
        else:
            await client.send(head)
            await asyncio.sleep(0.03)
            await client.send(body)
        answer = await client.answer()
    assert answer is not None
    return answer


def compared(answer: Answer) -> tuple[Any, ...]:
    """What does not differ from one sending to the next."""
    changing = ("date",) if answer.headers.get("x-request-id") == "mine-42" else ("date", "x-request-id")
    assert answer.headers["x-request-id"]
    body = json.loads(answer.body)
    for result in body.get("results", []):
        if not result.get("event_id", "").startswith(ID[:20]):
            result.pop("event_id", None)
    return answer.status, {n: v for n, v in answer.headers.items() if n not in changing}, body


async def rows(pool: asyncpg.Pool, project: str) -> list[tuple[Any, ...]]:
    """What is stored of a project, but for what differs between projects and sendings."""
    columns = (
        "event_type, user_id, event_data, context, user_properties, revenue, is_bot, trusted, has_person"
    )
    found = await pool.fetch(
        f"""SELECT {columns} FROM events JOIN projects p ON p.id = project_id
        WHERE p.slug = $1 AND event_type <> 'api_request' ORDER BY seq""",
        project,
    )
    return [tuple(row) for row in found]


async def test_both_ways_are_the_same(database_url: str, monkeypatch: Any) -> None:
    begun: list[bool] = []
    begin = IntakeFront.begin

    def noted(*arguments: Any) -> bool:
        begun.append(begin(*arguments))
        return begun[-1]

    monkeypatch.setattr(IntakeFront, "begin", noted)
    ways = {"whole": True, "parts": False}
    app = create_app(Settings(_env_file=None, sandbox_mode=True), database_url)
    async with (
        open_database(database_url) as database,
        app.router.lifespan_context(app),
        served(app) as server,
    ):
        keys = {}
        for name in ways:
            async with database.write() as connection:
                project = await create_project(connection, name, now=system_clock())
                for kind in (KeyKind.WRITE, KeyKind.SERVER, KeyKind.READ):
                    keys[name, kind] = await create_key(connection, project.id, kind, now=system_clock())
            put = await server.client.put(f"{ROOT}/tracking-plan", json=PLAN, params={"project": name})
            assert put.status_code == 200, put.text
        for kind in (KeyKind.WRITE, KeyKind.SERVER, KeyKind.READ):
            for body, lines in SENT:
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                answers = []
                for name, whole in ways.items():
                    made = request(sent, *lines, f"X-API-Key: {keys[name, kind]}", close=False)
                    head = made[: len(made) - len(sent)]
                    answers.append(compared(await send(server.port, head, sent, whole=whole)))
                assert answers[0] == answers[1], body
        assert sum(begun) > 20, "most of those that came whole were answered without ASGI"
        stored = [await rows(database.pool, name) for name in ways]
    assert len(stored[0]) > 30
    assert stored[0] == stored[1]

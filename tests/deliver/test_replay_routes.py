"""Replays over HTTP, and worked on by another process than the one that was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from analytics_api.deliver.replays import PATIENCE
from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from tests.support.destinations import call, serving, webhook
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, WebhookStandIn
from tests.support.replaying import finished


async def write(database: Database, project: Project, number: int) -> None:
    await write_events(
        database, [make_event(project, "ab"[n % 2], user_id=f"u{n % 4}") for n in range(number)]
    )


async def test_a_replay_from_beginning_to_end(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    amplitude: AmplitudeStandIn,
) -> None:
    await write(database, project, 20)
    await worker.flush()
    assert len(amplitude.stored) == 20
    amplitude.forget()
    made = await call(
        api,
        "POST",
        "/deliveries/replay",
        {
            "destination": "amplitude",
            "from": "2026-03-01",
            "until": "2026-03-31",
            "event_types": ["a"],
            "allow_repetitions": True,
        },
        expect=201,
    )
    assert (made["state"], made["estimated"], made["done"], made["progress"]) == ("running", 10, 0, 0.0)
    assert made["choice"] == {
        "from": "2026-03-01T00:00:00Z",
        "until": "2026-04-01T00:00:00Z",
        "time": "occurrence",
        "event_types": ["a"],
        "user_ids": [],
        "anonymous_ids": [],
        "properties": {},
    }
    found = await finished(api, worker, made["id"])
    assert (found["state"], found["done"], found["delivered"], found["progress"]) == ("done", 10, 10, 1.0)
    assert found["finished_at"] is not None
    assert {event["event_type"] for event in amplitude.stored} == {"a"}
    (live,) = (await call(api, "GET", "/deliveries"))["destinations"]
    assert (live["destination"], live["delivered"], live["pending"]) == ("amplitude", 20, 0)


async def test_backfill_of_an_added_destination(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await write(database, project, 20)
    await call(api, "POST", "/destinations", webhook(receiver), expect=201)
    await worker.notice()
    await write(database, project, 3)
    made = await call(
        api, "POST", "/deliveries/replay", {"destination": "webhook", "backfill": True}, expect=201
    )
    assert made["estimated"] == 20
    assert (await finished(api, worker, made["id"]))["delivered"] == 20
    await worker.flush()
    assert len(receiver.stored) == 23
    assert not receiver.repeated


async def test_pages_pause_and_cancel(
    database: Database, project: Project, api: httpx.AsyncClient, worker: Destinations
) -> None:
    await write(database, project, 5)
    body = {"destination": "amplitude", "allow_repetitions": True, "events_per_second": 1}
    ids = [(await call(api, "POST", "/deliveries/replay", body, expect=201))["id"] for _ in range(3)]
    page = await call(api, "GET", "/deliveries/replays?limit=2")
    assert [each["id"] for each in page["replays"]] == [ids[2], ids[1]]
    page = await call(api, "GET", f"/deliveries/replays?limit=2&before={page['next']}")
    assert ([each["id"] for each in page["replays"]], page["next"]) == ([ids[0]], None)
    assert (await call(api, "GET", "/deliveries/replays?destination=mixpanel"))["replays"] == []

    first = f"/deliveries/replays/{ids[0]}"
    paused = await call(api, "PATCH", first, {"state": "paused"})
    assert (paused["state"], paused["reason"]) == ("paused", "paused by hand")
    faster = await call(api, "PATCH", first, {"state": "running", "events_per_second": 1000})
    assert (faster["state"], faster["events_per_second"]) == ("running", 1000)
    assert (await call(api, "PATCH", first, {"state": "cancelled"}))["state"] == "cancelled"
    gone = await call(api, "PATCH", first, {"state": "running"}, expect=409)
    assert "cancelled already" in gone["detail"]
    for replay_id in ids[1:]:
        await call(api, "PATCH", f"/deliveries/replays/{replay_id}", {"events_per_second": 1000})
        assert (await finished(api, worker, replay_id))["done"] == 5


async def test_an_error_of_our_own_ends_in_failed_and_can_be_resumed(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await write(database, project, 5)
    # Its pace makes it wait between the attempts.
    body = {"destination": "amplitude", "allow_repetitions": True, "events_per_second": 50}
    made = await call(api, "POST", "/deliveries/replay", body, expect=201)
    monkeypatch.setattr("analytics_api.deliver.replays.backoff", lambda _failures: 0.0)
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE delivery_counts RENAME TO elsewhere")
    state = "running"
    while state == "running":
        await asyncio.sleep(0.02)
        await worker.replays.notice()
        state = await database.pool.fetchval("SELECT state FROM replays")
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE elsewhere RENAME TO delivery_counts")
    found = await call(api, "GET", f"/deliveries/replays/{made['id']}")
    assert (found["state"], found["done"]) == ("failed", 0)
    assert "delivery_counts" in found["reason"]
    assert sum("met an error" in line for line in caplog.messages) == PATIENCE
    await call(api, "PATCH", f"/deliveries/replays/{made['id']}", {"state": "running"})
    assert (await finished(api, worker, made["id"]))["delivered"] == 5


async def test_closing_leaves_the_rest_to_the_next_process(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    api: httpx.AsyncClient,
    worker: Destinations,
    amplitude: AmplitudeStandIn,
) -> None:
    await write(database, project, 30)
    body = {"destination": "amplitude", "allow_repetitions": True, "events_per_second": 10}
    made = await call(api, "POST", "/deliveries/replay", body, expect=201)
    await worker.replays.notice()
    while not amplitude.stored:
        await asyncio.sleep(0.01)
    await worker.close()
    done = (await call(api, "GET", f"/deliveries/replays/{made['id']}"))["done"]
    assert done == len(amplitude.stored) < 30


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"destination": "amplitude", "from": "soon"}, 422, "from: use a date"),
        ({"destination": "amplitude", "event_types": ["never"]}, 422, "nothing to send"),
        ({"destination": "segment"}, 404, "no destination 'segment'"),
        ({"destination": "amplitude", "rate": 3}, 422, "rate: is not known here"),
        ({"destination": "amplitude", "events_per_second": 0}, 422, "events_per_second"),
        ({"destination": "amplitude", "time": "tea"}, 422, "time"),
        ({}, 422, "destination: is required"),
    ],
)
async def test_what_cannot_be_asked_for(
    database: Database, project: Project, api: httpx.AsyncClient, body: Any, status: int, words: str
) -> None:
    await write(database, project, 1)
    assert words in (await call(api, "POST", "/deliveries/replay", body, expect=status))["detail"]


async def test_another_projects_replay_is_not_there(
    database: Database, project: Project, api: httpx.AsyncClient
) -> None:
    assert "no replay 7" in (await call(api, "GET", "/deliveries/replays/7", expect=404))["detail"]
    await call(api, "PATCH", "/deliveries/replays/7", {"state": "paused"}, expect=404)
    await call(api, "PATCH", "/deliveries/replays/7", {}, expect=422)


@pytest.mark.parametrize(
    ("kind", "method", "path", "status"),
    [
        (KeyKind.READ, "GET", "/deliveries/replays", 200),
        (KeyKind.READ, "GET", "/deliveries/replays/1", 404),
        (KeyKind.READ, "POST", "/deliveries/replay", 403),
        (KeyKind.READ, "PATCH", "/deliveries/replays/1", 403),
        (KeyKind.WRITE, "GET", "/deliveries/replays", 403),
        (KeyKind.SERVER, "GET", "/deliveries/replays", 403),
    ],
)
async def test_rights(
    database: Database,
    project: Project,
    worker: Destinations,
    kind: KeyKind,
    method: str,
    path: str,
    status: int,
) -> None:
    async with await serving(database, project, worker, kind=kind) as api:
        body = {"destination": "amplitude", "state": "paused"} if method != "GET" else None
        await call(api, method, path, body if "replays/" not in path else {"state": "paused"}, expect=status)

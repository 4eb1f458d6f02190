"""The calls under /alerts, through FastAPI and real keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.alert.routes import router
from analytics_api.domain.project import KeyKind
from analytics_api.store.keys import create_key
from analytics_api.store.projects import create_project
from tests.support.alerting import AlertReceiver, World
from tests.support.destinations import call
from tests.support.providers import Fault

WATCH = {"name": "signups", "kind": "missing_event_type", "parameters": {"event_type": "signup"}}


async def serving(world: World, kind: KeyKind, project_id: int | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    router.put_into(app)
    app.state.database = world.database
    app.state.authenticator = Authenticator(world.database, open_on_loopback=False)
    app.state.services = SimpleNamespace(alerts=world.alerts)
    async with world.database.write() as session:
        key = await create_key(session, project_id or world.project.id, kind, now=datetime.now(UTC))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver", headers={"X-API-Key": key}
    )


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """With an admin key."""
    async with await serving(world, KeyKind.ADMIN) as client:
        yield client


def hook(receiver: AlertReceiver, **more: Any) -> dict[str, Any]:
    options = {"url": f"{receiver.url}/hook", "secret": receiver.secret}
    return {"name": "on call", "kind": "webhook", "options": options, **more}


async def test_what_fires_what_was_and_who_knows(world: World, api: httpx.AsyncClient) -> None:
    await world.rule("destination_paused")
    for name in ("a", "b", "c"):
        await world.destination(name)
        await world.pause(name)
    await world.round()
    for name in ("a", "b"):
        await world.resume(name)
        await world.round()
    shown = await call(api, "GET", "/alerts?limit=1")
    assert datetime.fromisoformat(shown["evaluated_at"]) == world.clock()
    assert [(each["subject"], each["state"]) for each in shown["current"]] == [("destination:c", "firing")]
    assert [each["subject"] for each in shown["history"]] == ["destination:b"]
    page = await call(api, "GET", f"/alerts?limit=1&before={shown['next']}")
    assert [(each["subject"], each["state"]) for each in page["history"]] == [("destination:a", "resolved")]
    assert page["next"] is None
    number = shown["current"][0]["id"]
    known = await call(api, "POST", f"/alerts/{number}/acknowledge")
    assert known["acknowledged_at"] is not None
    again = await call(api, "POST", f"/alerts/{number}/acknowledge")
    assert again["acknowledged_at"] == known["acknowledged_at"]
    over = shown["history"][0]["id"]
    answer = await call(api, "POST", f"/alerts/{over}/acknowledge", expect=404)
    assert answer["detail"] == f"Project default has no alert {over} that is firing."


async def test_rules(world: World, api: httpx.AsyncClient) -> None:
    added = await call(api, "POST", "/alerts/rules", WATCH, expect=201)
    assert added["parameters"] == {"event_type": "signup", "minutes": 60}, "with what was left out"
    assert (added["hold_seconds"], added["remind_hours"], added["channel_ids"]) == (0, 24, None)
    path = f"/alerts/rules/{added['id']}"
    changed = await call(api, "PATCH", path, {"remind_hours": None, "hold_seconds": 60})
    assert (changed["remind_hours"], changed["hold_seconds"], changed["parameters"]) == (
        None,
        60,
        added["parameters"],
    )
    listed = await call(api, "GET", "/alerts/rules")
    assert listed["rules"] == [changed]
    assert {kind["kind"] for kind in listed["kinds"]} >= {"backlog_age", "error_rate", "job_not_run"}
    await call(api, "DELETE", path, expect=204)
    for method in ("DELETE", "PATCH"):
        answer = await call(api, method, path, {"enabled": False}, expect=404)
        assert answer["detail"] == f"Project default has no alert rule {added['id']}."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "missing"}, "kind: 'missing' is not known; "),
        ({"kind": "backlog_ag"}, "did you mean backlog_age?"),
        ({"parameters": {}}, "parameters.event_type: field required"),
        ({"parameters": {"event_type": "a", "minute": 5}}, "did you mean minutes?"),
        ({"parameters": {"event_type": "a", "minutes": 0}}, "parameters.minutes: input should be greater"),
        ({"parameters": {"event_type": "a\0"}}, "parameters.event_type: use printable characters"),
        ({"kind": "job_not_run", "parameters": {"job": "close-day"}}, "did you mean close-days?"),
        ({"kind": "error_rate", "parameters": {"percent": "many"}}, "parameters.percent: input should be"),
        ({"channel_ids": [12]}, "channel_ids: project default has no channel 12."),
        ({"name": " "}, "name: use 1 to 100 printable characters."),
        ({"hold_seconds": -1}, "hold_seconds: input should be greater"),
        ({"remind_hours": 0}, "remind_hours: input should be greater"),
        ({"surprise": 1}, "surprise: is not known here"),
    ],
)
async def test_rules_that_cannot_be(api: httpx.AsyncClient, change: dict[str, Any], words: str) -> None:
    answer = await call(api, "POST", "/alerts/rules", {**WATCH, **change}, expect=422)
    assert words in answer["detail"]


async def test_names_are_there_once(api: httpx.AsyncClient, receiver: AlertReceiver) -> None:
    await call(api, "POST", "/alerts/rules", WATCH, expect=201)
    await call(api, "POST", "/alerts/rules", WATCH, expect=409)
    other = await call(api, "POST", "/alerts/rules", {**WATCH, "name": "other"}, expect=201)
    await call(api, "PATCH", f"/alerts/rules/{other['id']}", {"name": "signups"}, expect=409)
    await call(api, "POST", "/alerts/channels", hook(receiver), expect=201)
    await call(api, "POST", "/alerts/channels", hook(receiver), expect=409)
    second = await call(api, "POST", "/alerts/channels", hook(receiver, name="two"), expect=201)
    await call(api, "PUT", f"/alerts/channels/{second['id']}", hook(receiver), expect=409)


async def test_channels_and_their_secrets(
    world: World, api: httpx.AsyncClient, receiver: AlertReceiver
) -> None:
    added = await call(api, "POST", "/alerts/channels", hook(receiver), expect=201)
    assert (added["options"], added["secrets_set"]) == ({"url": f"{receiver.url}/hook"}, ["secret"])
    path = f"/alerts/channels/{added['id']}"
    assert await call(api, "POST", f"{path}/test") == {"sent": True, "error": None}
    receiver.broken = Fault("status", status=503)
    await world.rule("destination_paused")
    await world.destination("a")
    await world.pause("a")
    await world.round()
    await world.alerts.send()
    (failing,) = (await call(api, "GET", "/alerts/channels"))["channels"]
    assert (failing["waiting"], failing["failures"], failing["last_error"]) == (1, 1, "HTTP 503: {}")
    url = f"{receiver.url}/slack"
    slack = {"name": "slack", "kind": "slack", "options": {"url": url}}
    replaced = await call(api, "PUT", path, slack)
    assert (replaced["kind"], replaced["options"], replaced["secrets_set"], replaced["waiting"]) == (
        "slack",
        {},
        ["url"],
        1,
    )
    for answer in (await api.get("/alerts/channels"), await api.get("/alerts/rules")):
        assert receiver.secret not in answer.text
        assert url not in answer.text
    async with world.database.acquire() as connection:
        row = await connection.fetchval("SELECT c::text || encode(secrets, 'escape') FROM alert_channels c")
    assert url not in row
    await call(api, "DELETE", path, expect=204)
    for method, more in (("DELETE", ""), ("PUT", ""), ("POST", "/test")):
        answer = await call(api, method, path + more, slack, expect=404)
        assert answer["detail"] == f"Project default has no alert channel {added['id']}."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "pager"}, "kind: 'pager' is not known; use one of webhook, slack, email."),
        ({"options": {}}, "options: url is missing."),
        ({"options": {"url": "example.org", "secret": "y" * 20}}, "url must start with http"),
        ({"options": {"url": "https://a:b@example.org", "secret": "y" * 20}}, "must not hold a user name"),
        ({"options": {"url": "https://example.org", "secret": "short"}}, "at least 16 bytes"),
        ({"options": {"url": "https://example.org", "secrt": "y" * 20}}, "did you mean secret?"),
        ({"kind": "email", "options": {"to": "ada@example.org"}}, "ANALYTICS__SMTP_HOST"),
    ],
)
async def test_channels_that_cannot_be(
    api: httpx.AsyncClient, receiver: AlertReceiver, change: dict[str, Any], words: str
) -> None:
    answer = await call(api, "POST", "/alerts/channels", {**hook(receiver), **change}, expect=422)
    assert words in answer["detail"]
    assert "y" * 20 not in str(answer)


async def test_who_may_do_what(world: World, receiver: AlertReceiver) -> None:
    rule = await world.rule("destination_paused")
    channel = await world.hook(receiver)
    for kind in (KeyKind.READ, KeyKind.SERVER, KeyKind.WRITE):
        async with await serving(world, kind) as api:
            read = 200 if kind is KeyKind.READ else 403
            await call(api, "GET", "/alerts", expect=read)
            await call(api, "GET", "/alerts/rules", expect=read)
            await call(api, "GET", "/alerts/channels", expect=403)
            await call(api, "POST", "/alerts/rules", WATCH, expect=403)
            await call(api, "PATCH", f"/alerts/rules/{rule}", {"enabled": False}, expect=403)
            await call(api, "DELETE", f"/alerts/rules/{rule}", expect=403)
            await call(api, "POST", "/alerts/channels", hook(receiver), expect=403)
            await call(api, "POST", f"/alerts/channels/{channel}/test", expect=403)
            await call(api, "DELETE", f"/alerts/channels/{channel}", expect=403)
    async with world.database.write() as session:
        other = await create_project(session, "other", now=world.clock())
    async with await serving(world, KeyKind.ADMIN, other.id) as api:
        assert (await call(api, "GET", "/alerts/channels"))["channels"] == []
        await call(api, "DELETE", f"/alerts/rules/{rule}", expect=404)
        await call(api, "POST", f"/alerts/channels/{channel}/test", expect=404)
        body = {**WATCH, "channel_ids": [channel]}
        await call(api, "POST", "/alerts/rules", body, expect=422)
    assert not receiver.requests

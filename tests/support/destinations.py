"""Calls to /destinations and /deliveries for tests, through FastAPI and real keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.deliver import (
    dead_letter_routes,
    destination_routes,
    fate_routes,
    overview_routes,
    replay_routes,
    routes,
)
from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from analytics_api.store.secret_box import SecretBox
from tests.support.providers import WebhookStandIn

BOX = SecretBox(lambda: b"a key of sixteen characters")


async def serving(
    database: Database,
    project: Project,
    destinations: Destinations,
    *,
    box: SecretBox = BOX,
    kind: KeyKind = KeyKind.ADMIN,
) -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    for room in (overview_routes, routes, dead_letter_routes, fate_routes, replay_routes, destination_routes):
        room.router.put_into(app)
    app.state.database = database
    app.state.authenticator = Authenticator(database, open_on_loopback=False)
    app.state.services = SimpleNamespace(destinations=destinations, box=box)
    async with database.write() as session:
        key = await create_key(session, project.id, kind, now=datetime.now(UTC))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://testserver",
        headers={"Authorization": f"Bearer {key}"},
    )


def webhook(receiver: WebhookStandIn, **more: Any) -> dict[str, Any]:
    options = {"url": f"{receiver.url}/hook", "secret": receiver.secret}
    return {"kind": "webhook", "options": options, **more}


async def call(api: httpx.AsyncClient, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
    answer = await api.request(method, path, json=body)
    assert answer.status_code == expect, answer.text
    return answer.json() if answer.content else None


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def named(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    found = (await call(api, "GET", "/destinations"))["destinations"]
    return next(each for each in found if each["name"] == name)

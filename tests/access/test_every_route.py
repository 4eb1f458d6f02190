"""Every route as everybody there is, compared with docs/access.md; and what belongs to others stays out of reach."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from analytics_api.access.cookies import COOKIE, SHARE_COOKIE, csrf_token
from analytics_api.app import create_app
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind, Role
from analytics_api.settings import Settings
from analytics_api.store.keys import create_key
from analytics_api.store.shares import begin_viewing, create_share
from analytics_api.store.user_sessions import open_session
from analytics_api.store.users import User
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Browser, Site, running_site

TABLE = Path(__file__).parents[2] / "docs" / "access.md"
LINE = re.compile(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \|$", re.M)

MEMBERS = {"viewer", "editor", "owner"}
OPEN_TO: dict[str, set[str]] = {
    "key": {"write key", "server key", "admin key"},
    "send": {"write key", "server key", "admin key", "owner"},
    "trusted": {"server key", "admin key", "owner"},
    "figures": {"share link", "read key", "read key in the address", "admin key", *MEMBERS},
    "read": {"read key", "read key in the address", "admin key", *MEMBERS},
    "edit": {"admin key", "editor", "owner"},
    "admin": {"admin key", "owner"},
    "login": {*MEMBERS, "owner elsewhere"},
    "session": {*MEMBERS, "owner elsewhere", "share link"},
}
UNCHECKED = {"open", "local", "signed"}
"""Those that anybody may call; their own tests say what comes of it."""


def declared() -> dict[str, str]:
    """Call and need."""
    return {f"{method} {path}": need for method, path, need in LINE.findall(TABLE.read_text())}


def routes() -> set[str]:
    """All calls of the application, those that no document shows included."""
    app = create_app(Settings(_env_file=None), "postgresql://nowhere")
    found = {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path or '').removeprefix(API)}"
        for route in iter_route_contexts(list(app.routes))
        for method in (route.methods or set()) - {"HEAD"}
    }
    return found | {"POST /events"}


def test_every_route_is_declared_and_every_declared_route_is_there() -> None:
    missing, gone = routes() - declared().keys(), declared().keys() - routes()
    assert not missing, f"Say in docs/access.md what these need: {sorted(missing)}"
    assert not gone, f"Take these out of docs/access.md: {sorted(gone)}"
    assert set(declared().values()) <= OPEN_TO.keys() | UNCHECKED


@dataclass
class Who:
    """Somebody who makes calls."""

    site: Site
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    user: User | None = None

    async def login_headers(self) -> dict[str, str]:
        """Of a session for this call: some calls end them. Empty for those who do not log in."""
        if self.user is None:
            return {}
        async with self.site.database.write() as connection:
            token, _ = await open_session(
                connection, self.user.id, system_clock(), self.site.app.state.authenticator.logins.lasts
            )
        return {
            "Cookie": f"{COOKIE}={token}",
            "X-CSRF-Token": csrf_token(token),
            "Sec-Fetch-Site": "same-origin",
        }

    async def call(self, method: str, path: str) -> int:
        """The status of a call with nothing in it that could be found."""
        headers = {**self.headers, **await self.login_headers()}
        filled = re.sub(r"{\w+}", "999999", path)
        prefix = "" if re.match(r"/(docs|health|metrics$|openapi|sdk)", path) else API
        body: dict[str, Any] = {} if method == "GET" else {"json": {}}
        async with self.site.server.client.stream(
            method, f"{prefix}{filled}?project=default{self.query}", headers=headers, **body
        ) as answer:
            return answer.status_code


async def everybody(site: Site) -> dict[str, Who]:
    """One of each kind, and an owner and an admin key of another project."""
    people = {"nobody": Who(site)}
    projects = {name: await make_project(site.database, name) for name in ("default", "elsewhere")}
    async with site.database.write() as connection:
        for kind in KeyKind:
            key = await create_key(connection, projects["default"].id, kind, now=NOW)
            people[f"{kind} key"] = Who(site, {"X-API-Key": key})
            if kind is KeyKind.READ:
                people["read key in the address"] = Who(site, query=f"&key={key}")
        key = await create_key(connection, projects["elsewhere"].id, KeyKind.ADMIN, now=NOW)
        _, share = await create_share(
            connection, projects["default"].id, "all", "overview", password_hash=None, created_by="local",
            expires_at=None, now=NOW,
        )  # fmt: skip
        token = await begin_viewing(connection, share.id, system_clock(), system_clock() + timedelta(hours=1))
        people["share link"] = Who(
            site, {"Cookie": f"{SHARE_COOKIE}={token}", "Sec-Fetch-Site": "same-origin"}
        )
        people["admin key elsewhere"] = Who(site, {"X-API-Key": key})
    for role in Role:
        people[str(role)] = Who(site, user=await site.add(str(role), {"default": role}))
    people["owner elsewhere"] = Who(site, user=await site.add("elsewhere", {"elsewhere": Role.OWNER}))
    return people


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        yield site


async def test_each_call_is_open_to_those_and_to_nobody_else(site: Site) -> None:
    people = await everybody(site)
    wrong: list[str] = []
    calls = 0
    for call, need in declared().items():
        if need in UNCHECKED:
            continue
        method, path = call.split(" ", 1)
        for name, who in people.items():
            status = await who.call(method, path)
            calls += 1
            # Without any login or key 401; with one that does not do, 403 (or 401 where only the other kind is taken).
            refused = status in ({401} if name == "nobody" else {401, 403})
            if refused is (name in OPEN_TO[need]) or (status >= 500 and status != 503):
                wrong.append(f"{call} needs {need}: {name} got {status}")
    assert wrong == []
    assert calls > 900


# What belongs to others -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def logged_in(site: Site, name: str, project: str) -> AsyncIterator[Browser]:
    await site.add(name, {project: Role.OWNER})
    async with site.browser() as browser:
        assert (await browser.log_in(name)).status_code == 200
        yield browser


async def test_what_one_project_has_made_is_not_there_for_another(site: Site) -> None:
    async with logged_in(site, "olga", "default") as olga, logged_in(site, "eve", "elsewhere") as eve:
        made = {
            "/alerts/rules": {"name": "Backlog", "kind": "destination_paused", "parameters": {}},
            "/alerts/channels": {
                "kind": "slack",
                "name": "ops",
                "options": {"url": "https://hooks.slack.com/x"},
            },
            "/destinations": {"kind": "amplitude", "name": "mine", "options": {"api_key": "0" * 32}},
            "/keys": {"kind": "read"},
            "/invitations": {"role": "viewer"},
        }
        answers = {path: await olga.post(path, body) for path, body in made.items()}
        things = {path: answer.json() for path, answer in answers.items() if answer.status_code == 201}
        assert len(things) == 5, {path: answer.text for path, answer in answers.items()}
        before = {path: (await olga.get(path)).json() for path in made}
        for path, thing in things.items():
            one = f"{path}/{thing['name'] if path == '/destinations' else thing['id']}"
            for method, body in (("DELETE", None), ("PATCH", {"name": "eves"}), ("PUT", made[path])):
                status = (await eve.call(method, one, body)).status_code
                assert status in (404, 405, 422), (method, one, status)
                status = (await eve.call(method, f"{one}?project=default", body)).status_code
                assert status in (403, 405), (method, one, status)
        assert {path: (await olga.get(path)).json() for path in made} == before


async def test_a_public_key_neither_makes_money_nor_merges_people(site: Site) -> None:
    project = await make_project(site.database)
    async with site.database.write() as connection:
        keys = {kind: await create_key(connection, project.id, kind, now=NOW) for kind in KeyKind}
    client = site.server.client

    async def send(*events: dict[str, Any]) -> httpx.Response:
        return await client.post(
            f"{API}/events", json=list(events), headers={"X-API-Key": keys[KeyKind.WRITE]}
        )

    forged: list[dict[str, Any]] = [
        {"event_type": "payment_completed", "user_id": "ada", "revenue": 1_000_000, "currency": "USD"},
        {"event_type": "payment_completed", "user_id": "ada", "event_data": {"amount": 5, "currency": "USD"}},
        {"event_type": "subscription_started", "user_id": "ada", "event_data": {"amount": 5, "plan": "x"}},
        {"event_type": "refund_completed", "user_id": "ada", "event_data": {"amount": 5, "currency": "USD"}},
        {"event_type": "page_view", "user_id": "ada", "trusted": True, "revenue": 7, "currency": "USD"},
        {"event_type": "$identify", "user_id": "ada", "event_data": {"previous_user_id": "bob"}},
        {"event_type": "$alias", "user_id": "ada", "event_data": {"alias": "bob"}},
        {"event_type": "$merge", "user_id": "ada", "event_data": {"user_id": "bob"}},
        {"event_type": "page_view", "user_id": "bob"},
    ]
    assert (await send(*forged)).status_code == 202
    for path, body in (
        ("/persons/merge", {"user_id": "ada", "other_user_id": "bob"}),
        ("/persons/unmerge", {"user_id": "ada", "other_user_id": "bob"}),
        ("/spend", {}),
        ("/rates", {}),
    ):
        answer = await client.post(f"{API}{path}", json=body, headers={"X-API-Key": keys[KeyKind.WRITE]})
        assert answer.status_code == 403
    processed = await client.post(f"{API}/process-events", headers={"X-API-Key": keys[KeyKind.ADMIN]})
    assert processed.status_code == 200
    async with site.database.acquire() as bare:
        stored = await bare.fetch("SELECT * FROM events WHERE event_type <> 'api_request'")
        ledgers = [
            await bare.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("payments", "subscription_changes")
        ]
        merged = {row["person_id"] for row in await bare.fetch("SELECT * FROM person_merges")}
        merged |= {row["canonical_id"] for row in await bare.fetch("SELECT * FROM person_merges")}
    assert ledgers == [0, 0]
    assert {row["trusted"] for row in stored} == {False}
    # A device by the name of bob may have become ada's; the user bob has not.
    assert not merged & {row["person_id"] for row in stored if row["user_id"] == "bob"}

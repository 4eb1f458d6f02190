"""API keys over HTTP: made, listed, replaced without downtime, ended; and read keys in the address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics_api.domain.project import KeyKind, Role
from analytics_api.store.keys import create_key
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Browser, Site, running_site
from tests.support.processes import ServerProcess, clean_environment


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url) as site:
        await site.add("olga", {"default": Role.OWNER})
        yield site


@pytest.fixture
async def olga(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        await browser.log_in("olga")
        yield browser


async def reads(site: Site, key: str) -> int:
    answer = await site.server.client.get(f"{API}/config", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_key_is_shown_once_and_never_listed(site: Site, olga: Browser) -> None:
    made = await olga.post("/keys", {"kind": "read", "name": "wall display", "expires_days": 30})
    assert made.status_code == 201
    key = made.json().pop("key")
    assert await reads(site, key) == 200
    listed = await olga.get("/keys")
    assert key not in listed.text
    (item,) = listed.json()["keys"]
    assert item == {name: value for name, value in made.json().items() if name != "key"}
    assert (item["name"], item["state"], item["prefix"]) == ("wall display", "active", key[:9])
    assert moment(item["expires_at"]) - moment(item["created_at"]) == timedelta(days=30)


async def test_a_key_is_replaced_while_both_work(site: Site, olga: Browser) -> None:
    first = (await olga.post("/keys", {"kind": "read", "name": "etl", "expires_days": 90})).json()
    second = (await olga.post(f"/keys/{first['id']}/rotate", {"overlap_hours": 2})).json()
    assert [await reads(site, one["key"]) for one in (first, second)] == [200, 200]
    assert (second["kind"], second["name"], second["key"] != first["key"]) == ("read", "etl", True)
    assert moment(second["expires_at"]) - moment(second["created_at"]) == timedelta(days=90)
    old = (await olga.get("/keys")).json()["keys"][0]
    assert moment(old["expires_at"]) == moment(second["created_at"]) + timedelta(hours=2)

    # A key that ends sooner does not live longer for being replaced.
    again = await olga.post(f"/keys/{first['id']}/rotate", {"overlap_hours": 100})
    assert again.status_code == 201
    assert (await olga.get("/keys")).json()["keys"][0]["expires_at"] == old["expires_at"]
    third = (await olga.post(f"/keys/{second['id']}/rotate", {"overlap_hours": 0})).json()
    assert [one["state"] for one in (await olga.get("/keys")).json()["keys"]][1] == "expired"
    assert (await olga.post(f"/keys/{second['id']}/rotate", {})).status_code == 404
    assert await reads(site, third["key"]) == 200


async def test_a_key_is_ended(site: Site, olga: Browser) -> None:
    made = (await olga.post("/keys", {"kind": "admin"})).json()
    assert (await olga.call("DELETE", f"/keys/{made['id']}")).status_code == 204
    assert (await olga.call("DELETE", f"/keys/{made['id']}")).status_code == 404
    assert await reads(site, made["key"]) == 401


async def test_keys_of_another_project_are_out_of_reach(site: Site, olga: Browser) -> None:
    made = (await olga.post("/keys", {"kind": "read"})).json()
    await site.add("eve", {"other": Role.OWNER})
    async with site.browser() as eve:
        await eve.log_in("eve")
        assert (await eve.get("/keys")).json()["keys"] == []
        assert (await eve.call("DELETE", f"/keys/{made['id']}")).status_code == 404
        assert (await eve.post(f"/keys/{made['id']}/rotate", {})).status_code == 404
    assert await reads(site, made["key"]) == 200


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "root"},
        {"kind": "read", "name": "a\x00b"},
        {"kind": "read", "expires_days": 0},
        {"kind": "read", "expires_days": 10**12},
        {"kind": "read", "events_per_second": -1},
        {"kind": "read", "project_id": 2},
        {},
    ],
)
async def test_odd_keys_are_refused(olga: Browser, body: Any) -> None:
    assert (await olga.post("/keys", body)).status_code == 422


async def test_only_read_keys_may_stand_in_the_address(site: Site) -> None:
    project = await make_project(site.database)
    expected = {KeyKind.READ: 200, KeyKind.WRITE: 403, KeyKind.SERVER: 403, KeyKind.ADMIN: 403}
    for kind, status in expected.items():
        async with site.database.write() as connection:
            key = await create_key(connection, project.id, kind, now=NOW)
        answer = await site.server.client.get(f"{API}/config", params={"key": key})
        assert answer.status_code == status, kind
        assert key not in answer.text
    assert (await site.server.client.get(f"{API}/config", params={"key": "metalise2025"})).status_code == 401
    assert (await site.server.client.get(f"{API}/config?key=")).status_code == 401


async def test_keys_in_the_address_can_be_switched_off(database_url: str) -> None:
    async with running_site(database_url, query_keys=False) as site:
        project = await make_project(site.database)
        async with site.database.write() as connection:
            key = await create_key(connection, project.id, KeyKind.READ, now=NOW)
        answer = await site.server.client.get(f"{API}/config", params={"key": key})
    assert (answer.status_code, "switched off" in answer.text) == (401, True)


def test_no_key_and_no_password_reaches_a_log_or_a_file(
    tmp_path: Path, process: Callable[..., ServerProcess]
) -> None:
    """Everything that the server and its PostgreSQL have written is searched, with every statement logged."""
    env = {"ANALYTICS__LOG_LEVEL": "DEBUG", "ANALYTICS__ADMIN_PASSWORD": "planted words of the owner"}
    server = process(env, "serve", "--with-worker")
    planted = ["planted words of the owner", "planted but wrong", "rk_" + "planted" * 6 + "1"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "analytics_api",
            "psql",
            "-c",
            "ALTER SYSTEM SET log_statement = 'all'",
            "-c",
            "SELECT pg_reload_conf()",
        ],
        cwd=tmp_path,
        env=clean_environment(env),
        check=False,
        capture_output=True,
    )
    api = server.url + API
    with httpx.Client() as client:
        for password in planted[:2]:
            answer = client.post(f"{api}/auth/login", json={"username": "admin", "password": password})
        login = client.post(f"{api}/auth/login", json={"username": "admin", "password": planted[0]})
        csrf = {"X-CSRF-Token": login.json()["csrf_token"]}
        key = client.post(f"{api}/keys", json={"kind": "read"}, headers=csrf).json()["key"]
        token = client.post(f"{api}/invitations", json={"role": "viewer"}, headers=csrf).json()["token"]
        planted += [key, token, client.cookies["analytics_session"], login.json()["csrf_token"]]
        answers = [
            httpx.get(f"{api}/{path}", params={"key": one, "start_date": "no date"})
            for one in (key, planted[2])
            for path in ("config", "metrics/dashboard", "metrics/aggregated", "no-such-path", "config/")
        ]
        answers.append(httpx.get(f"{server.url}//?key={key}"))
        assert answer.status_code == 401
    server.stop()
    assert not [one.text for one in answers for secret in planted if secret in one.text]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 100
    found = [
        (path.relative_to(tmp_path), secret)
        for path in files
        for secret in planted
        if secret.encode() in path.read_bytes()
    ]
    assert found == []

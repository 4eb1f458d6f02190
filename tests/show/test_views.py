"""Saved views and annotations over HTTP: kept per project, noted by keys, once however often they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics_api.domain.project import KeyKind, Role
from analytics_api.store.keys import create_key
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Site, running_site


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        await site.add("ed", {"default": Role.EDITOR})
        await site.add("eve", {"elsewhere": Role.OWNER})
        yield site


async def test_a_view_is_saved_replaced_and_removed_by_its_project_alone(site: Site) -> None:
    async with site.browser() as ed, site.browser() as eve:
        await ed.log_in("ed")
        await eve.log_in("eve")
        first = (await ed.post("/views", {"name": "week", "view": "overview?range=7d"})).json()
        again = await ed.post("/views", {"name": "week", "view": "funnels?range=30d&steps=a~b"})
        assert again.status_code == 201
        assert again.json()["id"] == first["id"]
        found = (await ed.get("/views")).json()["views"]
        assert [(each["name"], each["view"]) for each in found] == [("week", "funnels?range=30d&steps=a~b")]
        assert (await eve.get("/views")).json()["views"] == []
        assert (await eve.call("DELETE", f"/views/{first['id']}")).status_code == 404
        for view in ("//evil.example", "javascript:alert(1)", "overview?a b", "../login"):
            assert (await ed.post("/views", {"name": "x", "view": view})).status_code == 422, view
        assert (await ed.call("DELETE", f"/views/{first['id']}")).status_code == 204
        assert (await ed.get("/views")).json()["views"] == []


async def test_a_deploy_is_noted_with_a_key_once(site: Site) -> None:
    project = await make_project(site.database, "default")
    async with site.database.write() as connection:
        keys = {kind: await create_key(connection, project.id, kind, now=NOW) for kind in KeyKind}
    client = site.server.client
    deploy = {"label": "Deploy 1.4.2", "at": "2026-03-10T14:00:00+01:00", "url": "https://example.com/1.4.2"}

    async def note(kind: KeyKind) -> int:
        answer = await client.post(f"{API}/annotations", json=deploy, headers={"X-API-Key": keys[kind]})
        return answer.status_code

    assert [await note(kind) for kind in (KeyKind.WRITE, KeyKind.READ)] == [403, 403]
    assert [await note(kind) for kind in (KeyKind.SERVER, KeyKind.SERVER, KeyKind.ADMIN)] == [201, 200, 200]
    bad = {**deploy, "url": "javascript:alert(1)"}
    answer = await client.post(f"{API}/annotations", json=bad, headers={"X-API-Key": keys[KeyKind.SERVER]})
    assert answer.status_code == 422
    async with site.browser() as ed:
        await ed.log_in("ed")
        days = "since=2026-03-10T13:00:00Z&until=2026-03-10T13:00:01Z"
        (found,) = (await ed.get(f"/annotations?{days}")).json()["annotations"]
        assert (found["label"], found["at"]) == ("Deploy 1.4.2", "2026-03-10T13:00:00Z")
        assert (await ed.get("/annotations?since=2026-03-10T13:00:01Z")).json()["annotations"] == []
        before = "since=2026-03-01T00:00:00Z&until=2026-03-10T13:00:00Z"
        assert (await ed.get(f"/annotations?{before}")).json()["annotations"] == []
        assert (await ed.call("DELETE", f"/annotations/{found['id']}")).status_code == 204
        assert (await ed.call("DELETE", f"/annotations/{found['id']}")).status_code == 404

"""The dashboard counts its own use when that is switched on, into a project of its own, without names; else it loads and sends nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
from playwright.sync_api import Browser, Request

from tests.support.browser import dsn_of
from tests.support.dashboard import Dashboard, settle
from tests.support.databases import in_thread
from tests.support.processes import ServerProcess

Start = Callable[..., ServerProcess]
PASSWORD = "four words with spaces"


def stored(url: str) -> list[dict[str, Any]]:
    """Events of pages with the project that they are in."""

    async def select() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn_of(url))
        try:
            return await connection.fetch(
                "SELECT projects.slug, event_type, event_data, context FROM events"
                " JOIN projects ON projects.id = events.project_id WHERE event_type <> 'api_request' ORDER BY seq"
            )
        finally:
            await connection.close()

    return [
        {**row, "event_data": json.loads(row["event_data"]), "context": json.loads(row["context"])}
        for row in in_thread(select())
    ]


def test_pages_and_features_are_counted_without_names(
    browser: Browser, process: Start, database_url: str
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    server = process({**env, "ANALYTICS__TRACK_DASHBOARD": "true"}, "serve")
    dashboard = Dashboard(browser, server, project="default")
    with dashboard.open("users/ada-lovelace?range=7d") as looked:
        page = looked.page
        page.wait_for_function("typeof window.analytics?.flush === 'function'")
        page.wait_for_timeout(200)
        page.click("a[href*='/p/default/traffic']")
        page.wait_for_url("**/traffic*")
        settle(page)
        page.wait_for_timeout(200)
        page.evaluate("document.querySelector('.file').click()")
        page.evaluate("analytics.flush()")
        deadline = time.monotonic() + 60
        while len(found := stored(database_url)) < 3 and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        # Nobody has that id.
        assert [said for said in looked.complaints if "404" not in said] == []
    assert {row["slug"] for row in found} == {"analytics-dashboard"}
    assert [(row["event_type"], row["event_data"].get("path")) for row in found] == [
        ("page_view", "/dashboard/p/:project/users/:id"),
        ("page_view", "/dashboard/p/:project/traffic"),
        ("feature_used", None),
    ]
    assert found[2]["event_data"] == {"feature_name": "file"}
    said = json.dumps([[row["event_data"], row["context"]] for row in found])
    assert "ada-lovelace" not in said and "default" not in said and "range=" not in said
    scripts = httpx.get(f"{server.url}/dashboard").text.partition("<body>")[2]
    again = process({**env, "ANALYTICS__TRACK_DASHBOARD": "true"}, "serve")
    assert httpx.get(f"{again.url}/dashboard").text.partition("<body>")[2] == scripts


def test_strangers_at_a_shared_page_are_not_counted(process: Start, database_url: str) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__ADMIN_PASSWORD": PASSWORD}
    server = process({**env, "ANALYTICS__TRACK_DASHBOARD": "true"}, "serve")
    with httpx.Client(base_url=server.url) as client:
        assert "tracking.js" in client.get("/dashboard/login").text
        for path in ("share", "invitation"):
            assert "tracking.js" not in client.get(f"/dashboard/{path}").text
        credentials = {"username": "admin", "password": PASSWORD}
        assert client.post("/api/v1/analytics/auth/login", json=credentials).status_code == 200
        assert "tracking.js" in client.get("/dashboard/p/default/overview").text
        assert "tracking.js" not in client.get("/dashboard/share").text
        projects = client.get("/api/v1/analytics/auth/session").json()["projects"]
        assert [project["slug"] for project in projects] == ["default", "analytics-dashboard"]


def test_switched_off_nothing_is_loaded_or_sent(dashboard: Dashboard) -> None:
    asked: list[Request] = []
    with dashboard.open("live") as looked:
        looked.page.on("request", lambda request: asked.append(request))
        looked.page.reload()
        settle(looked.page)
        looked.page.wait_for_timeout(300)
        assert looked.page.evaluate("typeof window.analytics") == "undefined"
        assert not [key for key in looked.page.evaluate("Object.keys(localStorage)") if "dashboard." in key]
    assert asked
    assert [
        each.url
        for each in asked
        if each.method == "POST" or "/sdk/" in each.url or "tracking.js" in each.url
    ] == []
    with dashboard.api as api:
        session = api.get("/auth/session").json()
    assert "analytics-dashboard" not in [project["slug"] for project in session["projects"]]

"""Security headers on every answer, and whose pages may send and read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from analytics_api.domain.project import KeyKind, Role
from analytics_api.store.keys import create_key
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Browser, Site, running_site
from tests.support.raw import ask

SHOP = "https://shop.example"
EVENT = {"event_type": "page_view", "anonymous_id": "a"}


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url) as site:
        yield site


async def make_key(site: Site, kind: KeyKind, project: str = "default") -> str:
    owner = await make_project(site.database, project)
    async with site.database.write() as connection:
        return await create_key(connection, owner.id, kind, now=NOW)


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


async def test_every_kind_of_answer_says_what_a_browser_may_do_with_it(site: Site) -> None:
    client = site.server.client
    key = {"X-API-Key": await make_key(site, KeyKind.ADMIN)}
    answers = {
        "taken": await client.post(f"{API}/events", json=EVENT, headers=key),
        "refused": await client.post(f"{API}/events", json=EVENT),
        "read": await client.get(f"{API}/config", headers=key),
        "unauthorized": await client.get(f"{API}/config"),
        "missing": await client.get("/nothing"),
        "wrong method": await client.delete(f"{API}/config"),
        "unprocessable": await client.post(f"{API}/auth/login", json={}),
        "login": await client.post(f"{API}/auth/login", json={"username": "a", "password": "b"}),
        "health": await client.get("/health/live"),
        "metrics": await client.get("/metrics"),
        "openapi": await client.get("/openapi.json"),
        "script": await client.get("/sdk/a.js"),
        "page": await client.get("/docs"),
        "preflight": await client.options(f"{API}/config", headers={"Origin": SHOP}),
    }
    for name, answer in answers.items():
        policy = directives(answer.headers["content-security-policy"])
        assert policy["default-src"] == ["'none'"], name
        assert policy["frame-ancestors"] == ["'none'"], name
        assert "unsafe" not in answer.headers["content-security-policy"], name
        assert answer.headers["x-content-type-options"] == "nosniff", name
        assert answer.headers["referrer-policy"] == "no-referrer", name
        assert "strict-transport-security" not in answer.headers, name
    for name in ("read", "unauthorized", "login", "openapi"):
        assert answers[name].headers["cache-control"] == "no-store", name


async def test_what_is_no_http_is_answered_with_them_too(site: Site) -> None:
    (answer,) = await ask(site.server.port, b"NONSENSE\r\n\r\n")
    assert (answer.status, answer.headers["x-content-type-options"]) == (400, "nosniff")


async def test_the_reference_runs_its_own_script_only(site: Site) -> None:
    import base64
    import hashlib

    answer = await site.server.client.get("/docs")
    policy = directives(answer.headers["content-security-policy"])
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy["script-src"]
    sources = re.findall(r'(?:src|href)="(https?://[^"]+)"', answer.text)
    assert sources
    for source in sources:
        allowed = policy["style-src" if source.endswith(".css") else "script-src"]
        assert any(source.startswith(prefix) for prefix in allowed), source


@pytest.mark.parametrize("path", [f"{API}/config", "/docs", "/nothing"])
async def test_https_is_insisted_on_over_https_only(site: Site, path: str) -> None:
    answer = await site.server.client.get(path, headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_nothing_redirects_to_where_a_request_says(site: Site) -> None:
    """No open redirect: whatever is in path, query or Host, an answer leads nowhere else."""
    client = site.server.client
    for path in (
        "//evil.example/",
        "//evil.example/%2f..",
        "/\\evil.example",
        f"{API}/config/?next=//evil.example",
        f"{API}/auth/login/?next=https://evil.example",
        "/docs/?url=https://evil.example",
    ):
        answer = await client.get(httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode()))
        location = answer.headers.get("location", "")
        assert httpx.URL(str(client.base_url)).join(location).host == "127.0.0.1", (path, location)


# Origins -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def olga(site: Site) -> AsyncIterator[Browser]:
    await site.add("olga", {"default": Role.OWNER})
    async with site.browser() as browser:
        await browser.log_in("olga")
        yield browser


async def test_pages_send_to_projects_that_know_them(site: Site, olga: Browser) -> None:
    saved = await olga.call("PUT", "/project/origins", {"origins": ["https://Shop.example/", SHOP]})
    assert saved.json() == {"origins": [SHOP]}
    assert (await olga.get("/project/origins")).json() == {"origins": [SHOP]}
    key, other = await make_key(site, KeyKind.WRITE), await make_key(site, KeyKind.WRITE, "other")

    async def send(key: str, origin: str | None) -> httpx.Response:
        headers = {"X-API-Key": key, **({"Origin": origin} if origin is not None else {})}
        return await site.server.client.post(f"{API}/events", json=EVENT, headers=headers)

    refused = await send(key, "https://evil.example")
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (403, "*")
    assert "pages of this address" in refused.json()["detail"]
    for origin, status in ((SHOP, 202), (None, 202), ("null", 403), ("http://shop.example", 403)):
        assert (await send(key, origin)).status_code == status, origin
    # By the key in a beacon's envelope, too; another project takes all.
    beacon = await site.server.client.post(
        f"{API}/events",
        content=f'{{"key": "{key}", "events": [{{"event_type": "page_view"}}]}}',
        headers={"Content-Type": "text/plain", "Origin": "https://evil.example"},
    )
    assert beacon.status_code == 403
    assert (await send(other, "https://evil.example")).status_code == 202


async def test_the_other_calls_that_send_keep_to_origins_and_rates(site: Site, olga: Browser) -> None:
    await olga.call("PUT", "/project/origins", {"origins": [SHOP]})
    project = await make_project(site.database)
    async with site.database.write() as connection:
        key = await create_key(connection, project.id, KeyKind.WRITE, events_per_second=1, now=NOW)

    async def share(origin: str) -> int:
        answer = await site.server.client.post(
            f"{API}/track-share", json={"platform": "mail"}, headers={"X-API-Key": key, "Origin": origin}
        )
        return answer.status_code

    assert await share("https://evil.example") == 403
    statuses = [await share(SHOP) for _ in range(15)]
    assert statuses[0] != 429
    assert 429 in statuses


async def test_pages_read_with_a_key_where_the_project_names_them(site: Site, olga: Browser) -> None:
    await olga.call("PUT", "/project/origins", {"origins": [SHOP]})
    key, other = await make_key(site, KeyKind.READ), await make_key(site, KeyKind.READ, "other")
    client = site.server.client
    allow = "access-control-allow-origin"
    read = await client.get(f"{API}/config", params={"key": key}, headers={"Origin": SHOP})
    assert (read.status_code, read.headers[allow], "Origin" in read.headers["vary"]) == (200, SHOP, True)
    assert "access-control-allow-credentials" not in read.headers
    assert (
        allow
        not in (await client.get(f"{API}/config", params={"key": other}, headers={"Origin": SHOP})).headers
    )
    assert (
        allow
        not in (await client.get(f"{API}/config", params={"key": key}, headers={"Origin": "null"})).headers
    )
    # A login is never for other origins, whatever the project says.
    assert allow not in (await olga.call("GET", "/config", headers={"Origin": SHOP})).headers
    asked: dict[str, Any] = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-api-key",
    }
    for origin, method, status in (
        (SHOP, "GET", 204),
        (SHOP, "DELETE", 405),
        ("https://evil.example", "GET", 405),
    ):
        preflight = await client.options(
            f"{API}/config", headers={**asked, "Origin": origin, "Access-Control-Request-Method": method}
        )
        assert (preflight.status_code, allow in preflight.headers) == (status, status == 204), origin


async def test_pages_send_what_has_a_path_of_its_own(site: Site, olga: Browser) -> None:
    await olga.call("PUT", "/project/origins", {"origins": [SHOP]})
    key, other = await make_key(site, KeyKind.WRITE), await make_key(site, KeyKind.WRITE, "other")
    client, allow = site.server.client, "access-control-allow-origin"
    bodies = {
        "/track-share": {"share_type": "whatsapp", "session_id": "s"},
        "/downloads": {"track_name": "a", "session_id": "s"},
        "/evremixes/analytics": {"track_name": "b", "session_id": "s"},
        "/uploads": {"file_name": "a.wav", "session_id": "s"},
    }
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key,x-api-key",
    }
    for path, body in bodies.items():
        preflight = await client.options(API + path, headers={**asked, "Origin": SHOP})
        assert (preflight.status_code, preflight.headers[allow]) == (200, "*"), path
        for its, origin, status in (
            (key, SHOP, 202),
            (key, "https://evil.example", 403),
            (other, "https://a.example", 202),
        ):
            sent = await client.post(API + path, json=body, headers={"X-API-Key": its, "Origin": origin})
            assert sent.status_code == status, path
            assert sent.headers[allow] in ("*", origin), path
    # What is read at the same path is for pages that the project names.
    reading = {"Origin": SHOP, "Access-Control-Request-Method": "GET"}
    assert (await client.options(f"{API}/downloads", headers=reading)).headers[allow] == SHOP
    reading["Origin"] = "https://evil.example"
    assert (await client.options(f"{API}/downloads", headers=reading)).status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "shop.example",
        "https://",
        "https://a b",
        "https://a.example/path",
        "https://*.example",
        "ftp://a.example",
        "https://u@a.example",
        "https://a.example:0",
        "x" * 300,
    ],
)
async def test_what_is_no_origin_is_refused(olga: Browser, origin: str) -> None:
    answer = await olga.call("PUT", "/project/origins", {"origins": [origin]})
    assert (answer.status_code, "origins:" in answer.json()["detail"]) == (422, True)

"""The dashboard's page and files: who gets them, with which headers, for how long they may be kept."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import URL

from tests.support.databases import scratch_database, text
from tests.support.processes import ServerProcess

Start = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def local(
    database_server: URL, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("show")
    with scratch_database(database_server, template=migrated_template) as url:
        env = {"ANALYTICS__DATABASE_URL": text(url), "ANALYTICS__SANDBOX_MODE": "true"}
        with ServerProcess(env, folder) as server, httpx.Client(base_url=server.url) as client:
            server.start()
            yield client


def test_every_address_below_is_the_same_page_that_allows_nothing_inline(local: httpx.Client) -> None:
    page = local.get("/dashboard")
    for path in ("/dashboard/p/default/overview", "/dashboard/login", "/dashboard/no/such/page"):
        assert local.get(path).text == page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=", page.text)


def test_files_are_kept_for_ever_under_addresses_that_change_with_them(local: httpx.Client) -> None:
    found = re.findall(r'(?:src|href)="([^"]+)"', local.get("/dashboard").text)
    assert found
    for path in found:
        answer = local.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
        plain = local.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
    script = next(path for path in found if path.endswith("index.js"))
    with local.stream("GET", script, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain_of(local, script)
    old = re.sub(r"/assets/[^/]+/", "/assets/older/", script)
    assert local.get(old).status_code == 404
    assert "immutable" not in local.get(old).headers.get("cache-control", "")


def plain_of(client: httpx.Client, path: str) -> bytes:
    return client.get(path, headers={"Accept-Encoding": "identity"}).content


def test_old_addresses_lead_to_it(local: httpx.Client) -> None:
    for path in ("/", "/admin/analytics", "/evremixes/analytics"):
        answer = local.get(f"{path}?range=7d")
        assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard?range=7d")


def test_whoever_is_not_logged_in_is_sent_to_the_login_page(process: Start, database_url: str) -> None:
    server = process(
        {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__ADMIN_PASSWORD": "four words with spaces"}
    )
    with httpx.Client(base_url=server.url) as client:
        refused = client.get("/dashboard/p/default/overview?range=7d")
        assert refused.status_code == 303
        assert refused.headers["location"] == (
            "/dashboard/login?next=%2Fdashboard%2Fp%2Fdefault%2Foverview%3Frange%3D7d"
        )
        assert client.get("/dashboard/login").status_code == 200
        assert client.get("/dashboard/invitation").status_code == 200
        credentials = {"username": "admin", "password": "four words with spaces"}
        assert client.post("/api/v1/analytics/auth/login", json=credentials).status_code == 200
        assert client.get("/dashboard/p/default/overview?range=7d").status_code == 200
        # A link on another site: the page itself says who it is for once it is there.
        assert client.get("/dashboard", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 303

"""The script for pages: compressed, cached, hashed, under the name that the operator chose."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from analytics_api.settings import load_settings
from analytics_api.show.browser import load_script, script_endpoint
from tests.support.serving import Served, served

PATH = "/own/name.js"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    app = Starlette(routes=[Route(PATH, script_endpoint(), methods=["GET", "HEAD"])])
    async with served(app) as server:
        yield server


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", None),
        ("", None),
        ("br; q=0.0", None),
    ],
)
async def test_the_smallest_form_that_is_accepted(
    server: Served, accepted: str, encoding: str | None
) -> None:
    async with server.client.stream("GET", PATH, headers={"Accept-Encoding": accepted}) as response:
        body = b"".join([piece async for piece in response.aiter_raw()])
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["content-type"].startswith("text/javascript")
    if encoding == "gzip":
        body = gzip.decompress(body)
    if encoding != "br":
        digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
        assert load_script().integrity == f"sha384-{digest}"


async def test_a_known_form_is_not_sent_again(server: Served) -> None:
    first = await server.client.get(PATH, headers={"Accept-Encoding": "gzip"})
    tag = first.headers["etag"]
    again = await server.client.get(
        PATH, headers={"Accept-Encoding": "gzip", "If-None-Match": f'"x", W/{tag}'}
    )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other_form = await server.client.get(PATH, headers={"Accept-Encoding": "br", "If-None-Match": tag})
    assert other_form.status_code == 200


async def test_only_the_named_version_is_kept_for_ever(server: Served) -> None:
    version = load_script().version
    caching = [
        (await server.client.head(f"{PATH}{query}")).headers["cache-control"]
        for query in (f"?v={version}", "?v=older", "")
    ]
    assert ["immutable" in value for value in caching] == [True, False, False]


async def test_pages_of_any_origin_may_check_its_hash(server: Served) -> None:
    response = await server.client.get(PATH, headers={"Origin": "https://shop.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize("path", ["sdk.js", "/", "/a b.js", "/sdk/", "/a?b"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(Exception, match="ANALYTICS__BROWSER_SCRIPT_PATH"):
        load_settings(browser_script_path=path, _env_file=None)

"""Every parameter of every query string with values that are far off: an answer, or an error of the caller, never of the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.databases import running_server, scratch_database, text
from tests.support.processes import ServerProcess

PREFIX = "/api/v1/analytics"
FAR_OFF = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01",
    "1970-01-01",
    "9999-12-31T23:59:59-23:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31",
    "-1",
    "99999999999999999999999",
    "1e400",
    "NaN",
    "",
    "\x00",
    "{}",
    "null",
    "😀'\"\\",
    "x" * 3000,
]
BODIES = [
    ("/privacy/consent", '{"user_id": "u2", "consent": {"analytics": true}, "changed_at": "TIME"}'),
    ("/deliveries/dead-letters/retry", '{"destination": "sandbox", "all": true, "from": "TIME"}'),
    ("/deliveries/replay", '{"destination": "sandbox", "from": "TIME"}'),
    (
        "/destinations",
        '{"kind": "webhook", "name": "far-NUMBER", "start": "TIME",'
        ' "options": {"url": "https://example.org/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}',
    ),
    ("/privacy/erasures", '{"events": {"event_types": ["other"], "since": "TIME"}}'),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_server() as server,
        scratch_database(server) as url,
        ServerProcess(
            {
                "ANALYTICS__DATABASE_URL": text(url),
                "ANALYTICS__SANDBOX_MODE": "true",
                "ANALYTICS__SECRET_KEY": "s" * 32,
            },
            tmp_path_factory.mktemp("far"),
            "serve",
        ) as process,
    ):
        process.start()
        with httpx.Client(base_url=process.url, timeout=60) as client:
            sent = client.post(f"{PREFIX}/events", json={"event_type": "page_view", "user_id": "u1"})
            assert sent.status_code == 202
            yield client
        process.stop()


def test_no_value_in_a_query_string_is_an_error_of_the_server(client: httpx.Client) -> None:
    asked, broken = 0, []
    for path, calls in client.get("/openapi.json").json()["paths"].items():
        if "get" not in calls or "stream" in path:
            continue
        parameters = [each for each in calls["get"].get("parameters", []) if each["in"] == "query"]
        needed = {each["name"]: _example(each) for each in parameters if each.get("required")}
        for parameter in parameters:
            for value in FAR_OFF:
                asked += 1
                query = {**needed, parameter["name"]: value}
                try:
                    status = client.get(re.sub(r"\{\w+\}", "u1", path), params=query).status_code
                except httpx.RemoteProtocolError:
                    status = 0  # An answer that broke off.
                if not 200 <= status < 500:
                    broken.append((path, parameter["name"], value[:30], status))
    assert broken == []
    assert asked > 1000


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_nor_is_a_time_in_a_body(client: httpx.Client, path: str, body: str) -> None:
    for number, moment in enumerate(["2026-03-01T00:00:00Z", *FAR_OFF[:7]]):
        sent = json.loads(body.replace("TIME", moment).replace("NUMBER", str(number)))
        answer = client.post(PREFIX + path, json=sent)
        assert answer.is_success or (number and answer.status_code == 422), (moment, answer.text)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:00"])
@pytest.mark.parametrize("call", ["/events?since", "/export?until", "/deliveries/dead-letters?from"])
def test_the_field_is_named(client: httpx.Client, call: str, moment: str) -> None:
    path, _, name = call.partition("?")
    answer = client.get(PREFIX + path, params={name: moment})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{name}: ")


def _example(parameter: dict[str, Any]) -> str:
    listed = parameter["schema"].get("examples") or [parameter.get("example", "x")]
    return str(listed[0])

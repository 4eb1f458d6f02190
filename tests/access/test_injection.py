"""Lists of what attackers put into parameters, names and headers: nothing is run, nothing is told, nothing breaks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from analytics_api.domain.project import KeyKind
from analytics_api.store.keys import create_key
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Site, running_site
from tests.support.raw import ask

SQL = [
    "' OR '1'='1",
    "'; DROP TABLE events; --",
    '" OR ""="',
    "1) UNION SELECT username, password_hash FROM users --",
    "$$; SELECT pg_sleep(20); $$",
    "\\'; SELECT pg_sleep(20); --",
    "%' AND 1=(SELECT count(*) FROM api_keys) AND '%'='",
    "{}'::text[]",
    "$1",
    ":now",
    "%(x)s",
    "\x00",
    "\ud7ff\uffff\u202e",
    "A" * 5000,
    "../../etc/passwd",
    "{{7*7}}",
    "<script>alert(1)</script>",
]
TELLING = (
    "syntax error",
    "sqlalchemy",
    "asyncpg",
    "psycopg",
    "traceback",
    'relation "',
    "argon2id$",
    'column "',
)


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        yield site


@pytest.fixture
async def key(site: Site) -> str:
    project = await make_project(site.database)
    async with site.database.write() as connection:
        return await create_key(connection, project.id, KeyKind.ADMIN, now=NOW)


async def reading_calls(site: Site) -> list[tuple[str, list[str], list[str]]]:
    """Paths that are read, with the names of the parameters of each in path and query."""
    paths = (await site.server.client.get("/openapi.json")).json()["paths"]
    found = []
    for path, operations in paths.items():
        if path.startswith(API) and "get" in operations and not path.endswith("/stream"):
            given: list[Any] = operations["get"].get("parameters", [])
            names = {
                place: [one["name"] for one in given if one["in"] == place] for place in ("path", "query")
            }
            found.append((path, names["path"], names["query"]))
    return found


async def test_no_parameter_reaches_the_database_as_code(site: Site, key: str) -> None:
    client = site.server.client
    headers = {"X-API-Key": key}
    calls = await reading_calls(site)
    assert len(calls) >= 35
    broken = []
    for number, (path, in_path, in_query) in enumerate(calls):
        for name in [*in_path, *in_query]:
            # Each parameter meets a few of the list, each of the list most parameters.
            for text in SQL[number % 4 :: 4]:
                filled, query = path, {}
                for own in in_path:
                    filled = filled.replace(f"{{{own}}}", quote(text if own == name else "1", safe=""))
                if name in in_query:
                    query = {name: text}
                answer = await client.get(filled, params=query, headers=headers)
                words = answer.text.lower()
                if answer.status_code >= 500 or any(word in words for word in TELLING):
                    broken.append(f"{path} {name}={text!r}: {answer.status_code} {answer.text[:200]}")
    assert broken == []
    async with site.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM api_keys") == 1


async def test_no_name_in_a_path_reaches_the_database_as_code(site: Site, key: str) -> None:
    """Calls that change something, with names that are not there."""
    paths = (await site.server.client.get("/openapi.json")).json()["paths"]
    calls = [
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations.keys() - {"get"}
        if "{" in path
    ]
    assert len(calls) >= 20
    broken = []
    for number, (method, path) in enumerate(calls):
        for text in SQL[number % 3 :: 3]:
            filled = re.sub(r"{\w+}", quote(text, safe=""), path)
            answer = await site.server.client.request(method, filled, json={}, headers={"X-API-Key": key})
            if answer.status_code >= 500 or any(word in answer.text.lower() for word in TELLING):
                broken.append(f"{method} {path} {text!r}: {answer.status_code} {answer.text[:200]}")
    assert broken == []


@pytest.mark.parametrize("text", SQL)
async def test_what_events_say_is_stored_as_said_or_refused(site: Site, key: str, text: str) -> None:
    event = {
        "event_type": text[:80] or "a",
        "user_id": text[:200],
        "event_data": {text[:100]: text, "a": [text]},
    }
    answer = await site.server.client.post(
        f"{API}/events", json=[event], headers={"X-API-Key": key, "Idempotency-Key": "once"}
    )
    assert answer.status_code == 202
    taken = answer.json()["accepted"]
    processed = await site.server.client.post(f"{API}/process-events", headers={"X-API-Key": key})
    assert processed.status_code == 200
    async with site.database.acquire() as connection:
        stored = await connection.fetch("SELECT user_id FROM events WHERE event_type <> 'api_request'")
    assert [row["user_id"] for row in stored] == [text[:200]] * taken


@pytest.mark.parametrize(
    "line",
    [
        b"X-Request-ID: a\r\nSet-Cookie: evil=1",
        b"X-Request-ID: a\rSet-Cookie: evil=1",
        b"X-Request-ID: a\nSet-Cookie: evil=1",
        b"X-Request-ID: a%0d%0aSet-Cookie:%20evil=1",
        b"X-Request-ID: \xe5\x98\x8a\xe5\x98\x8dSet-Cookie: evil=1",
        b"Origin: https://a.example\x00\r\nX: y",
        b"Host: evil.example\r\nHost: 127.0.0.1",
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example",
        b"Cookie: analytics_session=" + b"a" * 43 + b"; __Host-analytics_session=\x7f",
        b"Authorization: Bearer \xff\xfe",
        b"Sec-Fetch-Site: \x80",
        b"X-CSRF-Token: \xe9",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"DELETE"])
async def test_no_header_comes_back_as_a_header(site: Site, line: bytes, method: bytes) -> None:
    for path in (b"/api/v1/analytics/config", b"/api/v1/analytics/auth/sessions", b"/docs"):
        head = (
            method
            + b" "
            + path
            + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + line
            + b"\r\nConnection: close\r\n\r\n"
        )
        answers = await ask(site.server.port, head)
        assert answers
        for answer in answers:
            assert answer.status < 500
            assert "evil" not in answer.headers.get("set-cookie", "")
            assert "evil" not in answer.headers.get("location", "")
            assert "evil" not in answer.headers.get("access-control-allow-origin", "")

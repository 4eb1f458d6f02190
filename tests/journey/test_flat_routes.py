"""POST /track-share and POST /downloads: flat bodies become events, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from analytics_api.domain.project import KeyKind
from tests.journey.test_intake_http import api, make_key, stored
from tests.support.serving import Served

BASE = "/api/v1/analytics"
DOWNLOAD = {
    "session_id": "s1",
    "user_hash": "5f4dcc3b",
    "track_name": "Evanescence",
    "format": "FLAC",
    "version": "Both",
    "platform": "macOS",
    "python_version": "3.12.4",
    "success": True,
}


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


async def send(server: Served, path: str, body: Any, **headers: str) -> httpx.Response:
    return await server.client.post(f"{BASE}{path}", json=body, headers=headers)


async def test_a_download_is_an_event(server: Served, database_url: str) -> None:
    for path in ("/downloads", "/evremixes/analytics"):
        answer = await send(server, path, DOWNLOAD)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    rows = await stored(database_url, "event_type, anonymous_id, session_id, event_data")
    for kind, device, session, data in rows:
        assert (kind, device, session) == ("download", "5f4dcc3b", "s1")
        assert json.loads(data) == {
            name: DOWNLOAD[name] for name in DOWNLOAD if name not in ("session_id", "user_hash")
        }
    assert len(rows) == 2


async def test_the_same_again_counts_once(server: Served, database_url: str) -> None:
    key = {"Idempotency-Key": "once"}
    assert (await send(server, "/downloads", DOWNLOAD, **key)).json()["accepted"] == 1
    assert (await send(server, "/downloads", DOWNLOAD, **key)).json()["duplicates"] == 1
    share = {"share_type": "Email", "user_id": "ada", "event_id": "share-1"}
    assert (await send(server, "/track-share", share)).json()["accepted"] == 1
    assert (await send(server, "/track-share", share)).json()["duplicates"] == 1
    assert len(await stored(database_url)) == 2


async def test_a_share_is_an_event_that_the_overview_counts(server: Served, database_url: str) -> None:
    answer = await send(
        server,
        "/track-share",
        {
            "session_id": "s1",
            "user_id": "user123",
            "share_type": "whatsapp",
            "share_data": {"link": "https://cloudface-ai.com/s/abc123", "channel": "kept out"},
            "recipient_count": 5,
        },
    )
    assert answer.status_code == 202
    [row] = await stored(database_url, "event_type, user_id, anonymous_id, session_id, event_data")
    assert row[:4] == ("share", "user123", "s1", "s1")
    assert json.loads(row[4]) == {
        "link": "https://cloudface-ai.com/s/abc123",
        "channel": "whatsapp",
        "recipient_count": 5,
    }
    assert (await server.client.get(f"{BASE}/process-events")).status_code == 200
    shares = (await server.client.get(f"{BASE}/overall", params={"days": 1})).json()["shares"]
    assert (shares["total"], shares["recipients"]) == (1, 5)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/downloads", {}, "track_name"),
        ("/downloads", {**DOWNLOAD, "success": "perhaps"}, "success"),
        ("/downloads", {**DOWNLOAD, "tracks": 1}, "tracks"),
        ("/downloads", {**DOWNLOAD, "timestamp": "yesterday"}, "timestamp"),
        ("/track-share", {"share_type": "qr", "recipient_count": -1}, "recipient_count"),
        ("/track-share", {"share_type": ""}, "share_type"),
        ("/track-share", {"share_type": "q\0r"}, "share_type"),
        ("/downloads", {**DOWNLOAD, "track_name": "\0"}, "track_name"),
        ("/downloads", {**DOWNLOAD, "format": "FL\0AC"}, "format"),
        ("/uploads", {"file_name": "a.wav", "type": "\0"}, "type"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Served, database_url: str, path: str, body: Any, words: str
) -> None:
    answer = await send(server, path, body)
    assert answer.status_code == 422
    assert words in answer.text
    assert await stored(database_url) == []


@pytest.mark.parametrize("data", [b'{"a": "\\ud800"}', b'{"a": 1e999}', b'{"a": NaN}', b'{"a": "\\u0000"}'])
async def test_what_cannot_be_stored_is_refused(server: Served, database_url: str, data: bytes) -> None:
    answer = await server.client.post(
        f"{BASE}/track-share",
        content=b'{"share_type": "qr", "share_data": %b}' % data,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422, answer.text


async def test_a_key_that_may_not_send(database_url: str) -> None:
    key = await make_key(database_url, KeyKind.READ)
    async with api(database_url, sandbox_mode=False) as server:
        assert (await send(server, "/downloads", DOWNLOAD)).status_code == 401
        refused = await send(server, "/downloads", DOWNLOAD, **{"X-API-Key": key})
        assert refused.status_code == 403
        write = await make_key(database_url, KeyKind.WRITE)
        assert (await send(server, "/downloads", DOWNLOAD, **{"X-API-Key": write})).status_code == 202


async def test_the_name_of_a_file_is_kept_as_a_hash_only(server: Served, database_url: str) -> None:
    for name in ("My Song.WAV", "My Song.WAV", "other.mp3"):
        body = {"session_id": "s1", "file_name": name, "size": 40}
        assert (await send(server, "/uploads", body)).status_code == 202
    rows = [json.loads(row) for row in await stored(database_url, "event_data")]
    assert [(row["type"], row["size"]) for row in rows] == [("wav", 40), ("wav", 40), ("mp3", 40)]
    assert rows[0]["file"] == rows[1]["file"] != rows[2]["file"]
    assert "song" not in json.dumps(rows).lower()


async def test_a_call_costs_one_event_of_the_keys_rate(database_url: str) -> None:
    key = await make_key(database_url, KeyKind.WRITE, events_per_second=1)
    async with api(database_url, sandbox_mode=False) as server:
        sent = [
            (await send(server, "/downloads", DOWNLOAD, **{"X-API-Key": key})).status_code for _ in range(8)
        ]
    # The bucket holds ten seconds' worth.
    assert sent == [202] * 8

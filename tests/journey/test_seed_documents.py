"""What the documents S0, S2 and S3 show, sent and asked for over HTTP: every field by its name, with the documents' own numbers.

Each answer is compared as a whole, so a field that is renamed, lost or added fails here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet
import pytest

from analytics_api.domain.project import KeyKind
from tests.journey.test_intake_http import api, make_key
from tests.support.seeds import BASE, WINDOW, ask, counted, send
from tests.support.serving import Served


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


# EvRemixes (S0): the flat body of its client, then the statistics, charts and feed of its dashboard.

DOWNLOADS = [
    ("s1", "5f4dcc3b", "Original", "FLAC", "Evanescence", "macOS", "3.12.4", True),
    ("s1", "5f4dcc3b", "Both", "ALAC", "Evanescence", "macOS", "3.12.4", False),
    ("s2", "7c6a180b", "Instrumental", "FLAC", "Bring Me To Life", "Windows", "3.11.9", True),
]
FIELDS = (
    "session_id", "user_hash", "version", "format", "track_name", "platform", "python_version", "success",
)  # fmt: skip


def downloaded(name: str, *made: tuple[str, int, int, int]) -> list[dict[str, Any]]:
    """Rows of a distribution."""
    columns = (name, "downloads", "successful", "unique_users")
    return [dict(zip(columns, row, strict=True)) for row in made]


async def test_the_downloads_of_evremixes(server: Served) -> None:
    for each in DOWNLOADS:
        await send(server, "/downloads", dict(zip(FIELDS, each, strict=True)))
    await counted(server)
    answer = await ask(server, "/downloads", days=30)
    assert list(answer.pop("window")) == WINDOW
    days, recent = answer.pop("daily"), answer.pop("recent")
    assert answer == {
        "total": 3,
        "successful": 2,
        "unique_users": 2,
        "active_sessions": 2,
        "success_rate": pytest.approx(2 / 3),
        "formats": downloaded("format", ("FLAC", 2, 2, 2), ("ALAC", 1, 0, 1)),
        "versions": downloaded("version", ("Both", 1, 0, 1), ("Instrumental", 1, 1, 1), ("Original", 1, 1, 1)),
        "platforms": downloaded("platform", ("macOS", 2, 1, 1), ("Windows", 1, 1, 1)),
        "python_versions": downloaded("python_version", ("3.12.4", 2, 1, 1), ("3.11.9", 1, 1, 1)),
        "tracks": downloaded("track_name", ("Evanescence", 2, 1, 1), ("Bring Me To Life", 1, 1, 1)),
        "countries": [],
    }  # fmt: skip
    assert [list(day) for day in days] == [["date", "downloads", "successful", "unique_users"]] * 30
    assert sum(day["downloads"] for day in days) == 3
    kept = [name for name in FIELDS if name != "user_hash"]
    assert [tuple(row[name] for name in kept) for row in recent] == [
        (session, *rest) for session, _, *rest in reversed(DOWNLOADS)
    ]
    assert all(row.keys() == {"occurred_at", "person_id", *kept} for row in recent)

    assert (await ask(server, "/downloads", platform="Windows", format="FLAC"))["total"] == 1
    listed = await server.client.get(f"{BASE}/downloads", params={"format": "csv", "table": "recent"})
    assert [row["track_name"] for row in csv.DictReader(io.StringIO(listed.text))] == [
        "Bring Me To Life", "Evanescence", "Evanescence",
    ]  # fmt: skip
    for _ in range(8):
        await send(server, "/downloads", dict(zip(FIELDS, DOWNLOADS[0], strict=True)))
    assert len((await ask(server, "/downloads"))["recent"]) == 10


async def test_downloads_of_one_format_as_a_file(server: Served) -> None:
    """`format` says both what was downloaded and in which form it is told."""
    for each in DOWNLOADS:
        await send(server, "/downloads", dict(zip(FIELDS, each, strict=True)))
    await counted(server)

    async def lines(*formats: str, accept: str = "*/*") -> list[str]:
        asked = {"table": "tracks", "format": [*formats]}
        found = await server.client.get(f"{BASE}/downloads", params=asked, headers={"Accept": accept})
        assert found.status_code == 200
        return found.text.splitlines()

    flac = ["track_name,downloads,successful,unique_users", "Bring Me To Life,1,1,1", "Evanescence,1,1,1"]
    assert await lines("FLAC", accept="text/csv") == flac
    assert await lines("FLAC", "csv") == flac
    assert len(await lines("FLAC", "ALAC", "csv")) == len(await lines("csv")) == 3
    assert sum(json.loads(line)["downloads"] for line in await lines("jsonl")) == 3
    parquet = await server.client.get(f"{BASE}/downloads", params={"format": "parquet"})
    assert pyarrow.parquet.read_table(io.BytesIO(parquet.content))["total"].to_pylist() == [3]


async def test_the_latest_downloads_are_those_that_happened_last(server: Served) -> None:
    """History that arrives afterwards does not push them out."""
    download = dict(zip(FIELDS, DOWNLOADS[0], strict=True))
    await send(server, "/downloads", {**download, "track_name": "now"})
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for ago in range(10):
        at = (yesterday - timedelta(hours=ago)).isoformat()
        await send(server, "/downloads", {**download, "track_name": f"{ago} hours before", "timestamp": at})
    await counted(server)
    recent = [row["track_name"] for row in (await ask(server, "/downloads"))["recent"]]
    assert recent == ["now", *(f"{ago} hours before" for ago in range(9))]


# metalise (S3): the answer that its document prints, with the numbers that stand there.


def tried(day: date, visitors: int, visits: int, successful: int, failed: int) -> list[dict[str, Any]]:
    """A day at metalise."""
    at = {"timestamp": f"{day}T00:00:00Z"}
    seen: list[dict[str, Any]] = [
        {"event_type": "page_view", "anonymous_id": f"{day} {n % visitors}"} for n in range(visits)
    ]
    made: dict[str, Any] = {
        "event_type": "generation_completed",
        "event_data": {"has_text": True, "duration_ms": 1500},
    }
    not_made: dict[str, Any] = {
        "event_type": "generation_failed",
        "event_data": {"error": "timeout", "duration_ms": 9000},
    }
    return [{**event, **at} for event in [*seen, *[made] * successful, *[not_made] * failed]]


async def test_the_summary_of_metalise(database_url: str) -> None:
    write, read = [await make_key(database_url, kind) for kind in (KeyKind.WRITE, KeyKind.READ)]
    admin = {"X-API-Key": await make_key(database_url, KeyKind.ADMIN)}
    day = datetime.now(UTC).date()
    async with api(database_url, sandbox_mode=False) as server:
        key = {"X-API-Key": write}
        await send(server, "/events", {"events": tried(day, 8, 15, 5, 2)}, **key)
        await send(server, "/events", {"events": tried(day - timedelta(days=10), 67, 135, 40, 10)}, **key)
        await counted(server, **admin)
        answer = await ask(server, "/summary", key=read)
        generations = await ask(server, "/generations", key=read, days=30)
        refused = await server.client.get(f"{BASE}/summary", params={"key": "metalise2025"})
    assert refused.status_code == 401
    # Midnight may have passed since the events were sent.
    newest = date.fromisoformat(answer["last_7_days"][0]["date"])
    quiet = {
        "unique_visitors": 0, "total_visits": 0, "successful_generations": 0, "failed_generations": 0,
    }  # fmt: skip
    busy = {
        day: {"unique_visitors": 8, "total_visits": 15, "successful_generations": 5, "failed_generations": 2}
    }
    both = {day: 7}
    assert answer == {
        "total": {
            "visits": 150,
            "unique_visitors": 75,
            "successful_generations": 45,
            "failed_generations": 12,
            "total_generations": 57,
        },
        "today": {**busy.get(newest, quiet), "total_generations": both.get(newest, 0)},
        "last_7_days": [
            {"date": each.isoformat(), **busy.get(each, quiet)}
            for each in (newest - timedelta(days=back) for back in range(7))
        ],
    }
    assert list(generations.pop("window")) == WINDOW
    assert len(generations.pop("daily")) == 30
    assert generations == {
        "total": 57,
        "successful": 45,
        "failed": 12,
        "success_rate": pytest.approx(45 / 57),
        "text_included": [
            {"text_included": "true", "total": 45, "successful": 45, "failed": 0},
            {"text_included": None, "total": 12, "successful": 0, "failed": 12},
        ],
        "types": [{"generation_type": None, "total": 57, "successful": 45, "failed": 12}],
        "errors": [{"error": "timeout", "failed": 12}],
        "processing_ms": {
            "average": pytest.approx((45 * 1500 + 12 * 9000) / 57), "p50": 1500, "p95": 9000, "p99": 9000,
        },
    }  # fmt: skip


async def test_visits_without_any_id_are_visitor_days(database_url: str) -> None:
    """metalise keeps a plain hash of the address; here it is keyed, lives for a day, and the answer says so."""
    kinds = (KeyKind.WRITE, KeyKind.READ, KeyKind.ADMIN)
    write, read, admin = [await make_key(database_url, kind) for kind in kinds]
    async with api(database_url, sandbox_mode=False) as server:
        settings = {"X-API-Key": admin}
        policy = f"{BASE}/privacy/policy"
        answer = await server.client.put(policy, json={"visitor_ids": "daily"}, headers=settings)
        assert answer.status_code == 200, answer.text
        visit = {"event_type": "page_view", "event_data": {"path": "/"}}
        for agent in ("Firefox/130.0", "Firefox/130.0", "Chrome/128.0"):
            await send(server, "/events", visit, **{"X-API-Key": write, "User-Agent": f"Mozilla/5.0 {agent}"})
        await counted(server, **settings)
        answer = await ask(server, "/summary", key=read)
        people = await ask(server, "/users", key=read)
    assert answer["counted_as"] == "visitor-days"
    assert (answer["total"]["visits"], answer["total"]["unique_visitors"]) == (3, 2)
    assert people["window"]["counted_as"] == "visitor-days"
    assert all(person["anonymous_id"].startswith("v:") for person in people["users"])


# Mixbot (S2): its actions with their details, then what it wants to learn from them.

MIXBOT: list[tuple[str, str, dict[str, Any]]] = [
    ("session1", "page_view", {"path": "/"}),
    ("session1", "daw_selected", {"daw": "Ableton Live"}),
    ("session1", "genre_detected", {"genre": "House"}),
    ("session1", "analysis_completed", {"seconds": 3, "success": True}),
    ("session1", "feedback_downloaded", {}),
    ("session1", "rating_given", {"rating": 5}),
    ("session2", "daw_selected", {"daw": "Ableton Live"}),
    ("session2", "analysis_failed", {"error": "unreadable"}),
]
UPLOADS = [("session1", "my mix.WAV", 40_000_000), ("session2", "demo.mp3", 5_000_000)]


def uploaded(total: int, users: int, size: int, largest: int) -> dict[str, Any]:
    return {
        "total": total, "users": users, "bytes": size, "average_bytes": size / total, "largest_bytes": largest,
    }  # fmt: skip


async def test_the_usage_of_mixbot(server: Served) -> None:
    for session, name, size in UPLOADS:
        await send(server, "/uploads", {"session_id": session, "file_name": name, "size": size})
    events = [{"event_type": kind, "anonymous_id": who, "event_data": data} for who, kind, data in MIXBOT]
    await send(server, "/events", {"events": events})
    await counted(server)
    answer = await ask(server, "/usage", days=30)
    assert list(answer.pop("window")) == WINDOW
    uptime = answer["technical"].pop("uptime")
    assert list(uptime) == ["numerator", "denominator", "value"]
    seconds = {"average": 3, "p50": 3, "p95": 3, "p99": 3}
    assert answer == {
        "users": {"active": 2, "new": 2, "returning": 0, "returning_rate": 0.0, "came_back": 0},
        "sessions": 2,
        "uploads": {
            **uploaded(2, 2, 45_000_000, 40_000_000),
            "types": [
                {"type": "mp3", **uploaded(1, 1, 5_000_000, 5_000_000)},
                {"type": "wav", **uploaded(1, 1, 40_000_000, 40_000_000)},
            ],
        },
        "daws": [{"daw": "Ableton Live", "times": 2, "users": 2}],
        "genres": [{"genre": "House", "times": 1, "users": 1}],
        "analyses": {
            "total": 2, "completed": 1, "failed": 1, "completion_rate": 0.5, "seconds": seconds,
        },
        "feedback_downloads": 1,
        "workflow": {"uploaded": 2, "analysed": 1, "downloaded_feedback": 1},
        "ratings": {"total": 1, "average": 5, "by_rating": [{"rating": "5", "total": 1}]},
        "technical": {"error_rate": 0.5, "seconds": seconds},
    }  # fmt: skip


async def test_numbers_beyond_64_bits_break_no_report(server: Served) -> None:
    """A page with a public key may send any that a double holds."""
    numbers = {
        "photo_processed": "processed_count",
        "photo_downloaded": "count",
        "share": "recipient_count",
        "file_uploaded": "size",
        "analysis_completed": "seconds",
        "generation_completed": "duration_ms",
        "api_request": "duration_ms",
    }
    await send(
        server,
        "/events",
        {
            "events": [
                {"event_type": kind, "user_id": "ada", "event_data": {name: number}}
                for kind, name in numbers.items()
                for number in (1e300, 2**64)
            ]
        },
    )
    await counted(server)
    overall = await ask(server, "/overall", days=1)
    assert overall["actions"]["photos_processed"] == overall["actions"]["photos_downloaded"] == 1e300
    assert overall["shares"]["virality"] == {"numerator": 1e300, "denominator": 1, "value": 1e300}
    [person] = (await ask(server, "/users"))["users"]
    assert person["recipients"] == (await ask(server, "/users/ada"))["recipients"] == 1e300
    usage = await ask(server, "/usage")
    assert (usage["uploads"]["largest_bytes"], usage["analyses"]["seconds"]["p50"]) == (1e300, float(2**64))
    assert (await ask(server, "/generations"))["processing_ms"]["p99"] == 1e300
    assert (await ask(server, "/api-traffic"))["milliseconds"]["slowest"] == 1e300

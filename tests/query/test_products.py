"""Downloads (S0), generations (S3) and uploads with analyses (S2), recounted in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.domain.period import local_day
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import at, event_on, record
from tests.support.histories_of_products import START, made

slow = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LATEST = START + timedelta(days=7)
DATA = {
    "download": st.fixed_dictionaries(
        {"success": st.booleans()},
        optional={"format": st.sampled_from(["FLAC", "ALAC"]), "platform": st.sampled_from(["macOS", "Linux"])},
    ),
    "page_view": st.just({}),
    "generation_completed": st.fixed_dictionaries({"has_text": st.booleans(), "duration_ms": st.integers(1, 50)}),
    "generation_failed": st.fixed_dictionaries({"error": st.sampled_from(["long", "empty"])}, optional={"duration_ms": st.integers(1, 50)}),
}  # fmt: skip


def _happening(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "kind": st.just(kind),
            "data": DATA[kind],
            "person": st.sampled_from(["a", "b", None]),
            "minutes": st.integers(0, 7 * 1440),
            "is_bot": st.sampled_from([False, False, False, True]),
            "context": st.just({}),
        }
    )


async def ask(url: str, happenings: list[dict[str, Any]], zone: str) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        await record(database, made(project, happenings))
        api = Api(database)
        api.now = LATEST
        async with api.client:
            asked = {"project": project.slug, "days": 30}
            all_of = await api.get("/downloads", **asked)
            flac = await api.get("/downloads", format="FLAC", **asked)
            filtered = await api.get("/downloads", filter="event_data.format is FLAC", **asked)
            tried = await api.get("/generations", **asked)
            summary = await api.get("/summary", project=project.slug)
    people = [item for item in happenings if not item["is_bot"]]
    assert filtered == flac
    downloads = [item for item in people if item["kind"] == "download"]
    check_downloads(all_of, downloads)
    check_downloads(flac, [item for item in downloads if item["data"].get("format") == "FLAC"])
    assert sum(day["downloads"] for day in all_of["daily"]) == len(downloads)
    assert len(all_of["daily"]) == 30
    check_generations(tried, people)
    check_summary(summary, people, ZoneInfo(zone))


def check_downloads(answer: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    successful = [item for item in expected if item["data"]["success"]]
    assert (answer["total"], answer["successful"]) == (len(expected), len(successful))
    assert answer["unique_users"] == len({item["person"] for item in expected} - {None})
    assert answer["success_rate"] == (len(successful) / len(expected) if expected else None)
    for name, key in (("formats", "format"), ("platforms", "platform")):
        counted = Counter(item["data"].get(key) for item in expected)
        assert {row[key]: row["downloads"] for row in answer[name]} == counted
    assert len(answer["recent"]) == min(10, len(expected))


def check_generations(answer: dict[str, Any], people: list[dict[str, Any]]) -> None:
    completed = [item for item in people if item["kind"] == "generation_completed"]
    failed = [item for item in people if item["kind"] == "generation_failed"]
    assert (answer["total"], answer["successful"], answer["failed"]) == (
        len(completed) + len(failed), len(completed), len(failed),
    )  # fmt: skip
    assert {row["error"]: row["failed"] for row in answer["errors"] if row["failed"]} == Counter(
        item["data"]["error"] for item in failed
    )
    with_text = {
        row["text_included"]: row["successful"] for row in answer["text_included"] if row["successful"]
    }
    assert with_text == Counter(str(item["data"]["has_text"]).lower() for item in completed)
    times = sorted(
        item["data"]["duration_ms"] for item in completed + failed if "duration_ms" in item["data"]
    )
    for share in (50, 95, 99):
        rank = math.ceil(share / 100 * len(times)) - 1
        assert answer["processing_ms"][f"p{share}"] == (times[rank] if times else None)


def check_summary(answer: dict[str, Any], people: list[dict[str, Any]], zone: ZoneInfo) -> None:
    def day_of(item: dict[str, Any]) -> str:
        return local_day(START + timedelta(minutes=item["minutes"]), zone).isoformat()

    def counted(holds: Callable[[dict[str, Any]], bool]) -> dict[str, int]:
        kinds = Counter(item["kind"] for item in people if holds(item))
        seen = {item["person"] for item in people if item["kind"] == "page_view" and holds(item)} - {None}
        return {
            "unique_visitors": len(seen),
            "total_visits": kinds["page_view"],
            "successful_generations": kinds["generation_completed"],
            "failed_generations": kinds["generation_failed"],
        }

    days = [local_day(LATEST, zone) - timedelta(days=back) for back in range(7)]
    assert answer["last_7_days"] == [
        {"date": day.isoformat(), **counted(lambda item, day=day: day_of(item) == day.isoformat())}  # type: ignore[misc]
        for day in days
    ]
    ever = counted(lambda _: True)
    both = ever["successful_generations"] + ever["failed_generations"]
    visits = ever.pop("total_visits")
    assert answer["total"] == {"visits": visits, **ever, "total_generations": both}
    today = answer["today"]
    assert today.pop("total_generations") == today["successful_generations"] + today["failed_generations"]
    assert {"date": days[0].isoformat(), **today} == answer["last_7_days"][0]


@slow
@given(
    happenings=st.lists(st.sampled_from(list(DATA)).flatmap(_happening), max_size=25),
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_products_equal_a_recount(database_url: str, happenings: list[dict[str, Any]], zone: str) -> None:
    in_thread(ask(database_url, happenings, zone))


async def test_the_summary_has_exactly_the_shape_of_the_guide(api: Api) -> None:
    answer = await api.get("/summary")
    assert list(answer) == ["total", "today", "last_7_days"]
    assert list(answer["total"]) == [
        "visits", "unique_visitors", "successful_generations", "failed_generations", "total_generations",
    ]  # fmt: skip
    day = ["unique_visitors", "total_visits", "successful_generations", "failed_generations"]
    assert list(answer["today"]) == [*day, "total_generations"]
    assert [list(each) for each in answer["last_7_days"]] == [["date", *day]] * 7


async def test_uploads_choices_analyses_feedback_and_ratings(
    api: Api, database: Database, project: Project
) -> None:
    def done(person: str, kind: str, **data: Any) -> Any:
        return event_on(project, "2026-03-19", person, kind, event_data=data)

    await record(
        database,
        [
            done("ada", "file_uploaded", size=100, type="wav", file="0a1b"),
            done("ada", "file_uploaded", size=300, type="wav", file="0a1c"),
            done("bob", "file_uploaded", size=50, type="mp3"),
            done("ada", "daw_selected", value="Reaper"),
            done("bob", "daw_selected", value="Reaper"),
            done("bob", "daw_selected", daw="Logic Pro"),
            done("ada", "genre_detected", value="House"),
            done("ada", "analysis_completed", seconds=2, success=True),
            done("bob", "analysis_completed", seconds=4),
            done("bob", "analysis_completed", seconds=9, success=False),
            done("bob", "analysis_failed", error="format"),
            done("ada", "feedback_downloaded"),
            done("ada", "rating_given", rating=5),
            done("bob", "rating_given", rating=4),
            event_on(project, "2026-01-01", "bob", "page_view"),
        ],
    )
    answer = await api.get("/usage", days=7)
    assert answer["users"] == {"active": 2, "new": 1, "returning": 1, "returning_rate": 0.5, "came_back": 1}
    uploads = answer["uploads"]
    assert (uploads["total"], uploads["users"], uploads["bytes"], uploads["average_bytes"]) == (
        3,
        2,
        450,
        150,
    )
    assert [(row["type"], row["total"], row["largest_bytes"]) for row in uploads["types"]] == [
        ("wav", 2, 300),
        ("mp3", 1, 50),
    ]
    assert [(row["daw"], row["times"], row["users"]) for row in answer["daws"]] == [
        ("Reaper", 2, 2),
        ("Logic Pro", 1, 1),
    ]
    analyses = answer["analyses"]
    assert (analyses["completed"], analyses["failed"], analyses["completion_rate"]) == (2, 2, 0.5)
    assert analyses["seconds"] == {"average": 5, "p50": 4, "p95": 9, "p99": 9}
    assert answer["workflow"] == {"uploaded": 2, "analysed": 2, "downloaded_feedback": 1}
    assert (answer["ratings"]["average"], answer["feedback_downloads"]) == (4.5, 1)
    assert answer["technical"]["error_rate"] == 0.5


@pytest.mark.parametrize("bots", [False, True])
async def test_who_came_back(api: Api, database: Database, project: Project, bots: bool) -> None:
    """On another day, in the window or before; twice on one day is no return, and what a bot does is none without bots."""
    api.now = at("2026-03-20", 6)
    await record(
        database,
        [
            event_on(project, "2026-01-01", "old", "page_view"),
            event_on(project, "2026-03-19", "old", "page_view"),
            event_on(project, "2026-03-17", "new", "page_view"),
            event_on(project, "2026-03-19", "new", "page_view"),
            event_on(project, "2026-03-19", "once", "page_view"),
            event_on(project, "2026-03-19", "once", "page_view"),
            event_on(project, "2026-03-18", None, "page_view", anonymous_id="phone"),
            event_on(project, "2026-03-19", "merged", "$identify", anonymous_id="phone"),
            event_on(project, "2026-03-19", "merged", "page_view"),
            event_on(project, "2026-03-18", "bot", "page_view", is_bot=True),
            event_on(project, "2026-03-19", "bot", "page_view"),
            event_on(project, "2026-03-16", "idle", "subscription_renewed"),
            event_on(project, "2026-01-01", "gone", "page_view"),
            make_event(project, "page_view", user_id="night", occurred_at=at("2026-03-19", 23)),
            make_event(project, "page_view", user_id="night", occurred_at=at("2026-03-20", 1)),
        ],
    )
    week = (await api.get("/usage", days=7, include_bots=bots))["users"]
    assert (week["active"], week["returning"], week["came_back"]) == (6, 1, 5 if bots else 4)
    last_hours = (await api.get("/usage", days=1, include_bots=bots))["users"]
    assert (last_hours["active"], last_hours["came_back"]) == (6, 5 if bots else 4)


@pytest.mark.parametrize(
    "given", ["event_data.format", "moo is 1", '{"path": "event_data.a", "op": "matches", "value": "("}']
)
async def test_a_filter_that_is_none_is_named(api: Api, given: str) -> None:
    assert "filter" in (await api.get("/downloads", 422, filter=given))["detail"]

"""CloudFace's answers (S4), recounted in plain Python and held against the catalogue."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import NOW, Api
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database
from tests.support.figures import at, event_on, record
from tests.support.histories_of_products import HAPPENINGS, START, Recount, made, number_in, path_of

slow = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LATEST = START + timedelta(days=7)


async def ask(url: str, happenings: list[dict[str, Any]], days: int, bots: bool) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        await record(database, made(project, happenings))
        api = Api(database)
        api.now = LATEST
        async with api.client:
            asked = {"project": project.slug, "days": days, "include_bots": bots}
            answer = await api.get("/overall", **asked)
            people = await api.get("/users", limit=2, **asked)
            listed = people["users"]
            while people["next_cursor"]:
                people = await api.get("/users", limit=2, cursor=people["next_cursor"], **asked)
                listed += people["users"]
            points = {
                name: await api.get(
                    "/metrics/aggregated", metric_type=name, project=project.slug, include_bots=bots,
                    start_date=answer["window"]["first_day"], end_date=answer["window"]["last_day"],
                )
                for name in ("sessions", "page_views")
            }  # fmt: skip
    begins = LATEST - timedelta(days=1) if days == 1 else at(LATEST.date(), 0) - timedelta(days=days - 1)
    expected = Recount(happenings, begins, LATEST + timedelta(minutes=1), bots=bots)
    check(answer, expected, begins)
    assert answer["active_users_1h"] == len(
        Recount(happenings, LATEST - timedelta(hours=1), expected.ends, bots=bots).active()
    )
    assert answer["active_users_24h"] == len(Recount(happenings, LATEST - timedelta(days=1), expected.ends, bots=bots).active())  # fmt: skip
    if days > 1:
        for name, found in points.items():
            assert answer[name] == sum(point["value"] for point in found), name
    counts = Counter(item["person"] for item in expected.inside if item["person"])
    assert {person["user_id"]: person["events"] for person in listed} == counts
    assert [person["events"] for person in listed] == sorted(counts.values(), reverse=True)


def check(answer: dict[str, Any], expected: Recount, begins: Any) -> None:
    active = expected.active()
    assert answer["active_users"] == len(active)
    assert answer["new_users"] + answer["returning_users"] == len(active)
    assert answer["new_users"] == len(expected.new(begins))
    assert answer["page_views"] == len(expected.of("page_view"))
    done = answer["actions"]
    assert done["photos_processed"] == sum(
        number_in(item["data"].get("processed_count")) for item in expected.of("photo_processed")
    )
    assert done["links_created"] == len(expected.of("link_created"))
    assert done["photos_downloaded"] == sum(
        number_in(item["data"].get("count") or 1) for item in expected.of("photo_downloaded")
    )
    found = expected.of(
        "search_performed", lambda data: data.get("matches_found", 0) > 0 or data.get("success") is True
    )
    searches = expected.of("search_performed")
    assert done["searches"] == {
        "total": len(searches), "successful": len(found), "success_rate": len(found) / len(searches) if searches else None,
    }  # fmt: skip
    shares = expected.of("share")
    recipients = sum(item["data"].get("recipient_count", 0) for item in shares)
    assert (answer["shares"]["total"], answer["shares"]["recipients"]) == (len(shares), recipients)
    assert answer["shares"]["virality"]["value"] == (recipients / len(active) if active else None)
    by_channel = Counter(item["data"].get("channel") for item in shares)
    listed = {row["channel"]: row["shares"] for row in answer["shares"]["by_channel"]}
    assert listed == {**dict.fromkeys(("whatsapp", "email", "qr", "link"), 0), **by_channel}
    places = Counter(item["context"]["country"] for item in expected.inside if "country" in item["context"])
    assert {row["country"]: row["events"] for row in answer["countries"]} == places
    stays = expected.stays()
    average = answer["average_seconds_on_page"]
    assert (average is None) == (not stays)
    if stays:
        assert average == pytest.approx(sum(stay.total_seconds() for _, stay in stays) / len(stays))
    views = Counter(path_of(item) for item in expected.of("page_view"))
    assert {page["path"]: page["views"] for page in answer["popular_pages"]} == views
    for page in answer["popular_pages"]:
        of_page = [stay.total_seconds() for path, stay in stays if path == page["path"]]
        assert page["average_seconds"] == (pytest.approx(sum(of_page) / len(of_page)) if of_page else None)


@slow
@given(happenings=HAPPENINGS, days=st.sampled_from([1, 2, 7, 90]), bots=st.booleans())
def test_the_overview_equals_a_recount(
    database_url: str, happenings: list[dict[str, Any]], days: int, bots: bool
) -> None:
    in_thread(ask(database_url, happenings, days, bots))


async def test_an_empty_project_has_an_overview(api: Api) -> None:
    answer = await api.get("/overall", days=90)
    assert answer["sessions"] == answer["active_users"] == answer["shares"]["total"] == 0
    assert answer["average_session_seconds"] is None
    assert answer["actions"]["searches"]["success_rate"] is None
    assert answer["popular_pages"] == []
    assert answer["window"]["first_day"] == "2025-12-21"


async def test_one_person_by_any_of_the_ids(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-18", None, "page_view", anonymous_id="phone", event_data={"path": "/a"}),
            event_on(project, "2026-03-19", "ada", "$identify", anonymous_id="phone", user_properties={"$set": {"plan": "pro"}}),
            event_on(project, "2026-03-19", "ada", "share", event_data={"channel": "qr", "recipient_count": 4}),
            event_on(project, "2026-03-19", "bob", "share"),
        ],
    )  # fmt: skip
    ada = await api.get("/users/ada")
    assert (ada["user_id"], ada["properties"], ada["sessions"]) == ("ada", {"plan": "pro"}, 2)
    assert (ada["page_views"], ada["shares"], ada["recipients"]) == (1, 1, 4)
    assert ada["popular_pages"] == [{"path": "/a", "views": 1}]
    assert {row["event_type"]: row["events"] for row in ada["event_types"]} == {
        "page_view": 1,
        "$identify": 1,
        "share": 1,
    }
    assert len(ada["latest_sessions"]) == 2
    for other in ("phone", ada["person_id"]):
        assert await api.get(f"/users/{other}") == ada
    assert await api.get("/user/ada") == ada
    api.now += timedelta(hours=1)
    assert (await api.get("/users/ada", days=1))["events"] == 0
    assert "nobody" in (await api.get("/users/nobody", 404))["detail"]
    people = await api.get("/users")
    assert [(person["user_id"], person["events"]) for person in people["users"]] == [("ada", 3), ("bob", 1)]
    assert people["total"] == 2
    assert "cursor" in (await api.get("/users", 422, cursor="x"))["detail"]


async def test_who_is_there_now(api: Api, database: Database, project: Project) -> None:
    moments = {"ada": 1, "bob": 6, "cy": 29, "dan": 45, "eve": 300}
    events = [
        event_on(
            project, "2026-03-20", person, "page_view", event_data={"path": "/"}, context={"country": "DE"}
        )
        for person in moments
    ]
    for event, minutes in zip(events, moments.values(), strict=True):
        event.occurred_at = NOW - timedelta(minutes=minutes)
    await record(database, events)
    answer = await api.get("/realtime")
    assert (answer["active_now"], answer["active_30_minutes"]) == (1, 3)
    assert (answer["active_users_1h"], answer["active_users_24h"]) == (4, 5)
    assert len(answer["minutes"]) == 30
    assert [30 - place for place, minute in enumerate(answer["minutes"], 1) if minute["users"]] == [29, 6, 1]
    assert answer["pages"] == [{"path": "/", "users": 1, "views": 1}]
    assert answer["countries"] == [{"country": "DE", "users": 1, "events": 1}]

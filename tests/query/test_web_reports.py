"""Pages, places, sources, sessions and events: recounted, in pages, and the same figure everywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database
from tests.support.figures import event_on, record
from tests.support.histories_of_products import HAPPENINGS, START, made

slow = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LATEST = START + timedelta(days=7)


async def look(url: str, happenings: list[dict[str, Any]], size: int) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        events = made(project, happenings)
        await record(database, events)
        api = Api(database)
        api.now = LATEST
        async with api.client:
            asked = {"project": project.slug, "days": 30}
            overall = await api.get("/overall", **asked)
            pages = await api.get("/pages", **asked)
            geo = await api.get("/geo", **asked)
            sources = await api.get("/sources", **asked)
            sessions = await everything(api, "/sessions", "sessions", size, **asked)
            listed = await everything(api, "/events", "events", size, project=project.slug)
        kept = await database.pool.fetch(
            "SELECT person_id, started_at FROM sessions WHERE project_id = $1 AND NOT is_bot", project.id
        )
    assert pages["pages"][:10] == overall["popular_pages"]
    known = [row for row in geo["places"] if row["country"] is not None]
    assert [
        {"country": row["country"], "users": row["users"], "events": row["events"]} for row in known
    ] == sorted(overall["countries"], key=lambda row: (-row["users"], row["country"]))
    assert {name: sources[name] for name in overall["sources"]} == overall["sources"]
    assert sum(page["views"] for page in pages["pages"]) == overall["page_views"]
    assert overall["sessions"] == len(sessions) == len(kept)
    starts = [session["started_at"] for session in sessions]
    assert starts == sorted(starts, reverse=True)
    assert len({(session["person_id"], session["started_at"]) for session in sessions}) == len(kept)
    assert [event["event_id"] for event in listed] == [str(event.event_id) for event in reversed(events)]
    assert [event["event_data"] for event in listed] == [item["data"] for item in reversed(happenings)]


async def everything(api: Api, path: str, name: str, size: int, **asked: Any) -> list[Any]:
    answer = await api.get(path, limit=size, **asked)
    found = list(answer[name])
    while answer["next_cursor"] is not None:
        answer = await api.get(path, limit=size, cursor=answer["next_cursor"], **asked)
        assert 0 < len(answer[name]) <= size
        found += answer[name]
    return found


@slow
@given(happenings=HAPPENINGS, size=st.integers(1, 7))
def test_lists_hold_everything_once_and_agree(
    database_url: str, happenings: list[dict[str, Any]], size: int
) -> None:
    in_thread(look(database_url, happenings, size))


async def test_events_by_type_filter_person_and_time(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [
            event_on(
                project, "2026-03-18", None, "page_view", anonymous_id="phone", event_data={"path": "/a"}
            ),
            event_on(project, "2026-03-19", "ada", "$identify", anonymous_id="phone"),
            event_on(project, "2026-03-19", "ada", "share", event_data={"n": 2}),
            event_on(project, "2026-03-19", "bob", "share", event_data={"n": 1}, is_bot=True),
            event_on(project, "2026-01-01", "bob", "share"),
        ],
    )

    async def types(**asked: Any) -> list[str]:
        return [event["event_type"] for event in (await api.get("/events", **asked))["events"]]

    assert await types() == ["share", "share", "$identify", "page_view"]
    assert await types(include_bots=False, event_type="share") == ["share"]
    assert await types(person="ada") == ["share", "$identify", "page_view"]
    assert await types(person="nobody") == []
    assert await types(filter="event_data.n > 1") == ["share"]
    assert await types(since="2025-12-01T00:00:00Z", until="2026-02-01T00:00:00Z") == ["share"]
    assert "since" in (await api.get("/events", 422, since="2026-03-01T00:00:00"))["detail"]
    for cursor in ("x", "W10=", "WyJhIiwiYiIsImMiXQ=="):
        assert "cursor" in (await api.get("/sessions", 422, cursor=cursor))["detail"]


async def test_a_report_is_narrowed_or_says_that_it_cannot_be(
    api: Api, database: Database, project: Project
) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-18", "ada", "page_view", event_data={"path": "/a"}, context={"country": "DE"}),
            event_on(project, "2026-03-18", "bob", "page_view", event_data={"path": "/b"}, context={"country": "FR"}),
        ],
    )  # fmt: skip
    narrow = await api.get("/overall", filter="context.country is DE")
    assert (narrow["active_users"], narrow["sessions"], narrow["page_views"]) == (1, 1, 1)
    assert narrow["window"]["filters"] == "context.country is DE"
    assert [page["path"] for page in (await api.get("/pages", filter="context.country is DE"))["pages"]] == [
        "/a"
    ]
    assert (await api.get("/users/ada", filter="context.country is FR"))["events"] == 0
    for path in ("/usage", "/generations", "/api-traffic"):
        assert "filter" in (await api.get(path, 422, filter="context.country is DE"))["detail"]
    for wrong in ("context.country", "user_id matches ("):
        assert "filter" in (await api.get("/overall", 422, filter=wrong))["detail"]


@pytest.mark.parametrize("by", ["planet", "country; DROP TABLE events", ""])
async def test_a_place_that_is_none(api: Api, by: str) -> None:
    await api.get("/geo", 422, by=by)

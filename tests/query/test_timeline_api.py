"""GET /persons/{person}/timeline: everything under all ids of a person, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, record
from tests.support.histories import make_history, record_history


async def everything(api: Api, person: str, **more: Any) -> list[dict[str, Any]]:
    """All pages."""
    events: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api.get(f"/persons/{person}/timeline", **more, **cursor)
        events += page["events"]
        if page["next_cursor"] is None:
            return events
        cursor = {"cursor": page["next_cursor"]}


async def test_every_event_once_newest_first(api: Api, database: Database) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    around = datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    history = make_history(project, 3, around=around)
    seen = await record_history(database, project, history)
    ids = {event.event_id: each for event, each in zip(history, seen, strict=True)}
    for person in {event.person for event in seen if event.person is not None}:
        mine = sorted((each.time, each.seq, str(name)) for name, each in ids.items() if each.person == person)
        found = await everything(api, str(person), project="berlin", limit=7)
        assert [event["event_id"] for event in found] == [name for _, _, name in reversed(mine)]
        views = await everything(api, str(person), project="berlin", event_type=["page_view", "login"])
        assert [event for event in found if event["event_type"] in ("page_view", "login")] == views


async def test_by_any_id_of_the_person(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [
            make_event(project, user_id=None, anonymous_id="d1", occurred_at=at("2026-03-01")),
            make_event(project, "$identify", user_id="ada", anonymous_id="d1", occurred_at=at("2026-03-02")),
            make_event(
                project,
                "payment_completed",
                user_id="ada",
                occurred_at=at("2026-03-03"),
                revenue="9.5",
                event_data={"plan": "pro"},
            ),
        ],
    )
    by_user = await api.get("/persons/ada/timeline")
    assert by_user["person"]["user_id"] == "ada"
    assert len(by_user["also"]) == 1
    assert [event["event_type"] for event in by_user["events"]] == [
        "payment_completed",
        "$identify",
        "page_view",
    ]
    newest = by_user["events"][0]
    assert (newest["revenue"], newest["event_data"], newest["occurred_at"]) == (
        9.5,
        {"plan": "pro"},
        "2026-03-03T12:00:00Z",
    )
    for other in ("d1", by_user["person"]["person_id"], by_user["also"][0]):
        assert await api.get(f"/persons/{other}/timeline") == by_user


@pytest.mark.parametrize(
    ("path", "parameters", "status", "words"),
    [
        ("nobody", {}, 404, "nobody"),
        ("no%00body", {}, 404, "Nobody"),
        ("ada", {"cursor": "yesterday"}, 422, "cursor"),
        ("ada", {"cursor": "2026-03-01T00:00:00,1"}, 422, "cursor"),
        ("ada", {"limit": 501}, 422, "limit"),
    ],
)
async def test_what_cannot_be_asked(
    api: Api, project: Project, path: str, parameters: dict[str, Any], status: int, words: str
) -> None:
    answer = await api.get(f"/persons/{path}/timeline", status, **parameters)
    assert words in answer["detail"]


async def test_another_project_knows_nobody(api: Api, database: Database, project: Project) -> None:
    await record(database, [make_event(project, user_id="ada")])
    await make_project(database, "other")
    person = (await api.get("/persons/ada/timeline"))["person"]["person_id"]
    await api.get(f"/persons/{person}/timeline", 404, project="other")

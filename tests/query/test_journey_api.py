"""POST /analysis/journeys and the people behind it: walked again event by event, and what must always hold."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, record
from tests.support.histories import KINDS, Seen, make_history, record_history

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_CHANGE = datetime(2026, 3, 29, 3, tzinfo=BERLIN)


def a_question(chance: random.Random) -> dict[str, Any]:
    first = date(2026, 3, chance.randint(24, 30))
    return {
        "start_date": str(first),
        "end_date": str(first + timedelta(days=chance.randint(0, 6))),
        "anchor": {"event": chance.choice(KINDS[:4])},
        "direction": chance.choice(["after", "before"]),
        "steps": chance.randint(1, 5),
        "node": chance.choice(["event_type", "event_data.path"]),
        "nodes": chance.choice([[], [{"event": kind} for kind in KINDS[:3]]]),
        "unit": "person",
        "window_seconds": chance.choice([3600, 86_400, 20 * 86_400]),
        "collapse": chance.random() < 0.5,
        "limit": 50,
        "include_bots": chance.random() < 0.3,
    }


def walked(asked: dict[str, Any], seen: list[Seen]) -> dict[Any, list[str]]:
    """Each person's journey."""
    found = {}
    window = timedelta(seconds=asked["window_seconds"])
    first, last = (date.fromisoformat(asked[name]) for name in ("start_date", "end_date"))
    kinds = {node["event"] for node in asked["nodes"]}
    usable = [event for event in seen if asked["include_bots"] or not event.is_bot]

    def name(event: Seen) -> str:
        return event.kind if asked["node"] == "event_type" else event.data["path"]

    for person in {event.person for event in usable if event.person is not None}:
        mine = sorted(
            (event for event in usable if event.person == person), key=lambda event: (event.time, event.seq)
        )
        anchors = [
            event
            for event in mine
            if event.kind == asked["anchor"]["event"] and first <= event.day(BERLIN) <= last
        ]
        if not anchors:
            continue
        nodes = [
            event
            for event in mine
            if event is anchors[0]
            or ((event.kind in kinds if kinds else event.active) and "path" in event.data)
        ]
        place = nodes.index(anchors[0])
        walk = nodes[place::-1] if asked["direction"] == "before" else nodes[place:]
        path = [name(anchors[0])]
        for event in walk[1:]:
            if abs(event.time - anchors[0].time) > window:
                break
            if not (asked["collapse"] and name(event) == path[-1]):
                path.append(name(event))
        found[person] = path[: asked["steps"] + 1]
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_any_journeys_through_any_history(api: Api, database: Database, seed: int) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    seen = await record_history(database, project, make_history(project, seed, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 20, tzinfo=BERLIN)
    chance = random.Random(seed)
    for _ in range(20):
        asked = a_question(chance)
        answer = await api.post("/analysis/journeys?project=berlin", asked)
        expected = walked(asked, seen)
        assert (answer["journeys"], answer["persons"]) == (len(expected), len(expected))
        nodes = answer["nodes"]
        paths = Counter(
            {tuple(nodes[n]["value"] for n in path["nodes"]): path["count"] for path in answer["paths"]}
        )
        assert paths == Counter(tuple(path) for path in expected.values()), asked
        await check_people(api, asked, expected, chance)
        asked["limit"] = 1
        answer = await api.post("/analysis/journeys?project=berlin", asked)
        check_flow(asked, answer)
        assert all(
            sum(node["level"] == level and node["kind"] == "value" for node in answer["nodes"]) <= 1
            for level in range(1, asked["steps"] + 1)
        )


def check_flow(asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """What comes into a node goes out of it, and what links and paths say of their nodes is so."""
    for link in answer["links"]:
        source, target = (answer["nodes"][link[name]] for name in ("source", "target"))
        assert (link["source_kind"], link["source_value"]) == (source["kind"], source["value"])
        assert (link["target_kind"], link["target_value"]) == (target["kind"], target["value"])
        assert source["level"] + 1 == target["level"] == link["level"]
    for path in answer["paths"]:
        assert path["values"] == [answer["nodes"][number]["value"] for number in path["nodes"]]
    for number, node in enumerate(answer["nodes"]):
        into = sum(link["count"] for link in answer["links"] if link["target"] == number)
        out = sum(link["count"] for link in answer["links"] if link["source"] == number)
        assert node["level"] == 0 or into == node["count"]
        if node["kind"] != "end" and node["level"] < asked["steps"]:
            assert out == node["count"]


async def check_people(
    api: Api, asked: dict[str, Any], expected: dict[Any, list[str]], chance: random.Random
) -> None:
    level = chance.randint(0, asked["steps"])
    for cell, there in (
        ({"level": level}, lambda path: len(path) > level),
        ({"level": level, "ended": True}, lambda path: len(path) <= level),
        ({"level": level, "value": "page_view"}, lambda path: path[level : level + 1] == ["page_view"]),
    ):
        page = await api.post(
            "/analysis/people?project=berlin",
            {"of": {"analysis": "journey", "question": asked, "cell": cell}},
        )
        inside = sorted(str(person) for person, path in expected.items() if there(path))
        assert [person["person_id"] for person in page["persons"]] == inside, (asked, cell)


async def test_journeys_of_sessions(api: Api, database: Database, project: Project) -> None:
    """Each session has its own journey, and none goes on in the next one."""
    visits = [(10, 0, "/"), (10, 5, "/pricing"), (10, 9, "/signup"), (12, 0, "/pricing"), (12, 1, "/")]
    await record(
        database,
        [
            make_event(
                project,
                user_id="ada",
                occurred_at=at("2026-03-10", hour, minute),
                event_data={"path": path},
            )
            for hour, minute, path in visits
        ],
    )
    asked = {
        "anchor": {
            "event": "page_view",
            "filters": [{"path": "event_data.path", "op": "is", "value": "/pricing"}],
        },
        "node": "event_data.path",
        "steps": 2,
    }
    answer = await api.post("/analysis/journeys", asked)
    assert (answer["journeys"], answer["persons"], answer["window"]["seconds"]) == (2, 1, 86_400)
    names = [(node["level"], node["kind"], node["value"], node["count"]) for node in answer["nodes"]]
    assert sorted(names, key=str) == [
        (0, "value", "/pricing", 2),
        (1, "value", "/", 1),
        (1, "value", "/signup", 1),
        (2, "end", None, 2),
    ]
    before = await api.post("/analysis/journeys", {**asked, "direction": "before", "steps": 1})
    assert {(node["kind"], node["value"]) for node in before["nodes"] if node["level"] == 1} == {
        ("value", "/"),
        ("end", None),
    }


async def test_nowhere_to_go(api: Api, project: Project) -> None:
    answer = await api.post("/analysis/journeys", {"anchor": {"event": "login"}})
    assert (answer["journeys"], answer["nodes"], answer["links"], answer["paths"]) == (0, [], [], [])
    problem = await api.post("/analysis/journeys", {}, 422)
    assert "anchor" in problem["detail"]

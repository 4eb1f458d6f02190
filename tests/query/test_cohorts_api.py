"""/cohorts, and cohorts as a filter of every analysis."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.cohorts import parse_behaviour
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, event_on, record
from tests.support.histories import KINDS, Seen, make_history, record_history

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 8, 10, 30, tzinfo=BERLIN).astimezone(UTC)
PRO = [{"path": "event_data.plan", "op": "is", "value": "pro"}]


def a_rule(chance: random.Random) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if chance.random() < 0.8:
        rule["event"] = chance.choice(KINDS)
    if chance.random() < 0.3:
        rule["filters"] = PRO
    kind = chance.random()
    if kind < 0.5:
        rule["at_least"] = chance.randint(1, 4)
    elif kind < 0.8:
        rule["at_most"] = chance.randint(0, 2)
    else:
        rule |= {"at_least": 1, "at_most": chance.randint(1, 3)}
    if chance.random() < 0.5:
        rule["within_days"] = chance.randint(1, 20)
    return rule


def did(rule: dict[str, Any], person: UUID, seen: list[Seen]) -> bool:
    first = (NOW.astimezone(BERLIN) - timedelta(days=rule.get("within_days", 4000) - 1)).date()
    times = sum(
        event.person == person
        and not event.is_bot
        and event.day(BERLIN) >= first
        and (event.kind == rule["event"] if "event" in rule else event.active)
        and ("filters" not in rule or event.data.get("plan") == "pro")
        for event in seen
    )
    least = rule.get("at_least", 0 if "at_most" in rule else 1)
    return bool(least <= times <= rule.get("at_most", 10**9))


async def persons(api: Api, project: str, **question: Any) -> list[str]:
    page = await api.post(
        f"/analysis/people?project={project}",
        {"of": {"analysis": "persons", "question": question}, "limit": 1000},
    )
    assert page["total"] == len(page["persons"])
    return [person["person_id"] for person in page["persons"]]


@pytest.mark.parametrize("seed", range(2))
async def test_whoever_behaves_so(api: Api, database: Database, seed: int) -> None:
    """Any behaviour over any history, kept or asked for once, as it is and turned round."""
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    around = datetime(2026, 3, 29, 3, tzinfo=BERLIN)
    seen = await record_history(database, project, make_history(project, seed, around=around))
    api.now = NOW
    everybody = {event.person for event in seen if event.person is not None and not event.is_bot}
    chance = random.Random(seed)
    for number in range(15):
        rules = [a_rule(chance) for _ in range(chance.choice([1, 1, 2]))]
        inside = sorted(str(person) for person in everybody if all(did(rule, person, seen) for rule in rules))
        assert await persons(api, "berlin", people={"did": rules}) == inside, rules
        kept = await api.post(
            "/cohorts?project=berlin", {"name": f"c{number}", "behaviour": {"did": rules}}, 201
        )
        assert await persons(api, "berlin", cohorts=[kept["id"]]) == inside
        assert await persons(api, "berlin", not_cohorts=[kept["id"]]) == sorted(
            {str(person) for person in everybody} - set(inside)
        )


async def test_a_cohort_filters_every_analysis_alike(api: Api, database: Database) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    around = datetime(2026, 3, 29, 3, tzinfo=BERLIN)
    await record_history(database, project, make_history(project, 4, around=around))
    api.now = NOW
    kept = await api.post(
        "/cohorts?project=berlin",
        {"name": "payers", "behaviour": {"did": [{"event": "payment_completed"}]}},
        201,
    )
    members = await persons(api, "berlin", cohorts=[kept["id"]])
    assert members
    listed = await api.post(
        "/cohorts?project=berlin", {"name": "list", "members": {"person_ids": members}}, 201
    )
    days = {"start_date": "2026-03-20", "end_date": "2026-04-08"}
    answers = []
    for who in (
        {"cohorts": [kept["id"]]},
        {"cohorts": [listed["id"]]},
        {"people": {"did": [{"event": "payment_completed"}]}},
    ):
        asked = {**days, **who}
        trend = await api.post("/analysis/trends?project=berlin", {**asked, "series": [{"of": "persons"}]})
        funnel = await api.post("/analysis/funnel?project=berlin", {**asked, "steps": [{}]})
        matrix = await api.post("/analysis/retention?project=berlin", {**asked, "columns": 2})
        journey = await api.post(
            "/analysis/journeys?project=berlin", {**asked, "anchor": {}, "unit": "person"}
        )
        assert trend["people"]
        total = trend["series"][0]["total"]
        assert total == funnel["steps"][0]["count"] == journey["persons"]
        assert 0 < total <= len(members)
        answers.append([total, [row["size"] for row in matrix["cohorts"]], journey["links"]])
    assert answers[0] == answers[1] == answers[2]


async def test_lists_of_persons(api: Api, database: Database, project: Project) -> None:
    """Whoever they are today: a device that turns out to be somebody's brings them on the list."""
    await record(
        database,
        [
            make_event(project, user_id=None, anonymous_id="d1", occurred_at=at("2026-03-01")),
            event_on(project, "2026-03-01", "bob"),
            event_on(project, "2026-03-01", "cleo"),
        ],
    )
    kept = await api.post("/cohorts", {"name": "guests", "members": {"anonymous_ids": ["d1"]}}, 201)
    assert (kept["kind"], kept["behaviour"], kept["definition"]) == ("list", None, "")
    await api.post(f"/cohorts/{kept['id']}/members", {"add": {"user_ids": ["bob", "nobody yet"]}}, 204)
    assert len(await persons(api, "default", cohorts=[kept["id"]])) == 2
    await record(
        database,
        [make_event(project, "$identify", user_id="ada", anonymous_id="d1", occurred_at=at("2026-03-02"))],
    )
    page = await api.post(
        "/analysis/people", {"of": {"analysis": "persons", "question": {"cohorts": [kept["id"]]}}}
    )
    assert {person["user_id"] for person in page["persons"]} == {"ada", "bob"}
    await api.post(f"/cohorts/{kept['id']}/members", {"remove": {"user_ids": ["ada"]}}, 204)
    page = await api.post(
        "/analysis/people", {"of": {"analysis": "persons", "question": {"cohorts": [kept["id"]]}}}
    )
    assert [person["user_id"] for person in page["persons"]] == ["bob"]


async def test_pages_of_a_cohort_hold_everybody_once(api: Api, database: Database, project: Project) -> None:
    """In the order of their ids, although they came in another."""
    for n in range(0, 50, 10):
        users = [f"p{number}" for number in range(n, n + 10)]
        await record(
            database, [make_event(project, user_id=user, occurred_at=at("2026-03-10")) for user in users]
        )
    asked: dict[str, Any] = {
        "of": {"analysis": "persons", "question": {"people": {"did": [{"event": "page_view"}]}}},
        "limit": 7,
    }
    found: list[str] = []
    cursor = None
    while not found or cursor is not None:
        page = await api.post("/analysis/people", {**asked, "cursor": cursor})
        assert page["total"] == 50
        found += [person["person_id"] for person in page["persons"]]
        cursor = page["next_cursor"]
    assert found == sorted(set(found))
    assert len(found) == 50


async def test_keeping_changing_and_forgetting(api: Api, project: Project) -> None:
    behaviour = {"did": [{"event": "login", "at_least": 3, "within_days": 30}], "are": []}
    kept = await api.post("/cohorts", {"name": "regulars", "behaviour": behaviour}, 201)
    assert kept["behaviour"] == behaviour
    assert kept["definition"] == "did login at least 3 times in the last 30 days"
    taken = await api.post("/cohorts", {"name": "regulars"}, 409)
    assert "another name" in taken["detail"]
    are = [{"path": "person.plan", "op": "is", "value": "pro"}]
    changed = await api.client.put(
        f"/cohorts/{kept['id']}", json={"name": "professionals", "behaviour": {"are": are}}
    )
    assert changed.json()["definition"] == "person.plan is pro"
    assert [each["name"] for each in (await api.get("/cohorts"))["cohorts"]] == ["professionals"]
    assert await api.get(f"/cohorts/{kept['id']}") == changed.json()
    refused = await api.client.put(f"/cohorts/{kept['id']}", json={"name": "a list"})
    assert refused.status_code == 422
    await api.post(f"/cohorts/{kept['id']}/members", {"add": {"user_ids": ["ada"]}}, 422)
    assert (await api.client.delete(f"/cohorts/{kept['id']}")).status_code == 204
    await api.get(f"/cohorts/{kept['id']}", 404)
    await api.post("/analysis/trends", {"series": [{}], "cohorts": [kept["id"]]}, 422)


async def test_by_what_they_are(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-01", "ada", user_properties={"$set": {"plan": "pro"}}),
            event_on(project, "2026-03-01", "bob", user_properties={"$set": {"plan": "free"}}),
        ],
    )
    are = [{"path": "person.plan", "op": "is", "value": "pro"}]
    page = await api.post(
        "/analysis/people", {"of": {"analysis": "persons", "question": {"people": {"are": are}}}}
    )
    assert [person["user_id"] for person in page["persons"]] == ["ada"]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({}, "what they did"),
        ({"did": [{"at_least": 0}]}, "did[0]"),
        ({"did": [{"at_least": 3, "at_most": 2}]}, "at_most"),
        ({"did": [{"within_days": 0}]}, "within_days"),
        ({"did": [{"event": ""}]}, "did[0].event"),
        ({"did": [{"often": 3}]}, "did[0].often"),
        ({"are": [{"path": "event_data.plan", "op": "is", "value": "pro"}]}, "begin with person."),
        ({"are": [{"path": "person.plan", "op": "matches", "value": "("}]}, "no regular expression"),
        ({"will": []}, "will"),
    ],
)
async def test_what_cannot_be_kept(api: Api, project: Project, behaviour: Any, words: str) -> None:
    answer = await api.post("/cohorts", {"name": "c", "behaviour": behaviour}, 422)
    assert words in answer["detail"], answer
    asked = {"of": {"analysis": "persons", "question": {"people": behaviour}}}
    assert words in (await api.post("/analysis/people", asked, 422))["detail"]


def test_a_behaviour_is_read_as_it_is_written() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        behaviour = parse_behaviour({"did": [a_rule(chance) for _ in range(3)]})
        assert parse_behaviour(behaviour.as_json()) == behaviour

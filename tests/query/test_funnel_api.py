"""POST /analysis/funnel and the people behind it, held to the oracle; and what cannot be asked."""

from __future__ import annotations

import random
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, record
from tests.support.funnel_oracle import Happening, Rules, outcome
from tests.support.histories import KINDS, Seen, make_history, record_history

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_CHANGE = datetime(2026, 3, 29, 3, tzinfo=BERLIN)


def step(kind: str | None = None, **more: Any) -> dict[str, Any]:
    return {"event": kind, **more}


def a_funnel(chance: random.Random) -> dict[str, Any]:
    """Any funnel over the kinds of events of the histories."""
    order = chance.choice(["ordered", "ordered", "strict", "any"])
    steps = []
    for _ in range(chance.randint(1, 4)):
        kinds = chance.sample(KINDS[:4], chance.choice([1, 1, 2]))
        filters = chance.choice([[], [], [{"path": "event_data.plan", "op": "is", "value": "pro"}]])
        happenings = [{"event": kind, "filters": filters} for kind in kinds]
        steps.append(happenings[0] if len(kinds) == 1 else {"any_of": happenings})
    unit = chance.choice(["person", "totals"])
    first = date(2026, 3, chance.randint(20, 29))
    asked = {
        "start_date": str(first),
        "end_date": str(date(2026, 3, chance.randint(first.day, 31))),
        "steps": steps,
        "order": order,
        "unit": unit,
        "attempt": "best" if unit == "totals" else chance.choice(["best", "first"]),
        "window_seconds": chance.choice([3600, 7200, 86_400, 10 * 86_400]),
        "include_bots": chance.random() < 0.3,
        "as_of": "2026-04-02T12:00:00+02:00",
    }
    if len(steps) > 1 and chance.random() < 0.4:
        asked["exclusions"] = [{"event": chance.choice(KINDS)}]
    if chance.random() < 0.3:
        asked["hold"] = "event_data.path"
    if order == "ordered" and chance.random() < 0.2:
        asked["grace_seconds"] = 3
    return asked


def expected(asked: dict[str, Any], seen: list[Seen]) -> list[tuple[int, tuple[int, ...]]]:
    """What the oracle says."""
    people = sorted({event.person for event in seen if event.person is not None})
    paths = ["/", "/a", "/b", None]

    def does(happening: dict[str, Any], event: Seen) -> bool:
        return happening["event"] == event.kind and (
            not happening.get("filters") or event.data.get("plan") == "pro"
        )

    as_of = datetime.fromisoformat(asked["as_of"])
    first, last = (date.fromisoformat(asked[name]) for name in ("start_date", "end_date"))
    happenings = []
    for event in seen:
        if event.person is None or (event.is_bot and not asked["include_bots"]):
            continue
        if event.day(BERLIN) < first or event.time > as_of:
            continue
        bits = {
            number
            for number, wanted in enumerate(asked["steps"])
            if any(does(each, event) for each in wanted.get("any_of", [wanted]))
        }
        bits |= {100 for each in asked.get("exclusions", []) if does(each, event)}
        if bits or (asked["order"] == "strict" and event.active):
            seconds = round(event.time.timestamp())
            happenings.append(
                Happening(
                    people.index(event.person),
                    seconds,
                    event.seq,
                    frozenset(bits),
                    paths.index(event.data.get("path")) if "hold" in asked else 0,
                )
            )
    after = datetime.combine(date.fromordinal(last.toordinal() + 1), datetime.min.time(), tzinfo=BERLIN)
    until = min(as_of.timestamp() + 1, after.timestamp())
    steps = len(asked["steps"])
    rules = Rules(
        steps,
        asked["window_seconds"],
        asked["order"],
        asked["attempt"] == "first",
        asked["unit"],
        asked.get("grace_seconds", 0),
        tuple((100, 0, steps if asked["order"] == "any" else steps - 1) for _ in asked.get("exclusions", [])),
    )
    return outcome(happenings, rules, round(until), hold="hold" in asked)


@pytest.mark.parametrize("seed", range(3))
async def test_any_funnel_over_any_history(api: Api, database: Database, seed: int) -> None:
    """Merges, bots, equal times, a day of 23 hours: the counts of every step and the people behind them."""
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    seen = await record_history(database, project, make_history(project, seed, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 20, tzinfo=BERLIN)
    chance = random.Random(seed)
    people = sorted({event.person for event in seen if event.person is not None})
    for _ in range(25):
        asked = a_funnel(chance)
        answer = await api.post("/analysis/funnel?project=berlin", asked)
        oracle = expected(asked, seen)
        counts = [sum(len(done) > number for _, done in oracle) for number in range(len(asked["steps"]))]
        assert [each["count"] for each in answer["steps"]] == counts, asked
        number = chance.randint(1, len(asked["steps"]))
        cell = {"step": number, "outcome": chance.choice(["reached", "dropped_off"])}
        page = await api.post(
            "/analysis/people?project=berlin",
            {"of": {"analysis": "funnel", "question": asked, "cell": cell}, "limit": 1000},
        )
        inside = {
            str(people[person])
            for person, done in oracle
            if (len(done) >= number if cell["outcome"] == "reached" else len(done) == number < len(counts))
        }
        assert [each["person_id"] for each in page["persons"]] == sorted(inside), asked
        assert page["total"] == len(inside)


async def test_the_answer_explains_itself(api: Api, database: Database, project: Project) -> None:
    events = []
    for number in range(40):
        plan = {"plan": "pro" if number % 4 == 0 else "free"} if number else {}
        moment = at("2026-03-10")
        events.append(
            make_event(project, "signup_completed", user_id=f"p{number}", occurred_at=moment, event_data=plan)
        )
        if number % 2:
            events.append(
                make_event(project, "login", user_id=f"p{number}", occurred_at=at("2026-03-10", 14))
            )
    events.append(make_event(project, "signup_completed", user_id="late", occurred_at=at("2026-03-20", 9)))
    await record(database, events)
    asked = {
        "start_date": "2026-03-01",
        "steps": [{"event": "signup_completed", "name": "Signs up"}, {"event": "login"}],
        "window_seconds": 86_400,
        "breakdown": "event_data.plan",
        "breakdown_limit": 1,
    }
    answer = await api.post("/analysis/funnel", asked)
    first, second = answer["steps"]
    assert (first["name"], second["name"]) == ("Signs up", "login")
    assert (first["count"], first["dropped_off"], second["count"]) == (41, 21, 20)
    assert second["from_first"]["value"] == pytest.approx(20 / 41)
    assert (second["from_previous"]["numerator"], second["from_previous"]["denominator"]) == (20, 41)
    assert second["from_first"]["small_sample"] is False
    assert second["seconds_from_first"] == {"median": 7200.0, "p90": 7200.0}
    # Who signed up an hour ago may still come.
    assert answer["conversion"]["mature"]["denominator"] == 40
    assert answer["conversion"]["mature"]["value"] == 0.5
    assert answer["window"] == {"start": "2026-03-01", "end": "2026-03-20", "seconds": 86_400}
    assert (answer["zone"], answer["state"], answer["as_of"]) == ("UTC", "open", "2026-03-20T12:00:00Z")
    assert "within 86400 s" in answer["definition"]
    groups = [(group["value"], group["others"], group["counts"]) for group in answer["breakdown"]["values"]]
    assert groups == [("free", False, [30, 20]), (None, True, [11, 0])]
    page = await api.post(
        "/analysis/people",
        {
            "of": {
                "analysis": "funnel",
                "question": asked,
                "cell": {"step": 1, "outcome": "dropped_off", "value": "free"},
            },
            "limit": 7,
        },
    )
    assert (page["total"], len(page["persons"])) == (10, 7)
    rest = await api.post(
        "/analysis/people",
        {
            "of": {
                "analysis": "funnel",
                "question": asked,
                "cell": {"step": 1, "outcome": "dropped_off", "value": "free"},
            },
            "cursor": page["next_cursor"],
        },
    )
    assert (len(rest["persons"]), rest["next_cursor"]) == (3, None)
    found = {person["user_id"] for person in [*page["persons"], *rest["persons"]]}
    assert found == {f"p{number}" for number in range(2, 40, 2) if number % 4}
    done = {"analysis": "funnel", "question": asked, "cell": {"step": 2, "outcome": "dropped_off"}}
    page = await api.post("/analysis/people", {"of": done})
    assert (page["total"], second["dropped_off"]) == (0, 0)


async def test_by_session(api: Api, database: Database, project: Project) -> None:
    """What begins in one session and ends in the next one is no conversion of a session."""
    await record(
        database,
        [
            make_event(
                project, kind, user_id="ada", anonymous_id=device, occurred_at=at("2026-03-10", hour, minute)
            )
            for kind, device, hour, minute in [
                ("page_view", "d1", 10, 0),
                ("login", "d1", 10, 29),
                ("page_view", "d1", 12, 0),
                ("login", "d1", 12, 30),
                ("page_view", "d1", 15, 0),
                ("login", "d2", 15, 1),
            ]
        ],
    )
    asked = {"steps": [{"event": "page_view"}, {"event": "login"}], "unit": "session"}
    answer = await api.post("/analysis/funnel", asked)
    assert [each["count"] for each in answer["steps"]] == [3, 1]
    answer = await api.post("/analysis/funnel", {**asked, "unit": "totals"})
    assert [each["count"] for each in answer["steps"]] == [3, 3]


async def test_a_session_counts_once_whatever_is_held(api: Api, database: Database, project: Project) -> None:
    """Two orders are begun in one session and one is paid: that is one session, which gets to the end."""
    await record(
        database,
        [
            make_event(
                project,
                kind,
                user_id="ada",
                anonymous_id="d1",
                event_data={"order": order},
                occurred_at=at("2026-03-10", 10, minute),
            )
            for minute, (kind, order) in enumerate([("page_view", 1), ("page_view", 2), ("login", 2)])
        ],
    )
    asked = {
        "steps": [{"event": "page_view"}, {"event": "login"}],
        "unit": "session",
        "hold": "event_data.order",
    }
    answer = await api.post("/analysis/funnel", asked)
    assert [each["count"] for each in answer["steps"]] == [1, 1]
    answer = await api.post("/analysis/funnel", {**asked, "attempt": "first"})
    assert [each["count"] for each in answer["steps"]] == [1, 0]


async def test_nobody_is_no_rate(api: Api, project: Project) -> None:
    answer = await api.post("/analysis/funnel", {"steps": [{"event": "a"}, {"event": "b"}]})
    assert [each["count"] for each in answer["steps"]] == [0, 0]
    assert answer["steps"][1]["from_first"]["value"] is None
    assert answer["conversion"]["mature"]["value"] is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [step("a")] * 11}, "steps"),
        ({"steps": [step("a", any_of=[step("b")])]}, "any_of"),
        ({"steps": [step("a", filters=[{"path": "plan", "op": "is", "value": 1}])]}, "plan"),
        ({"filters": [{"path": "event_data.a", "op": "matches", "value": "("}]}, "no regular expression"),
        ({"window_seconds": 0}, "window_seconds"),
        ({"window_seconds": 367 * 86_400}, "window_seconds"),
        ({"order": "any", "grace_seconds": 1}, "grace_seconds"),
        ({"exclusions": [step("x", after_step=2)]}, "after_step"),
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "start_date"),
        ({"start_date": "2020-01-01"}, "at most"),
        ({"end_date": "0001-01-01"}, "1970-01-01"),
        ({"zone": "Berlin"}, "IANA"),
        ({"color": "red"}, "color"),
    ],
)
async def test_what_cannot_be_asked(api: Api, project: Project, more: dict[str, Any], words: str) -> None:
    answer = await api.post("/analysis/funnel", {"steps": [step("a"), step("b")], **more}, 422)
    assert words in answer["detail"], answer

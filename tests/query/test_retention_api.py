"""POST /analysis/retention and the people behind it, held to the oracle; the faults of others as tests."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.analysis.retention import bucket_numbers, day_number
from analytics_api.domain.period import Period, bucket_of
from analytics_api.domain.project import Project
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.analysis.named import uuid_hash
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import LATE_DAYS, at, event_on, record
from tests.support.filtering import meets
from tests.support.histories import Seen, make_history, record_history
from tests.support.retention_oracle import Retention, bucket

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_CHANGE = datetime(2026, 3, 29, 3, tzinfo=BERLIN)
ACTIVE: dict[str, Any] = {}
PRO = [{"path": "event_data.plan", "op": "is", "value": "pro"}]
FILTERED: list[list[dict[str, Any]]] = [
    PRO,
    [{"path": "event_data.plan", "op": "is_not", "value": "pro"}],
    [
        {"path": "event_data.path", "op": "contains", "value": "/"},
        {"path": "event_data.plan", "op": "exists"},
    ],
    [{"path": "event_data.path", "op": "is", "value": ["/a", "/b"]}],
    [{"any_of": [{"path": "event_data.path", "op": "ends_with", "value": "b"}, *PRO]}],
]


def a_question(chance: random.Random) -> dict[str, Any]:
    first = date(2026, 3, chance.randint(20, 31))
    asked: dict[str, Any] = {
        "start_date": str(first),
        "end_date": str(first + timedelta(days=chance.randint(0, 10))),
        "birth": chance.choice(
            [
                ACTIVE,
                {"event": "signup_completed"},
                {"event": "page_view"},
                *(
                    {"event": kind, "filters": chance.choice(FILTERED)}
                    for kind in ("page_view", "signup_completed")
                ),
                {"filters": chance.choice(FILTERED)},
            ]
        ),
        "returning": chance.choice(
            [ACTIVE, {"event": "feature_used"}, {"event": "page_view", "filters": chance.choice(FILTERED)}]
        ),
        "mode": chance.choice(["first_ever", "first_ever", "recurring"]),
        "criterion": chance.choice(["on", "on_or_after", "on_or_before"]),
        "period": chance.choice(["daily", "daily", "weekly", "monthly"]),
        "clock": "calendar",
        "columns": chance.randint(1, 6),
        "include_bots": chance.random() < 0.3,
    }
    if asked["mode"] == "first_ever" and chance.random() < 0.4:
        asked["clock"] = "rolling"
    if chance.random() < 0.2:
        asked["brackets"] = [[1, 2], [3, 5]]
    if chance.random() < 0.3:
        asked["as_of"] = f"2026-04-{chance.randint(1, 9):02}T{chance.randint(0, 23):02}:30:00+02:00"
    if chance.random() < 0.2:
        asked["zone"] = "America/New_York"
    if chance.random() < 0.2:
        asked["filters"] = chance.choice(FILTERED)
    return asked


def oracle_of(asked: dict[str, Any], seen: list[Seen], zone: ZoneInfo, now: datetime) -> Retention:
    as_of = datetime.fromisoformat(asked["as_of"]) if "as_of" in asked else now
    usable = [event for event in seen if event.person is not None and event.time <= as_of]
    segment = asked.get("filters", [])

    def those(kind: dict[str, Any], *, bots: bool) -> list[tuple[Any, datetime]]:
        return [
            (event.person, event.time)
            for event in usable
            if (bots or not event.is_bot)
            and (event.kind == kind["event"] if kind.get("event") else event.active)
            and meets(kind.get("filters", []) + segment, {"event_data": event.data})
        ]

    births = those(asked["birth"], bots=asked["include_bots"])
    return Retention(asked, zone, as_of, births, those(asked["returning"], bots=asked["include_bots"]))


def other_hash(ids: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Not the server's."""
    return uuid_hash(ids).byteswap()


SEARCHES: dict[str, dict[str, Any]] = {
    "of each person": {"LOOKUP": 0},
    "of all, at once": {"LOOKUP": 10**6, "NAMED": 10**6},
    "of all, day by day": {"LOOKUP": 10**6, "NAMED": 10**6, "LATELY": timedelta(days=1), "PLENTY": 0},
    "by id, day by day": {"LOOKUP": 10**6, "NAMED": 0, "LATELY": timedelta(days=1)},
    "by id, then of each": {"LOOKUP": 2, "NAMED": 0, "LATELY": timedelta(days=2)},
    "by id, badly told apart": {
        "LOOKUP": 10**6,
        "NAMED": 0,
        "LATELY": timedelta(days=1),
        "named": {"LEAST": 2, "MOST": 3},
    },
    "by id, another order of bytes": {
        "LOOKUP": 10**6,
        "NAMED": 0,
        "LATELY": timedelta(days=1),
        "named": {"uuid_hash": other_hash},
    },
}
"""How whoever did it before is looked for among events."""


@pytest.mark.parametrize(("seed", "search"), list(enumerate(SEARCHES)))
async def test_any_retention_of_any_history(
    api: Api, database: Database, seed: int, search: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"RANDOM_READ": 0, **SEARCHES[search]}
    for name, value in chosen.pop("named", {}).items():
        monkeypatch.setattr(f"analytics_api.store.analysis.named.{name}", value)
    for name, value in chosen.items():
        monkeypatch.setattr(f"analytics_api.store.analysis.earlier.{name}", value)
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    seen = await record_history(database, project, make_history(project, seed, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 12, 12, tzinfo=BERLIN)
    chance = random.Random(seed)
    for _ in range(30):
        asked = a_question(chance)
        answer = await api.post("/analysis/retention?project=berlin", asked)
        zone = ZoneInfo(asked.get("zone", "Europe/Berlin"))
        oracle = oracle_of(asked, seen, zone, api.now)
        window = [date.fromisoformat(answer["window"][name]) for name in ("start", "end")]
        members = oracle.members(*window)
        columns = oracle.columns()
        assert [(column["first"], column["last"]) for column in answer["columns"]] == columns
        for row in answer["cohorts"]:
            cohort = bucket(date.fromisoformat(row["cohort"]), asked["period"])
            mine = {person: born for (person, number), born in members.items() if number == cohort}
            assert row["size"] == len(mine), (asked, row["cohort"])
            so_far = [sum(oracle.there(*member, *column) for member in mine.items()) for column in columns]
            assert [cell["so_far"] for cell in row["cells"]] == so_far, (asked, row["cohort"])
            for cell, count in zip(row["cells"], so_far, strict=True):
                assert cell["value"] == (count / len(mine) if cell["mature"] and mine else None)
        for (low, high), pooled in zip(columns, answer["overall"], strict=True):
            ripe = [
                (who, born)
                for (who, _), born in members.items()
                if oracle.ripe(born, low if high is None else high)
            ]
            assert pooled["denominator"] == len(ripe), asked
            assert pooled["numerator"] == sum(oracle.there(*member, low, high) for member in ripe), asked
        number = chance.randrange(len(columns))
        page = await api.post(
            "/analysis/people?project=berlin",
            {
                "of": {
                    "analysis": "retention",
                    "question": asked,
                    "cell": {"column": number, "outcome": "not_retained"},
                }
            },
        )
        gone = {
            str(person)
            for (person, _), born in members.items()
            if not oracle.there(person, born, *columns[number])
        }
        assert [person["person_id"] for person in page["persons"]] == sorted(gone), asked


async def test_cohorts_are_of_the_first_time_ever(api: Api, database: Database, project: Project) -> None:
    """Umami, Rybbit and OpenPanel look for the first time inside the range: an old user is new at its left edge."""
    events = [event_on(project, day, "old") for day in ("2026-01-05", "2026-03-02", "2026-03-03")]
    events += [event_on(project, day, "new") for day in ("2026-03-02", "2026-03-03")]
    events += [event_on(project, "2026-02-01", "signed", "signup_completed")]
    events += [event_on(project, "2026-03-02", "signed", "signup_completed")]
    await record(database, events)
    asked = {"start_date": "2026-03-01", "end_date": "2026-03-05", "columns": 2}
    for birth in (ACTIVE, {"event": "feature_used"}):
        answer = await api.post("/analysis/retention", {**asked, "birth": birth})
        assert {row["cohort"]: row["size"] for row in answer["cohorts"] if row["size"]} == {"2026-03-02": 1}
    for birth in ({"event": "signup_completed"}, {"event": "signup_completed", "filters": PRO}):
        answer = await api.post("/analysis/retention", {**asked, "birth": birth})
        assert sum(row["size"] for row in answer["cohorts"]) == 0


@pytest.mark.parametrize("named", [0, 10**6])
async def test_first_times_by_what_the_event_says_and_who_it_is(
    api: Api, database: Database, project: Project, named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_api.store.analysis.earlier.NAMED", named)
    monkeypatch.setattr("analytics_api.store.analysis.earlier.LOOKUP", 10**6)
    did = {
        "old": [("2026-01-05", "pro"), ("2026-03-02", "pro")],
        "other before": [("2026-01-05", "free"), ("2026-03-02", "pro")],
        "new": [("2026-03-02", "pro")],
        "another": [("2026-03-02", "pro")],
        "free": [("2026-03-02", "free")],
    }
    await record(
        database,
        [
            event_on(
                project,
                day,
                who,
                event_data={"plan": plan},
                user_properties={"$set": {"team": "b" if who == "another" else "a"}},
            )
            for who, times in did.items()
            for day, plan in times
        ],
    )
    filters = [*PRO, {"path": "person.team", "op": "is", "value": "a"}]
    for birth in ({"filters": filters}, {"event": "feature_used", "filters": filters}):
        asked = {"start_date": "2026-03-01", "end_date": "2026-03-05", "columns": 2, "birth": birth}
        answer = await api.post("/analysis/retention", asked)
        assert {row["cohort"]: row["size"] for row in answer["cohorts"] if row["size"]} == {"2026-03-02": 2}


async def test_who_did_it_first_long_ago_stays_so_when_the_events_are_gone(
    api: Api, database: Database, project: Project
) -> None:
    """Nobody is new again because retention has removed what they did before: not in cohorts, stages or behaviours."""
    old, back, new = at("2026-01-05"), at("2026-03-02"), at("2026-03-03")
    await record(
        database,
        [
            make_event(project, "page_view", user_id=who, occurred_at=moment)
            for who, moment in (("old", old), ("old", back), ("new", new), ("gone", old))
        ],
    )
    asked = {
        "start_date": "2026-03-01",
        "end_date": "2026-03-05",
        "birth": {"event": "page_view"},
        "columns": 2,
    }
    stages = {
        "activity": {"event": "page_view"},
        "period": "daily",
        "start_date": "2026-03-02",
        "end_date": "2026-03-05",
    }
    ever = {"analysis": "persons", "question": {"people": {"did": [{"event": "page_view"}]}}}
    never = {"analysis": "persons", "question": {"people": {"did": [{"event": "page_view", "at_most": 0}]}}}
    await close_due_days(database, api.now, late_days=LATE_DAYS)
    for days, left in ((365, 4), (30, 2)):
        await apply_retention(database, api.now, retention_days=days, dedupe_days=30, rest=0)
        assert await database.pool.fetchval("SELECT count(*) FROM events") == left
        answer = await api.post("/analysis/retention", asked)
        assert {row["cohort"]: row["size"] for row in answer["cohorts"] if row["size"]} == {"2026-03-03": 1}
        lifecycle = await api.post("/analysis/lifecycle", stages)
        assert [(each["new"], each["resurrected"]) for each in lifecycle["points"]] == [
            (0, 1),
            (1, 0),
            (0, 0),
            (0, 0),
        ]
        assert (await api.post("/analysis/people", {"of": ever}))["total"] == 3
        assert (await api.post("/analysis/people", {"of": never}))["total"] == 0


async def test_by_filters_the_first_time_is_that_of_the_events_that_are_kept(
    api: Api, database: Database, project: Project
) -> None:
    """First times are kept by type. Who did another event of the type before is no less new, and no filter remembers."""
    happened = [
        ("old", "2026-01-05", "pro"),
        ("old", "2026-03-02", "pro"),
        ("changed", "2026-01-05", "free"),
        ("changed", "2026-03-03", "pro"),
        ("new", "2026-03-04", "pro"),
    ]
    await record(
        database,
        [
            make_event(project, "page_view", user_id=who, occurred_at=at(day), event_data={"plan": plan})
            for who, day, plan in happened
        ],
    )
    asked = {
        "start_date": "2026-03-01",
        "end_date": "2026-03-05",
        "birth": {"event": "page_view", "filters": PRO},
        "columns": 2,
    }
    await close_due_days(database, api.now, late_days=LATE_DAYS)
    for days, cohorts in (
        (365, ["2026-03-03", "2026-03-04"]),
        (30, ["2026-03-02", "2026-03-03", "2026-03-04"]),
    ):
        await apply_retention(database, api.now, retention_days=days, dedupe_days=30, rest=0)
        answer = await api.post("/analysis/retention", asked)
        assert {row["cohort"]: row["size"] for row in answer["cohorts"] if row["size"]} == dict.fromkeys(
            cohorts, 1
        )


async def test_calendar_and_rolling_days(api: Api, database: Database, project: Project) -> None:
    """Born Monday at 20:00, back on Tuesday at 06:00: day 1 of the calendar, day 0 of the own clock."""
    await record(
        database,
        [
            make_event(project, user_id="ada", occurred_at=at("2026-03-02", 20)),
            make_event(project, user_id="ada", occurred_at=at("2026-03-03", 6)),
        ],
    )
    asked = {"start_date": "2026-03-02", "end_date": "2026-03-02", "columns": 2}
    for clock, share in (("calendar", 1.0), ("rolling", 0.0)):
        answer = await api.post("/analysis/retention", {**asked, "clock": clock})
        assert [cell["value"] for cell in answer["cohorts"][0]["cells"]] == [1.0, share]


async def test_cells_that_are_not_over_are_null_and_in_no_sum(
    api: Api, database: Database, project: Project
) -> None:
    await record(
        database,
        [event_on(project, day, f"p{day}") for day in ("2026-03-17", "2026-03-18", "2026-03-19")]
        + [event_on(project, "2026-03-18", "p2026-03-17"), event_on(project, "2026-03-20", "p2026-03-19")],
    )
    answer = await api.post("/analysis/retention", {"start_date": "2026-03-17", "columns": 3})
    cells = {row["cohort"]: [cell["value"] for cell in row["cells"]] for row in answer["cohorts"]}
    assert cells == {
        "2026-03-17": [1.0, 1.0, 0.0],
        "2026-03-18": [1.0, 0.0, None],
        "2026-03-19": [1.0, None, None],
        "2026-03-20": [None, None, None],
    }
    last = answer["cohorts"][2]["cells"][1]
    assert (last["so_far"], last["retained"], last["mature"], last["state"]) == (1, None, False, "open")
    pooled = [(each["numerator"], each["denominator"]) for each in answer["overall"]]
    assert pooled == [(3, 3), (1, 2), (0, 1)]
    assert (answer["source"], answer["zone"]) == ("rollups", "UTC")


async def test_far_columns_of_many_cohorts_keep_nobody_waiting(
    api: Api, database: Database, project: Project
) -> None:
    """66,000 cells, each up to 1,000 days behind its cohort, are made on the thread that answers everybody."""
    await record(database, [make_event(project, user_id="ada", occurred_at=at("2026-03-10", 9))])
    asked = {
        "start_date": "2023-03-20",
        "end_date": "2026-03-20",
        "brackets": [[900 + first, 1000] for first in range(60)],
    }
    began = process_time()
    answer = await api.post("/analysis/retention", asked)
    assert process_time() - began < 8
    row = next(row for row in answer["cohorts"] if row["size"])
    assert (row["cohort"], row["cells"][0]["retained"], row["cells"][1]["value"]) == ("2026-03-10", 1, None)
    assert [cell["mature"] for cell in answer["cohorts"][94]["cells"]] == [True] * 61
    assert [cell["mature"] for cell in answer["cohorts"][96]["cells"]] == [True] + [False] * 60


async def test_months_in_a_row(api: Api, database: Database, project: Project) -> None:
    await record(
        database, [event_on(project, day, "ada") for day in ("2025-12-31", "2026-01-01", "2026-02-28")]
    )
    asked = {"start_date": "2025-12-15", "end_date": "2026-02-10", "period": "monthly", "columns": 3}
    answer = await api.post("/analysis/retention", asked)
    assert [row["cohort"] for row in answer["cohorts"]] == ["2025-12-01", "2026-01-01", "2026-02-01"]
    assert [cell["value"] for cell in answer["cohorts"][0]["cells"]] == [1.0, 1.0, 1.0]
    assert (answer["cohorts"][1]["size"], answer["cohorts"][1]["cells"][0]["value"]) == (0, None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"columns": 61}, "columns"),
        ({"brackets": [[3, 1]]}, "brackets"),
        ({"mode": "recurring", "clock": "rolling"}, "recurring"),
        ({"period": "hourly"}, "period"),
    ],
)
async def test_what_cannot_be_asked(api: Api, project: Project, more: dict[str, Any], words: str) -> None:
    answer = await api.post("/analysis/retention", more, 422)
    assert words in answer["detail"], answer


@given(
    st.dates(date(1971, 1, 1), date(2100, 1, 1)),
    st.dates(date(1971, 1, 1), date(2100, 1, 1)),
    st.sampled_from(Period),
    st.integers(1, 7),
)
def test_two_days_share_a_number_when_they_share_a_bucket(
    one: date, other: date, period: Period, week_start: int
) -> None:
    numbers = bucket_numbers(np.array([day_number(one), day_number(other)]), period, week_start)
    buckets = [bucket_of(day, period, week_start) for day in (one, other)]
    assert (numbers[0] == numbers[1]) == (buckets[0] == buckets[1])
    assert (numbers[0] < numbers[1]) == (buckets[0] < buckets[1])

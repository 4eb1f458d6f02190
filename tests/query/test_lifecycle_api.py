"""POST /analysis/lifecycle: a recount of any history, the metrics of the same name, and the people of each number."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.period import Period, bucket_of, buckets
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_project
from tests.support.figures import event_on, record
from tests.support.histories import make_history, record_history

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_CHANGE = datetime(2026, 3, 29, 3, tzinfo=BERLIN)
STAGES = ("new", "current", "resurrected", "dormant")


def recounted(
    there: dict[Any, set[date]], names: list[date], before: date
) -> dict[date, dict[str, set[Any]]]:
    """Persons by bucket and stage. `there`: the buckets in which each person was."""
    found: dict[date, dict[str, set[Any]]] = {}
    for name, previous in zip(names, [before, *names], strict=False):
        stages: dict[str, set[Any]] = {stage: set() for stage in STAGES}
        for person, been in there.items():
            if name in been:
                earlier = any(other < name for other in been)
                stages["current" if previous in been else "resurrected" if earlier else "new"].add(
                    str(person)
                )
            elif previous in been:
                stages["dormant"].add(str(person))
        found[name] = stages
    return found


@pytest.mark.parametrize("seed", range(2))
async def test_any_lifecycle_of_any_history(api: Api, database: Database, seed: int) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    seen = await record_history(database, project, make_history(project, seed, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 12, 12, tzinfo=BERLIN)
    chance = random.Random(seed)
    for _ in range(12):
        period = chance.choice(list(Period))
        event = chance.choice([None, "page_view", "feature_used"])
        first = date(2026, 3, chance.randint(20, 31))
        last = first + timedelta(days=chance.randint(0, 12))
        asked = {
            "activity": {"event": event} if event else {},
            "period": period.value,
            "start_date": str(first),
            "end_date": str(last),
            "include_bots": chance.random() < 0.3,
        }
        there: dict[Any, set[date]] = defaultdict(set)
        for each in seen:
            fits = each.kind == event if event else each.active
            if each.person is not None and fits and (asked["include_bots"] or not each.is_bot):
                there[each.person].add(bucket_of(each.time.astimezone(BERLIN).date(), period, 1))
        names = list(buckets(first, last, period, 1))
        expected = recounted(there, names, bucket_of(names[0] - timedelta(days=1), period, 1))
        answer = await api.post("/analysis/lifecycle?project=berlin", asked)
        assert {point["date"]: {stage: point[stage] for stage in STAGES} for point in answer["points"]} == {
            str(name): {stage: len(people) for stage, people in stages.items()}
            for name, stages in expected.items()
        }, asked
        name, stage = chance.choice(names), chance.choice(STAGES)
        page = await api.post(
            "/analysis/lifecycle/people?project=berlin",
            {"question": asked, "date": str(name), "stage": stage},
        )
        assert [person["person_id"] for person in page["persons"]] == sorted(expected[name][stage]), asked


async def test_it_is_the_metric_of_the_same_name(api: Api, database: Database, project: Project) -> None:
    days = {"old": ["2026-01-05", "2026-03-10"], "new": ["2026-03-03"], "stays": ["2026-03-02", "2026-03-11"]}
    await record(database, [event_on(project, day, who) for who, on in days.items() for day in on])
    answer = await api.post("/analysis/lifecycle", {"start_date": "2026-03-02", "end_date": "2026-03-12"})
    assert (answer["source"], [point["date"] for point in answer["points"]]) == (
        "rollups",
        ["2026-03-02", "2026-03-09"],
    )
    for point in answer["points"]:
        for stage in STAGES:
            assert point[stage] == await api.value(f"weekly_lifecycle_{stage}", point["date"]), (point, stage)
    assert [point["active"] for point in answer["points"]] == [2, 2]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("", {"period": "hourly"}, "period"),
        ("/people", {"question": {}, "date": "2020-01-01", "stage": "new"}, "date"),
        ("/people", {"question": {}, "date": "2026-03-16", "stage": "gone"}, "stage"),
    ],
)
async def test_what_cannot_be_asked(
    api: Api, project: Project, path: str, body: dict[str, Any], words: str
) -> None:
    answer = await api.post(f"/analysis/lifecycle{path}", body, 422)
    assert words in answer["detail"], answer

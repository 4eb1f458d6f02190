"""POST /analysis/trends: recounted event by event, equal to the metrics, and compared like with like."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_api.domain.analysis.calendar import Calendar, Step
from analytics_api.domain.analysis.formula import Formula
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, event_on, record
from tests.support.histories import KINDS, Seen, make_history, record_history

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_CHANGE = datetime(2026, 3, 29, 3, tzinfo=BERLIN)


def a_question(chance: random.Random) -> dict[str, Any]:
    first = date(2026, 3, 24) + timedelta(days=chance.randint(0, 14))
    asked: dict[str, Any] = {
        "start_date": str(first),
        "end_date": str(min(date(2026, 4, 8), first + timedelta(days=chance.randint(0, 9)))),
        "period": chance.choice(["hourly", "daily", "daily", "weekly", "monthly"]),
        "series": [
            {
                "of": chance.choice(["events", "persons"]),
                "event": chance.choice([None, *KINDS[:4]]),
                "filters": chance.choice([[], [{"path": "event_data.path", "op": "is", "value": "/"}]]),
            }
        ],
        "compare": True,
        "include_bots": chance.random() < 0.3,
    }
    if chance.random() < 0.5:
        asked |= {"breakdown": "event_data.plan", "breakdown_limit": 1}
    return asked


def chosen(asked: dict[str, Any], seen: list[Seen]) -> list[Seen]:
    [series] = asked["series"]
    return [
        event
        for event in seen
        if (asked["include_bots"] or not event.is_bot)
        and (event.kind == series["event"] if series["event"] else event.active)
        and (not series["filters"] or event.data.get("path") == "/")
    ]


def measure(asked: dict[str, Any], events: list[Seen]) -> float:
    if asked["series"][0]["of"] == "events":
        return float(len(events))
    return float(len({event.person for event in events if event.person is not None}))


def bucket_name(asked: dict[str, Any], moment: datetime) -> str:
    """What tells the bucket of an event."""
    if asked["period"] == "hourly":
        # All of Berlin's hours are whole ones of UTC.
        return moment.astimezone(UTC).replace(minute=0, second=0).isoformat().replace("+00:00", "Z")
    day = moment.astimezone(BERLIN).date()
    if asked["period"] == "weekly":
        day -= timedelta(days=day.weekday())
    elif asked["period"] == "monthly":
        day = day.replace(day=1)
    return str(day)


@pytest.mark.parametrize("seed", range(3))
async def test_any_trend_of_any_history(api: Api, database: Database, seed: int) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    seen = await record_history(database, project, make_history(project, seed, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 8, 10, 30, tzinfo=BERLIN).astimezone(UTC)
    chance = random.Random(seed)
    for _ in range(25):
        asked = a_question(chance)
        answer = await api.post("/analysis/trends?project=berlin", asked)
        events = chosen(asked, seen)
        [series] = answer["series"]
        check_line(asked, answer, series, events)
        if "breakdown" in asked:
            check_values(asked, answer, series, events)
        await check_people(api, asked, answer, events, chance)


async def check_people(
    api: Api, asked: dict[str, Any], answer: dict[str, Any], events: list[Seen], chance: random.Random
) -> None:
    """Behind a point of everything, and behind the whole of a value."""
    point = chance.choice(answer["series"][0]["points"])
    window = [date.fromisoformat(answer["window"][name]) for name in ("start", "end")]
    at_point = [event for event in events if bucket_name(asked, event.time) == point["date"]]
    cells: list[tuple[dict[str, Any], list[Seen]]] = [({"date": point["date"]}, at_point)]
    for value in (answer["series"][0]["values"] or [])[:1]:
        if not value["others"]:
            plan = value["value"]
            which = {"without_value": True} if plan is None else {"value": plan}
            cells.append((which, [event for event in events if event.data.get("plan") == plan]))
    for cell, those in cells:
        page = await api.post(
            "/analysis/people?project=berlin",
            {"of": {"analysis": "trend", "question": asked, "cell": cell}, "limit": 1000},
        )
        inside = {
            str(event.person)
            for event in those
            if event.person is not None and window[0] <= event.day(BERLIN) <= window[1]
        }
        assert [person["person_id"] for person in page["persons"]] == sorted(inside), (asked, cell)


def check_line(
    asked: dict[str, Any], answer: dict[str, Any], line: dict[str, Any], events: list[Seen]
) -> None:
    by_bucket: dict[str, list[Seen]] = {}
    for event in events:
        by_bucket.setdefault(bucket_name(asked, event.time), []).append(event)
    window = [date.fromisoformat(answer["window"][name]) for name in ("start", "end")]
    inside = [event for event in events if window[0] <= event.day(BERLIN) <= window[1]]
    for point in line["points"]:
        assert point["value"] == measure(asked, by_bucket.get(point["date"], [])), (asked, point)
    assert line["total"] == measure(asked, inside), asked
    before = answer["previous"]
    until = None if before["until"] is None else datetime.fromisoformat(before["until"])
    earlier = [
        event
        for event in events
        if date.fromisoformat(before["start"]) <= event.day(BERLIN) <= date.fromisoformat(before["end"])
        and (until is None or event.time <= until)
    ]
    assert line["previous_total"] == measure(asked, earlier), asked
    for point in line["points"]:
        if "previous" in point and point["previous"] is not None:
            same = [event for event in earlier if bucket_name(asked, event.time) == point["previous"]["date"]]
            assert point["previous"]["value"] == measure(asked, same), (asked, point)


def check_values(
    asked: dict[str, Any], answer: dict[str, Any], series: dict[str, Any], events: list[Seen]
) -> None:
    *kept, others = series["values"]
    assert len(kept) <= 1 and others["others"]
    window = [date.fromisoformat(answer["window"][name]) for name in ("start", "end")]
    counts: Counter[Any] = Counter()
    for value in {event.data.get("plan") for event in events}:
        those = [
            event
            for event in events
            if event.data.get("plan") == value and window[0] <= event.day(BERLIN) <= window[1]
        ]
        counts[value] = int(measure(asked, those))
    if kept and counts[kept[0]["value"]]:
        assert counts[kept[0]["value"]] == max(counts.values())
    names = [value["value"] for value in kept]
    for line, those in [
        *((value, [event for event in events if event.data.get("plan") == value["value"]]) for value in kept),
        (others, [event for event in events if event.data.get("plan") not in names]),
    ]:
        check_line(asked, answer, line, those)


async def test_trends_and_metrics_are_one_figure(api: Api, database: Database) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    await record_history(database, project, make_history(project, 7, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 20, tzinfo=BERLIN)
    for of, event, metric, period in [
        ("persons", None, "dau", "daily"),
        ("persons", None, "wau", "weekly"),
        ("persons", None, "mau", "monthly"),
        ("events", "page_view", "page_views", "daily"),
    ]:
        for zone in ("Europe/Berlin", "America/New_York"):
            days = {"start_date": "2026-03-20", "end_date": "2026-04-05", "zone": zone}
            figures = await api.get(
                "/metrics/aggregated", project="berlin", metric_type=metric, period=period, **days
            )
            answer = await api.post(
                "/analysis/trends?project=berlin",
                {**days, "period": period, "series": [{"of": of, "event": event}]},
            )
            points = {point["date"]: point["value"] for point in answer["series"][0]["points"]}
            assert points == {point["metric_date"]: point["value"] for point in figures}, (metric, zone)


async def test_a_funnel_a_cohort_and_a_trend_agree(api: Api, database: Database) -> None:
    """The first step of a funnel, its people and the persons of a trend are one number."""
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    await record_history(database, project, make_history(project, 8, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 20, tzinfo=BERLIN)
    chance = random.Random(8)
    for _ in range(10):
        first = date(2026, 3, chance.randint(20, 29))
        days = {"start_date": str(first), "end_date": str(first + timedelta(days=chance.randint(0, 5)))}
        event = chance.choice(KINDS)
        trend = await api.post(
            "/analysis/trends?project=berlin", {**days, "series": [{"of": "persons", "event": event}]}
        )
        funnel = {**days, "steps": [{"event": event}]}
        answer = await api.post("/analysis/funnel?project=berlin", funnel)
        people = await api.post(
            "/analysis/people?project=berlin", {"of": {"analysis": "funnel", "question": funnel}}
        )
        assert trend["series"][0]["total"] == answer["steps"][0]["count"] == people["total"]
        if event == "signup_completed":
            continue
        retention = {**days, "birth": {"event": event}, "returning": {"event": event}, "mode": "recurring"}
        matrix = await api.post("/analysis/retention?project=berlin", {**retention, "columns": 1})
        sizes = [row["size"] for row in matrix["cohorts"]]
        assert sizes == [point["value"] for point in trend["series"][0]["points"]]


async def test_cohort_sizes_are_the_metrics(api: Api, database: Database) -> None:
    project = await make_project(database, "berlin", time_zone="Europe/Berlin")
    await record_history(database, project, make_history(project, 9, around=CLOCKS_CHANGE))
    api.now = datetime(2026, 4, 20, tzinfo=BERLIN)
    days = {"start_date": "2026-03-20", "end_date": "2026-04-05"}
    figures = await api.get("/metrics/aggregated", project="berlin", metric_type="new_registrations", **days)
    matrix = await api.post(
        "/analysis/retention?project=berlin", {**days, "birth": {"event": "signup_completed"}}
    )
    assert {row["cohort"]: row["size"] for row in matrix["cohorts"]} == {
        point["metric_date"]: point["value"] for point in figures
    }


async def test_formulas_numbers_and_small_words(api: Api, database: Database, project: Project) -> None:
    events = [
        make_event(
            project,
            "upload",
            user_id=f"p{n}",
            occurred_at=at("2026-03-18"),
            event_data={"mb": size},
        )
        for n, size in enumerate(["10", 20, 60, "big"])
    ]
    await record(database, [*events, event_on(project, "2026-03-18", "p1", "login")])
    asked = {
        "start_date": "2026-03-17",
        "end_date": "2026-03-18",
        "series": [
            {"of": "persons", "event": "login", "name": "Logins"},
            {"of": "persons", "event": "upload"},
            {"of": "sum", "event": "upload", "property": "event_data.mb"},
            {"of": "average", "event": "upload", "property": "event_data.mb"},
            {"of": "percentile", "event": "upload", "property": "event_data.mb", "percentile": 50},
        ],
        "formula": "A / B * 100 - (C - 90)",
    }
    answer = await api.post("/analysis/trends", asked)
    values = [[point["value"] for point in series["points"]] for series in answer["series"]]
    assert values == [[0, 1], [0, 4], [0, 90], [None, 30], [None, 20]]
    assert [point["value"] for point in answer["formula"]["points"]] == [None, 25]
    assert answer["formula"]["total"] == 25
    assert [series["letter"] for series in answer["series"]] == list("ABCDE")
    assert answer["series"][0]["name"] == "Logins"
    assert answer["series"][2]["name"] == "sum of event_data.mb of upload"
    assert [point["state"] for point in answer["series"][0]["points"]] == ["settling", "settling"]


async def test_an_open_day_is_compared_up_to_the_same_time_of_day(
    api: Api, database: Database, project: Project
) -> None:
    """It is 12:00: what came yesterday after 12:00 is not held against today."""
    hours = [("2026-03-19", 9), ("2026-03-19", 11), ("2026-03-19", 13), ("2026-03-20", 9)]
    await record(
        database,
        [make_event(project, user_id="ada", occurred_at=at(day, hour)) for day, hour in hours],
    )
    asked = {"start_date": "2026-03-20", "series": [{"event": "page_view"}], "compare": True}
    answer = await api.post("/analysis/trends", asked)
    [series] = answer["series"]
    assert answer["previous"] == {
        "start": "2026-03-19",
        "end": "2026-03-19",
        "until": "2026-03-19T12:00:00Z",
    }
    assert (series["total"], series["previous_total"], series["change"]) == (1, 2, -0.5)
    assert series["points"] == [
        {
            "date": "2026-03-20",
            "value": 1,
            "state": "open",
            "previous": {"date": "2026-03-19", "value": 2},
        }
    ]
    answer = await api.post(
        "/analysis/trends", {**asked, "start_date": "2026-03-19", "end_date": "2026-03-19"}
    )
    assert (answer["previous"]["until"], answer["series"][0]["previous_total"]) == (None, 0)
    assert answer["series"][0]["change"] is None


async def test_the_hours_of_a_month_keep_nobody_waiting(
    api: Api, database: Database, project: Project
) -> None:
    """Two times 744 points for each of 7 lines: what is made of them is made on the thread that answers everybody."""
    await record(
        database,
        [
            make_event(
                project,
                user_id="ada",
                event_data={"path": f"/{hour % 5}"},
                occurred_at=at("2026-03-10", hour),
            )
            for hour in range(24)
        ],
    )
    asked = {
        "start_date": "2026-02-18",
        "end_date": "2026-03-20",
        "series": [{"event": "page_view"}],
        "period": "hourly",
        "breakdown": "event_data.path",
        "compare": True,
    }
    began = process_time()
    [series] = (await api.post("/analysis/trends", asked))["series"]
    assert process_time() - began < 3
    assert [len(series["values"]), series["total"]] == [6, 24]
    assert [point["state"] for point in series["points"][-13:]] == ["settling"] * 12 + ["open"]


async def test_both_periods_are_of_the_same_persons(api: Api, database: Database, project: Project) -> None:
    """Who did something lately is asked as of now, not of the end of the period before, also while today is open."""
    happened = [
        ("ada", "login", "2026-03-20", 8),
        ("ada", "page_view", "2026-03-19", 9),
        ("ada", "page_view", "2026-03-20", 9),
        ("bob", "login", "2026-03-19", 8),
        ("bob", "page_view", "2026-03-19", 9),
    ]
    await record(
        database,
        [
            make_event(project, kind, user_id=who, occurred_at=at(day, hour))
            for who, kind, day, hour in happened
        ],
    )
    asked = {
        "start_date": "2026-03-20",
        "series": [{"event": "page_view", "of": "persons"}],
        "people": {"did": [{"event": "login", "within_days": 1}]},
        "compare": True,
    }
    [series] = (await api.post("/analysis/trends", asked))["series"]
    assert (series["total"], series["previous_total"]) == (1, 1)
    asked["people"] = {"did": [{"event": "page_view", "at_least": 2}]}
    [series] = (await api.post("/analysis/trends", asked))["series"]
    assert (series["total"], series["previous_total"]) == (1, 1)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"series": []}, "series"),
        ({"formula": "A / B"}, "no series 'B'"),
        ({"formula": "A ** 2"}, "formula: write a formula"),
        ({"zone": "localtime"}, "zone 'localtime' is no"),
        ({"formula": "A.real"}, "write a formula"),
        ({"formula": "A +"}, "write a formula"),
        ({"series": [{}, {}], "formula": "AB"}, "no series 'AB'"),
        ({"series": [{"event": "a\0"}]}, "series.0.event"),
        ({"as_of": "0001-01-01T00:00:00Z"}, "as_of"),
        ({"series": [{"of": "sum"}]}, "property"),
        ({"series": [{"of": "events", "property": "event_data.a"}]}, "property"),
        ({"series": [{"of": "percentile", "property": "event_data.a"}]}, "percentile"),
        ({"period": "hourly", "start_date": "2026-01-01"}, "31 days"),
        ({"breakdown": "plan"}, "plan"),
        (
            {
                "series": [{}] * 8,
                "breakdown": "event_type",
                "breakdown_limit": 50,
                "start_date": "2025-12-01",
            },
            "20000 numbers",
        ),
    ],
)
async def test_what_cannot_be_asked(api: Api, project: Project, more: dict[str, Any], words: str) -> None:
    answer = await api.post("/analysis/trends", {"series": [{}], **more}, 422)
    assert words in answer["detail"], answer


@given(
    st.sampled_from(Step),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.integers(0, 40),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Goose_Bay", "Asia/Kathmandu"]),
)
# Clocks go back from 00:01 to 23:01 on the last day.
@example(Step.DAILY, date(2008, 10, 1), 32, "America/Goose_Bay")
def test_buckets_follow_each_other_and_the_ones_before_end_where_they_begin(
    step: Step, first: date, days: int, zone: str
) -> None:
    calendar = Calendar(step, first, first + timedelta(days=days), ZoneInfo(zone))
    starts = calendar.starts()
    assert starts == sorted(set(starts))
    assert len(starts) == len(calendar.names())
    before = calendar.before()
    assert before.days()[1] + timedelta(days=1) == calendar.days()[0]
    if step is not Step.HOURLY:
        assert len(before.starts()) == len(starts)
    moment = starts[-1] + timedelta(minutes=30)
    assert before.starts()[-1] <= calendar.counterpart(moment)


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9))
def test_a_formula_is_what_it_says(a: int, b: int, c: int) -> None:
    values = {"A": Decimal(a), "B": Decimal(b), "C": Decimal(c)}
    found = Formula.parse("-A / (B - 2) + C * 1.5", "ABC").value(values)
    assert found == (None if b == 2 else -Decimal(a) / (b - 2) + c * Decimal("1.5"))
    assert Formula.parse("A + B", "AB").value({"A": None, "B": Decimal(1)}) is None

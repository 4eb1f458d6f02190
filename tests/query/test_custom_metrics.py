"""Metrics that a project defines for itself: defined over HTTP, recounted in plain Python, kept, changed and removed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.custom_metrics import add_metric
from analytics_api.domain.custom_metrics import parse_custom_metric
from analytics_api.domain.event import NewEvent
from analytics_api.domain.period import Period, buckets, local_day, next_bucket
from analytics_api.domain.project import Project
from analytics_api.query.metrics import wanted_metric
from analytics_api.store.engine import Database
from analytics_api.store.metrics.answer import Figures
from tests.query.api import NOW, Api
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import LATE_DAYS, at, event_on, record
from tests.support.filtering import exact, look_up, meets, number_of

slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZE = "event_data.file.size"
WAV = {"path": "event_data.file.type", "op": "is", "value": "wav"}
UPLOADS: dict[str, Any] = {
    "name": "uploads",
    "title": "Uploads",
    "measure": {"of": "events", "events": ["upload"]},
}
ERRORS: dict[str, Any] = {
    "name": "error_rate",
    "description": "How many analyses fail",
    "measure": {
        "numerator": {"of": "events", "events": ["failed"]},
        "denominator": {"of": "events", "events": ["failed", "completed"]},
    },
}

# Against a recount

START = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin", "America/Havana"]
happening = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["upload", "upload", "completed", "failed", "other"]),
        "person": st.sampled_from(["a", "b", "c", None]),
        "minutes": st.integers(0, 40 * 1440),
        "is_bot": st.sampled_from([False, False, False, True]),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "file": st.fixed_dictionaries(
                    {},
                    optional={
                        "type": st.sampled_from(["wav", "mp3", None]),
                        "size": st.sampled_from([0, 1, 2.5, "3", "4.50", "big", None, True, [7], -1]),
                    },
                )
            },
        ),
    }
)
part = st.fixed_dictionaries(
    {"of": st.sampled_from(["events", "persons"]), "events": st.lists(st.sampled_from(["upload", "completed", "failed"]), max_size=2)},
    optional={"filters": st.just([WAV]) | st.just([{"path": SIZE, "op": ">=", "value": 1}])},
) | st.fixed_dictionaries(
    {"of": st.sampled_from(["sum", "average", "minimum", "maximum"]), "property": st.just(SIZE), "events": st.just(["upload"])}
) | st.fixed_dictionaries(
    {"of": st.just("percentile"), "property": st.just(SIZE), "percentile": st.sampled_from([1, 25, 50, 90, 99.9, 100])}
)  # fmt: skip
measure = part | st.fixed_dictionaries({"numerator": part, "denominator": part})


def recount(measured: dict[str, Any], chosen: Sequence[tuple[NewEvent, dict[str, Any]]]) -> Decimal | None:
    """The figure of one bucket from its events."""
    if "numerator" in measured:
        above, below = recount(measured["numerator"], chosen), recount(measured["denominator"], chosen)
        return above / below if above is not None and below else None
    kept = [
        (event, fields)
        for event, fields in chosen
        if (not measured.get("events") or event.event_type in measured["events"])
        and meets(measured.get("filters", []), fields)
    ]
    if measured["of"] == "events":
        return Decimal(len(kept))
    if measured["of"] == "persons":
        return Decimal(len({event.user_id for event, _ in kept if event.user_id is not None}))
    found = (number_of(look_up(measured["property"], fields)) for _, fields in kept)
    numbers = sorted(number for number in found if number is not None)
    if measured["of"] == "sum":
        return sum(numbers, Decimal(0))
    if not numbers:
        return None
    if measured["of"] == "percentile":
        return numbers[math.ceil(Decimal(str(measured["percentile"])) / 100 * len(numbers)) - 1]
    average = sum(numbers, Decimal(0)) / len(numbers)
    return {"average": average, "minimum": numbers[0], "maximum": numbers[-1]}[measured["of"]]


async def play(
    url: str, happenings: list[dict[str, Any]], measured: dict[str, Any], zone: str, asked: str, bots: bool
) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = [
            make_event(
                project,
                item["kind"],
                user_id=item["person"],
                occurred_at=START + timedelta(minutes=item["minutes"]),
                event_data=item["data"],
                is_bot=item["is_bot"],
                event_id=f"{project.slug}-{number}",
            )
            for number, item in enumerate(happenings)
        ]
        await record(database, events)
        await add_metric(database, project, {"name": "own", "measure": measured}, NOW)
        looked_at = [
            (event, {"event_data": exact(item["data"])})
            for event, item in zip(events, happenings, strict=True)
            if bots or not item["is_bot"]
        ]
        first, last = date(2026, 2, 27), date(2026, 4, 12)
        for period in Period:
            async with database.read() as connection:
                metric = await wanted_metric(connection, project, "own", period)
                figures = await Figures.of(connection, project, at("2026-04-12"), LATE_DAYS, ZoneInfo(asked))
                points = await figures.points(metric, first, last, include_bots=bots)
            assert [point.bucket for point in points] == list(buckets(first, last, period))
            for point in points:
                after = next_bucket(point.bucket, period)
                chosen = [
                    each
                    for each in looked_at
                    if point.bucket <= local_day(each[0].occurred_at, ZoneInfo(asked)) < after
                ]
                assert point.figure.value == recount(measured, chosen), (period, point.bucket)


@slow
@given(
    happenings=st.lists(happening, max_size=25),
    measured=measure,
    zone=st.sampled_from(ZONES),
    asked=st.sampled_from(ZONES),
    bots=st.booleans(),
)
def test_figures_equal_a_recount_in_every_zone(
    database_url: str,
    happenings: list[dict[str, Any]],
    measured: dict[str, Any],
    zone: str,
    asked: str,
    bots: bool,
) -> None:
    in_thread(play(database_url, happenings, measured, zone, asked, bots))


# Over HTTP


async def test_a_metric_is_defined_listed_and_answered_like_any_other(
    api: Api, database: Database, project: Project
) -> None:
    made = await api.post("/metrics/custom", ERRORS, 201)
    assert made["unit"] == "fraction"
    assert made["title"] == "error_rate"
    assert made["definition"] == "How many analyses fail. Events failed / events completed or failed."
    await record(
        database,
        [event_on(project, "2026-03-02", "ada", "completed") for _ in range(3)]
        + [event_on(project, "2026-03-02", None, "failed")]
        + [event_on(project, "2026-03-02", "ada", "failed", is_bot=True)],
    )
    [point] = await api.get(
        "/metrics/aggregated", metric_type="error_rate", start_date="2026-03-02", end_date="2026-03-02"
    )
    metadata = point["metadata"]
    assert (point["value"], metadata["numerator"], metadata["denominator"]) == (0.25, 1.0, 4.0)
    assert (metadata["state"], metadata["source"], metadata["zone"]) == ("final", "events", "UTC")
    assert metadata["definition"] == made["definition"]
    assert metadata["small_sample"] is True
    # Wilson, 1 of 4, as worked out by hand to three places.
    assert metadata["interval"]["low"] == pytest.approx(0.046, abs=5e-4)
    assert metadata["interval"]["high"] == pytest.approx(0.699, abs=5e-4)
    with_bots = await api.value("error_rate", "2026-03-02", include_bots=True)
    assert with_bots == 0.4
    assert await api.value("error_rate", "2026-03-02", period="monthly") == 0.25
    assert await api.value("error_rate", "2026-03-02", zone="Asia/Kathmandu") == 0.25
    assert await api.value("error_rate", "2026-03-03") is None

    listed = [each for each in await api.get("/metrics/definitions") if each["custom"]]
    assert [(each["metric_type"], each["period"], each["unit"]) for each in listed] == [
        ("error_rate", "daily", "fraction"),
        ("error_rate", "weekly", "fraction"),
        ("error_rate", "monthly", "fraction"),
    ]
    unknown = await api.get("/metrics/aggregated", 422, metric_type="moo")
    assert unknown["known_metrics"][-1] == "error_rate"


async def test_numbers_that_are_none_are_counted(api: Api, database: Database, project: Project) -> None:
    await api.post(
        "/metrics/custom",
        {"name": "seconds", "unit": "seconds", "measure": {"of": "average", "property": "event_data.s", "events": ["done"]}},
        201,
    )  # fmt: skip
    for value in (1, "2", "soon", None):
        await record(database, [event_on(project, "2026-03-02", "ada", "done", event_data={"s": value})])
    [point] = await api.get(
        "/metrics/aggregated", metric_type="seconds", start_date="2026-03-02", end_date="2026-03-02"
    )
    assert (point["value"], point["metadata"]["unit"]) == (1.5, "seconds")
    assert (point["metadata"]["numerator"], point["metadata"]["denominator"]) == (3.0, 2.0)
    assert (point["metadata"]["without_number"], point["metadata"]["small_sample"]) == (2, True)


async def test_properties_of_persons(api: Api, database: Database, project: Project) -> None:
    await api.post(
        "/metrics/custom",
        {"name": "pro_users", "measure": {"of": "persons", "filters": [{"path": "person.plan", "op": "is", "value": "pro"}]}},
        201,
    )  # fmt: skip
    await record(
        database,
        [
            event_on(project, "2026-03-02", "ada", user_properties={"$set": {"plan": "pro"}}),
            event_on(project, "2026-03-03", "ada"),
            event_on(project, "2026-03-03", "bob"),
        ],
    )
    assert await api.value("pro_users", "2026-03-03") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "dau"}, "name: dau is a metric of the product"),
        ({"name": "Uploads"}, "name: use 1 to 63"),
        ({"unit": "currency"}, "unit: amounts of events are not converted"),
        ({"title": "a\nb"}, "title: use a text of at most"),
        ({"measure": {"of": "median"}}, "measure.of: use one of events, persons"),
        ({"measure": {"of": "sum"}}, "measure.property: use a text"),
        ({"measure": {"of": "events", "property": SIZE}}, "measure.property: leave it out"),
        ({"measure": {"of": "percentile", "property": SIZE}}, "measure.percentile: give a number"),
        ({"measure": {"of": "percentile", "property": SIZE, "percentile": 101}}, "measure.percentile: give a number"),
        ({"measure": {"of": "events", "percentile": 5}}, "measure.percentile: leave it out"),
        ({"measure": {"of": "events", "events": "upload"}}, "measure.events: give a list"),
        ({"measure": {"of": "events", "events": ["a\0"]}}, "measure.events: an event type is"),
        ({"measure": {"of": "events", "type": 1}}, "measure.type: is not known here"),
        ({"measure": {"numerator": {"of": "events"}}}, "measure.denominator: write an object"),
        ({"measure": {"numerator": {"of": "events"}, "denominator": {"of": "x"}}}, "measure.denominator.of: use one of"),
        ({"measure": {"of": "events", "filters": [{"path": "a", "op": "is"}]}}, "measure.filters[0].path: 'a' leads nowhere"),
        (
            {"measure": {"of": "events", "filters": [{"path": "user_id", "op": "matches", "value": "(["}]}},
            "measure.filters: user_id matches: '([' is no regular expression",
        ),
    ],
)  # fmt: skip
async def test_a_mistake_is_named_with_its_place(api: Api, change: dict[str, Any], words: str) -> None:
    problem = await api.post("/metrics/custom", {**UPLOADS, **change}, 422)
    assert problem["detail"].startswith(words)


async def close(database: Database, day: str) -> Any:
    [closing] = await close_due_days(database, at(day), late_days=LATE_DAYS)
    return closing


async def test_figures_are_kept_and_a_late_event_and_another_definition_leave_revisions(
    api: Api, database: Database, project: Project
) -> None:
    await api.post("/metrics/custom", UPLOADS, 201)
    wav = {"file": {"type": "wav"}}
    await record(database, [event_on(project, "2026-03-02", "ada", "upload", event_data=wav)])
    await record(database, [event_on(project, "2026-03-02", "ada", "upload")])
    await close(database, "2026-03-20")
    kept = await database.pool.fetchval(
        "SELECT count(*) FROM aggregated_metrics WHERE metric_type = 'uploads' AND stale IS NULL"
    )
    # 18 days, 2 whole weeks and the one that began before the first day.
    assert kept == 18 + 2

    await record(database, [event_on(project, "2026-03-02", "bob", "upload", received_at=NOW)])
    assert await api.value("uploads", "2026-03-02") == 3
    closing = await close(database, "2026-03-21")
    assert closing.revisions >= 2
    assert await api.value("uploads", "2026-03-02") == 3

    changed = {**UPLOADS, "measure": {**UPLOADS["measure"], "filters": [WAV]}}
    del changed["name"]
    answer = await api.put("/metrics/custom/uploads", changed)
    assert answer["version"] == 2
    assert answer["definition"] == "Events upload where event_data.file.type is wav."
    # At once, before the next hourly run.
    [point] = await api.get(
        "/metrics/aggregated", metric_type="uploads", start_date="2026-03-02", end_date="2026-03-02"
    )
    assert (point["value"], point["metadata"]["definition_version"]) == (1.0, 2)
    await close(database, "2026-03-21")
    revisions = await api.get(
        "/metrics/revisions", metric_type="uploads", period="daily", start_date="2026-03-02", end_date="2026-03-02"
    )  # fmt: skip
    assert [(each["old_value"], each["new_value"], each["cause"]) for each in revisions["revisions"]] == [
        (3.0, 1.0, "definition"),
        (2.0, 3.0, "late_events(1)"),
    ]
    # Words alone change no figure.
    answer = await api.put("/metrics/custom/uploads", {**changed, "description": "Sounds"})
    assert (answer["version"], answer["definition"][:7]) == (2, "Sounds.")
    details = await api.get("/metrics/custom/uploads")
    assert [change["version"] for change in details["history"]] == [2, 2, 1]


async def test_a_metric_removed_and_made_again_is_another_version(
    api: Api, database: Database, project: Project
) -> None:
    await api.post("/metrics/custom", UPLOADS, 201)
    await api.post("/metrics/custom", UPLOADS, 409)
    await record(database, [event_on(project, "2026-03-02", "ada", "upload")])
    await close(database, "2026-03-20")
    await api.delete("/metrics/custom/uploads")
    await api.delete("/metrics/custom/uploads", 404)
    await api.get("/metrics/custom/uploads", 404)
    await api.get("/metrics/aggregated", 422, metric_type="uploads")
    assert (await api.get("/metrics/custom"))["metrics"] == []
    again = await api.post(
        "/metrics/custom", {**UPLOADS, "measure": {"of": "events", "events": ["other"]}}, 201
    )
    assert again["version"] == 2
    assert await api.value("uploads", "2026-03-02") == 0
    details = await api.get("/metrics/custom/uploads")
    assert [change["definition"] is None for change in details["history"]] == [False, True, False]


async def test_what_was_kept_of_sealed_days_stays_and_the_rest_is_unknown(
    api: Api, database: Database, project: Project
) -> None:
    await api.post("/metrics/custom", UPLOADS, 201)
    await record(database, [event_on(project, day, "ada", "upload") for day in ("2026-02-02", "2026-02-10")])
    await close(database, "2026-03-20")
    # As retention leaves it behind.
    await database.pool.execute("DELETE FROM events WHERE occurred_at < '2026-02-05'")
    await database.pool.execute("UPDATE project_days SET state = 'sealed' WHERE day < '2026-02-05'")
    await api.post("/metrics/custom", {**UPLOADS, "name": "uploads_too"}, 201)
    await close(database, "2026-03-20")
    ask = {"start_date": "2026-02-02", "end_date": "2026-02-10"}
    for period, known in (("daily", [1.0] + [0.0] * 7 + [1.0]), ("weekly", [1.0, 1.0]), ("monthly", [2.0])):
        found = await api.get("/metrics/aggregated", metric_type="uploads", period=period, **ask)
        assert [point["value"] for point in found] == known
    found = await api.get("/metrics/aggregated", metric_type="uploads_too", **ask)
    assert [point["value"] for point in found] == [None] * 3 + [0.0] * 5 + [1.0]
    assert found[0]["metadata"]["raw_events_gone"] is True
    # Sealed to the full: the week has lost a part.
    found = await api.get("/metrics/aggregated", metric_type="uploads_too", period="weekly", **ask)
    assert [point["value"] for point in found] == [None, 1.0]


def test_a_definition_survives_json() -> None:
    for definition in (UPLOADS, ERRORS):
        parsed = parse_custom_metric(definition)
        assert parse_custom_metric(json.loads(json.dumps(parsed.as_json()))) == parsed


def test_only_a_part_of_the_whole_is_a_proportion() -> None:
    def unit(numerator: dict[str, Any], denominator: dict[str, Any]) -> str:
        measured = {"numerator": numerator, "denominator": denominator}
        return parse_custom_metric({"name": "x", "measure": measured}).unit

    events = {"of": "events", "events": ["a"]}
    assert unit({**events, "filters": [WAV]}, events) == "fraction"
    assert unit(events, {"of": "events"}) == "fraction"
    assert unit({"of": "events"}, events) == "ratio"
    assert unit(events, {**events, "filters": [WAV]}) == "ratio"
    assert unit(events, {"of": "persons", "events": ["a"]}) == "ratio"
    assert unit({"of": "sum", "property": SIZE}, {"of": "sum", "property": SIZE}) == "ratio"

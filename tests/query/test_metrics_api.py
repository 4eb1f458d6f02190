"""GET /metrics/...: figures as the API answers them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.metrics import METRICS
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Spend, save_spend
from tests.query.api import NOW, Api
from tests.support.events import make_event, make_project, write_events
from tests.support.figures import LATE_DAYS, at, event_on, payment_on, record, subscription_on


async def test_aggregated_in_the_shape_of_the_guide(api: Api, database: Database, project: Project) -> None:
    await record(database, [event_on(project, "2026-03-02", f"p{number}") for number in range(15)])
    ask = {
        "metric_type": "dau",
        "period": "daily",
        "start_date": "2026-03-01",
        "end_date": "2026-03-03",
    }
    answer = await api.get("/metrics/aggregated", **ask)
    assert [list(point) for point in answer] == [
        ["id", "metric_date", "metric_type", "period", "value", "metadata"]
    ] * 3
    assert [point["metric_date"] for point in answer] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert [point["value"] for point in answer] == [0.0, 15.0, 0.0]
    assert all(isinstance(point["value"], float) for point in answer)
    assert {UUID(point["id"]).version for point in answer} == {5}
    assert len({point["id"] for point in answer}) == 3
    assert {(point["metric_type"], point["period"]) for point in answer} == {("dau", "daily")}
    assert answer[1]["metadata"] == {
        "calculated_at": "2026-03-20T12:00:00Z",
        "definition": "Distinct persons with at least one active event on the day.",
        "definition_version": 1,
        "unit": "count",
        "numerator": 15.0,
        "denominator": None,
        "window": {"start": "2026-03-02", "end": "2026-03-02"},
        "zone": "UTC",
        "state": "final",
        "include_bots": False,
        "source": "rollups",
    }

    [closing] = await close_due_days(database, NOW - timedelta(hours=5), late_days=LATE_DAYS)
    assert closing.figures > 0
    closed = await api.get("/metrics/aggregated", **ask)
    assert closed[1]["metadata"].pop("calculated_at") == "2026-03-20T07:00:00Z"
    answer[1]["metadata"].pop("calculated_at")
    assert closed[1] == answer[1]


async def test_the_period_may_be_left_out_and_buckets_that_touch_the_range_are_given(
    api: Api, database: Database, project: Project
) -> None:
    await record(database, [event_on(project, "2026-02-02", "ada")])
    weeks = await api.get(
        "/metrics/aggregated", metric_type="wau", start_date="2026-02-04", end_date="2026-02-09"
    )
    assert [(week["metric_date"], week["value"]) for week in weeks] == [
        ("2026-02-02", 1.0),
        ("2026-02-09", 0.0),
    ]
    months = await api.get("/metrics/aggregated", metric_type="mau", start_date="2026-02-28")
    assert [(month["metric_date"], month["metadata"]["state"]) for month in months] == [
        ("2026-02-01", "final"),
        ("2026-03-01", "open"),
    ]


async def test_the_last_30_days_are_the_default_and_the_future_is_left_out(api: Api) -> None:
    answer = await api.get("/metrics/aggregated", metric_type="events")
    assert [answer[0]["metric_date"], answer[-1]["metric_date"], len(answer)] == [
        "2026-02-19",
        "2026-03-20",
        30,
    ]
    states = [point["metadata"]["state"] for point in answer]
    assert states[-8:] == ["settling"] * 7 + ["open"]
    assert states[0] == "final"
    ahead = await api.get(
        "/metrics/aggregated", metric_type="events", start_date="2026-03-19", end_date="9999-12-31"
    )
    assert len(ahead) == 2
    assert (
        await api.get(
            "/metrics/aggregated", metric_type="events", start_date="2027-01-01", end_date="2027-02-01"
        )
        == []
    )


async def test_rolling_windows_and_small_samples_are_marked(
    api: Api, database: Database, project: Project
) -> None:
    events = [event_on(project, "2026-01-05", f"p{number}") for number in range(4)]
    await record(
        database, [*events, event_on(project, "2026-02-05", "p1"), event_on(project, "2026-02-10", None)]
    )
    rolling = await api.get(
        "/metrics/aggregated", metric_type="mau_rolling", start_date="2026-02-02", end_date="2026-02-03"
    )
    assert [point["metadata"]["partial"] for point in rolling] == [True, False]
    assert rolling[1]["metadata"]["window"] == {"start": "2026-01-05", "end": "2026-02-03", "days": 30}
    [churn] = await api.get(
        "/metrics/aggregated", metric_type="churn_rate", start_date="2026-02-01", end_date="2026-02-28"
    )
    metadata = churn["metadata"]
    assert (churn["value"], metadata["numerator"], metadata["denominator"]) == (0.75, 3.0, 4.0)
    assert (metadata["unit"], metadata["small_sample"]) == ("fraction", True)
    # Wilson, 3 of 4, z = 1.96: worked out by hand to three places.
    assert metadata["interval"]["low"] == pytest.approx(0.301, abs=5e-4)
    assert metadata["interval"]["high"] == pytest.approx(0.954, abs=5e-4)


async def test_every_metric_answers_for_every_period_it_has(
    api: Api, database: Database, project: Project
) -> None:
    """Also without any event at all: counts are 0, ratios null."""
    for metric in METRICS:
        answer = await api.get(
            "/metrics/aggregated", metric_type=metric.name, start_date="2026-03-02", end_date="2026-03-02"
        )
        expected = 0.0 if metric.unit in ("count", "currency") else None
        if metric.name.startswith(("arp", "ltv", "cac", "cost_per_signup")):
            expected = None
        assert [point["value"] for point in answer] == [expected], metric.name


async def test_metrics_named_in_the_guide_are_there(api: Api) -> None:
    definitions = await api.get("/metrics/definitions")
    names: dict[str, list[str]] = {}
    for definition in definitions:
        names.setdefault(definition["period"], []).append(definition["metric_type"])
        assert definition["definition"].endswith(".")
    guide = {
        "daily": "dau new_registrations new_persons generations_completed generations_failed revenue net_revenue "
        "successful_payments failed_payments new_subscriptions cancelled_subscriptions referrals_sent "
        "referrals_accepted signup_to_payment_conversion wau_rolling mau_rolling stickiness sessions page_views events",
        "weekly": "wau weekly_revenue weekly_new_users",
        "monthly": "mau monthly_revenue monthly_new_users churn_rate subscriber_churn revenue_churn_gross "
        "revenue_churn_net nrr grr mrr arpu ltv cac ltv_cac_ratio",
    }
    for period, listed in guide.items():
        assert [name for name in names[period] if name in listed.split()] == listed.split()
    settles = {item["metric_type"]: item["settles_after_days"] for item in definitions}
    assert (settles["dau"], settles["signup_to_payment_conversion"], settles["cac"]) == (7, 30, 30)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"metric_type": "moo"}, ["'moo'", "dau", "ltv_cac_ratio"]),
        ({"metric_type": "dau", "period": "monthly"}, ["period=monthly", "mau", "churn_rate"]),
        ({"metric_type": "dau", "period": "hourly"}, ["period", "daily"]),
        ({}, ["metric_type", "required"]),
        (
            {"metric_type": "dau", "start_date": "2026-03-02", "end_date": "2026-03-01"},
            ["end_date", "start_date"],
        ),
        ({"metric_type": "dau", "start_date": "yesterday"}, ["start_date"]),
        ({"metric_type": "dau", "start_date": "0001-01-01", "end_date": "0001-01-02"}, ["1970-01-01"]),
        ({"metric_type": "dau", "start_date": "1990-01-01"}, ["4000"]),
        ({"metric_type": "dau", "project": "nobody"}, ["nobody"]),
    ],
)
async def test_what_cannot_be_asked(api: Api, parameters: dict[str, str], words: list[str]) -> None:
    status = 404 if "project" in parameters else 422
    problem = await api.get("/metrics/aggregated", status, **parameters)
    assert problem["status"] == status
    assert all(word in problem["detail"] for word in words), problem["detail"]


async def test_an_unknown_metric_lists_those_of_its_period(api: Api) -> None:
    problem = await api.get("/metrics/aggregated", 422, metric_type="moo", period="weekly")
    assert problem["known_metrics"][:3] == ["wau", "weekly_revenue", "weekly_new_users"]


async def test_4000_days_are_answered(api: Api) -> None:
    first = NOW.date() - timedelta(days=3999)
    answer = await api.get("/metrics/aggregated", metric_type="mau_rolling", start_date=first.isoformat())
    assert len(answer) == 4000


async def test_bots_are_counted_on_request(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [event_on(project, "2026-03-02", "ada"), event_on(project, "2026-03-02", "bot", is_bot=True)],
    )
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    assert await api.value("dau", "2026-03-02") == 1
    assert await api.value("dau", "2026-03-02", include_bots=True) == 2


async def test_dashboard_in_the_shape_of_the_guide(api: Api, database: Database, project: Project) -> None:
    """January: 4 signups, 1 paid in time. February: 8 active in January, 6 of them not any more."""
    events = [event_on(project, "2026-01-10", f"s{number}", "signup_completed") for number in range(4)]
    events += [event_on(project, "2026-01-10", f"p{number}") for number in range(4)]
    events += [payment_on(project, "2026-02-05", "s0", "10")]
    events += [event_on(project, "2026-02-07", "p0")]
    events += [
        event_on(project, "2026-03-20", "new", "signup_completed"),
        event_on(project, "2026-03-01", "p3"),
    ]
    events += [payment_on(project, "2026-03-20", "new", "599.97")]
    await record(database, events)
    for _ in ("from rollups", "from kept figures"):
        answer = await api.get("/metrics/dashboard")
        details = answer.pop("details")
        assert answer == {
            "daily_active_users": 1,
            "monthly_active_users": 2,
            "new_registrations_today": 1,
            "revenue_today": 599.97,
            "conversion_rate": 25.0,
            "churn_rate": 75.0,
            "ltv_cac_ratio": None,
        }
        assert set(details) == {*answer, "as_of", "lag", "zone", "source"}
        assert (details["as_of"], details["lag"]) == ("2026-03-20T12:00:00Z", {"events": 0, "seconds": 0.0})
        conversion = details["conversion_rate"]
        assert (conversion["value"], conversion["numerator"], conversion["denominator"]) == (0.25, 1.0, 4.0)
        assert conversion["window"] == {"start": "2026-01-01", "end": "2026-01-31", "days": 30}
        assert conversion["state"] == "final"
        assert (details["churn_rate"]["value"], details["churn_rate"]["unit_of_field"]) == (0.75, "percent")
        assert details["churn_rate"]["window"] == {"start": "2026-02-01", "end": "2026-02-28"}
        assert details["ltv_cac_ratio"]["basis"]["months"] == ["2025-12-01", "2026-01-01", "2026-02-01"]
        for name in answer:
            assert {"definition", "window", "numerator", "denominator", "state", "zone"} <= set(
                details[name]
            ), name
        await close_due_days(database, NOW, late_days=LATE_DAYS)


async def test_the_dashboard_needs_two_statements(api: Api, database: Database, project: Project) -> None:
    """Once days are closed: one for what every answer begins with, one for all that its cards show."""
    days = [date(2025, 12, 1) + timedelta(days=number) for number in range(0, 110, 5)]
    await record(
        database,
        [
            *(event_on(project, day, f"p{number}", "signup_completed") for number, day in enumerate(days)),
            *(payment_on(project, day, f"p{number}", "10", payment_id=f"{day}") for number, day in enumerate(days)),
            *(subscription_on(project, day, f"p{number}", "created", "10") for number, day in enumerate(days)),
            subscription_on(project, "2026-02-20", "p3", "cancelled"),
            event_on(
                project, "2026-02-10", None, "payment_refunded",
                event_data={"payment_id": "2026-02-04", "amount": "10", "currency": "USD"},
            ),
            event_on(project, "2026-03-20", "p1"),
        ],
    )  # fmt: skip
    async with database.write() as connection:
        spend = Spend(date(2025, 12, 1), date(2026, 2, 28), "ads", "", Decimal(900), "USD")
        await save_spend(connection, project, [spend], NOW)
    fresh = await api.get("/metrics/dashboard")
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    statements: list[str] = []

    def watch(connection: Any, _record: object, _proxy: object) -> None:
        connection.driver_connection.add_query_logger(lambda logged: statements.append(logged.query))

    first = await api.get("/metrics/dashboard")
    event.listen(database.engine.sync_engine, "checkout", watch)
    kept = await api.get("/metrics/dashboard")
    event.remove(database.engine.sync_engine, "checkout", watch)
    assert len([sql for sql in statements if "_days" in sql or "payments" in sql or "metrics" in sql]) == 2
    assert kept == first
    names = [name for name in fresh if name != "details"]
    assert {name: kept[name] for name in names} == {name: fresh[name] for name in names}
    # 7 in December, 6 in January, 5 in February; one of them had it back.
    assert kept["details"]["ltv_cac_ratio"]["basis"]["new_payers"] == 17


async def test_dashboard_without_any_event(api: Api) -> None:
    answer = await api.get("/metrics/dashboard")
    answer.pop("details")
    assert answer == {
        "daily_active_users": 0,
        "monthly_active_users": 0,
        "new_registrations_today": 0,
        "revenue_today": 0.0,
        "conversion_rate": None,
        "churn_rate": None,
        "ltv_cac_ratio": None,
    }


async def test_dashboard_says_how_far_it_is_behind(api: Api, database: Database, project: Project) -> None:
    await record(database, [event_on(project, "2026-03-20", "ada")])
    waiting = [event_on(project, "2026-03-20", "bob", received_at=NOW - timedelta(seconds=90))]
    await write_events(database, waiting)
    answer = await api.get("/metrics/dashboard")
    assert answer["daily_active_users"] == 1
    assert answer["details"]["lag"] == {"events": 1, "seconds": 90.0}
    assert answer["details"]["as_of"] == "2026-03-20T11:58:30Z"


async def test_the_card_equals_the_chart(api: Api, database: Database, project: Project) -> None:
    days = [date(2026, 2, 1) + timedelta(days=number) for number in range(48)]
    await record(database, [event_on(project, day, f"p{(index * 5) % 33}") for index, day in enumerate(days)])
    card = await api.get("/metrics/dashboard")
    assert card["monthly_active_users"] == await api.value("mau_rolling", "2026-03-20")
    chart = await api.get("/metrics/aggregated", metric_type="mau_rolling")
    assert card["monthly_active_users"] == chart[-1]["value"]


async def test_days_are_those_of_the_project(api: Api, database: Database) -> None:
    project = await make_project(database, "kathmandu", time_zone="Asia/Kathmandu")
    evening = datetime(2026, 3, 2, 18, 14, 59, tzinfo=UTC)
    await record(
        database,
        [
            event_on(project, "2026-03-02", "ada"),
            payment_on(project, "2026-03-02", "ada", "1"),
        ],
    )
    late = [
        make_event(project, user_id="bob", occurred_at=evening + timedelta(seconds=second))
        for second in (0, 1)
    ]
    await record(database, late)
    answer = await api.get(
        "/metrics/aggregated",
        metric_type="events",
        project="kathmandu",
        start_date="2026-03-02",
        end_date="2026-03-03",
    )
    assert [point["value"] for point in answer] == [3.0, 1.0]
    assert answer[0]["metadata"]["zone"] == "Asia/Kathmandu"


async def test_another_zone_is_counted_from_events_and_says_so(
    api: Api, database: Database, project: Project
) -> None:
    """18:30 UTC is the next day in Kathmandu and the same in Newfoundland."""
    event = make_event(project, "feature_used", occurred_at=at("2026-03-02", 18, 30))
    await record(database, [event])
    assert await api.value("dau", "2026-03-02") == 1
    assert await api.value("dau", "2026-03-02", zone="Asia/Kathmandu") == 0
    assert await api.value("dau", "2026-03-03", zone="Asia/Kathmandu") == 1
    assert await api.value("dau", "2026-03-02", zone="America/St_Johns") == 1
    [found] = await api.get(
        "/metrics/aggregated",
        metric_type="dau",
        start_date="2026-03-03",
        end_date="2026-03-03",
        zone="Asia/Kathmandu",
    )
    assert found["metadata"]["zone"] == "Asia/Kathmandu"
    assert found["metadata"]["source"] == "events"
    own = await api.get("/metrics/dashboard", zone="UTC")
    assert own["details"]["source"] == "rollups"
    other = await api.get("/metrics/dashboard", zone="Asia/Kathmandu")
    assert other["details"]["source"] == "events"
    assert other["monthly_active_users"] == own["monthly_active_users"] == 1
    problem = await api.get("/metrics/aggregated", 422, metric_type="dau", zone="Mars/Olympus")
    assert "Mars/Olympus" in problem["detail"]


async def test_another_zone_has_no_days_whose_events_are_gone(
    api: Api, database: Database, project: Project
) -> None:
    await record(database, [event_on(project, "2026-01-02", "ada")])
    await close_due_days(database, api.now, late_days=LATE_DAYS)
    await database.pool.execute("UPDATE project_days SET state = 'sealed' WHERE day <= '2026-01-31'")
    asked = {"metric_type": "dau", "zone": "Asia/Kathmandu"}
    problem = await api.get("/metrics/aggregated", 422, **asked, start_date="2026-02-03")
    assert "2026-01-31 are gone" in problem["detail"]
    await api.get("/metrics/aggregated", **asked, start_date="2026-03-15")


async def test_revisions_page_by_page(api: Api, database: Database, project: Project) -> None:
    await record(database, [event_on(project, "2026-03-02", "ada")])
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    assert await api.get("/metrics/revisions") == {"revisions": [], "next_cursor": None}
    await record(database, [event_on(project, "2026-03-02", "bob"), event_on(project, "2026-03-02", "bob")])
    await close_due_days(database, NOW, late_days=LATE_DAYS)

    only = await api.get("/metrics/revisions", metric_type="dau")
    [revision] = only["revisions"]
    assert revision.pop("id") > 0
    assert revision == {
        "metric_date": "2026-03-02",
        "metric_type": "dau",
        "period": "daily",
        "old_value": 1.0,
        "new_value": 2.0,
        "cause": "late_events(2)",
        "changed_at": "2026-03-20T12:00:00Z",
    }
    everything = (await api.get("/metrics/revisions", limit=1000))["revisions"]
    assert len(everything) > 10
    paged: list[Any] = []
    page = await api.get("/metrics/revisions", limit=4)
    paged += page["revisions"]
    while page["next_cursor"] is not None:
        page = await api.get("/metrics/revisions", limit=4, cursor=page["next_cursor"])
        paged += page["revisions"]
    assert paged == everything
    none = await api.get("/metrics/revisions", start_date="2027-01-01")
    assert none["revisions"] == []
    rolling = await api.get("/metrics/revisions", metric_type="wau_rolling", end_date="2026-03-04")
    assert [item["metric_date"] for item in rolling["revisions"]] == [
        "2026-03-04",
        "2026-03-03",
        "2026-03-02",
    ]
    await api.get("/metrics/revisions", 422, metric_type="moo")


async def test_subscription_figures_over_http(api: Api, database: Database, project: Project) -> None:
    await record(
        database,
        [
            subscription_on(project, "2026-01-05", "ada", "created", "1200", interval="year"),
            subscription_on(project, "2026-02-05", "bob", "created", "20"),
        ],
    )
    mrr = await api.get(
        "/metrics/aggregated", metric_type="mrr", start_date="2026-01-01", end_date="2026-02-28"
    )
    assert [point["value"] for point in mrr] == [100.0, 120.0]
    metadata = mrr[1]["metadata"]
    assert (metadata["unit"], metadata["currency"]) == ("currency", "USD")
    assert (metadata["mrr_start"], metadata["new"], metadata["mrr_end"]) == (100.0, 20.0, 120.0)

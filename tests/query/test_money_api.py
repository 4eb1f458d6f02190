"""POST /rates and /spend: what is stored, what is refused, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from tests.query.api import NOW, Api
from tests.support.figures import LATE_DAYS, at, event_on, payment_on, record


async def test_rates_convert_what_was_unconverted(api: Api, database: Database, project: Project) -> None:
    await record(database, [payment_on(project, "2026-03-02", "ada", "10", currency="EUR")])
    assert await api.value("revenue", "2026-03-02") == 0
    rate = {"currency": "eur", "date": "2026-03-02", "rate": "1.0834"}
    assert await api.post("/rates", rate) == {"stored": 1, "changed": 1}
    assert await api.post("/rates", [rate, rate]) == {"stored": 1, "changed": 0}
    assert await api.value("revenue", "2026-03-02") == 10.834
    assert await api.post("/rates", [{**rate, "rate": 2}]) == {"stored": 1, "changed": 1}
    assert await api.value("revenue", "2026-03-02") == 20


async def test_spend_makes_acquisition_cost(api: Api, database: Database, project: Project) -> None:
    await record(database, [payment_on(project, "2026-02-02", "ada", "10")])
    assert await api.value("cac", "2026-02-01") is None
    spend = {"start_date": "2026-01-31", "end_date": "2026-02-03", "channel": "ads", "amount": 100}
    assert await api.post("/spend", spend) == {"stored": 1, "changed": 1}
    assert await api.post("/spend", spend) == {"stored": 1, "changed": 0}
    assert await api.value("cac", "2026-02-01") == 75
    day = {"date": "2026-02-09", "channel": "ads", "campaign": "spring", "amount": "5.50", "currency": "USD"}
    assert await api.post("/spend", [day, {**spend, "amount": "200"}]) == {"stored": 2, "changed": 2}
    assert await api.value("cac", "2026-02-01") == 155.5


async def test_spend_that_reaches_into_the_next_month_changes_its_kept_figures(
    api: Api, database: Database, project: Project
) -> None:
    await record(database, [event_on(project, "2026-02-10", "ada", "signup_completed")])
    await record(database, [event_on(project, "2026-01-10", "bob", "signup_completed")])
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    await api.post("/spend", {"start_date": "2026-01-27", "end_date": "2026-02-05", "amount": 100})
    assert await api.value("cost_per_signup", "2026-01-01") == 50
    assert await api.value("cost_per_signup", "2026-02-01") == 50


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/rates", {"currency": "USD", "date": "2026-03-02", "rate": 1}, ["USD", "own currency"]),
        ("/rates", {"currency": "EURO", "date": "2026-03-02", "rate": 1}, ["currency", "three letters"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": 0}, ["rate", "greater than 0"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": "NaN"}, ["rate"]),
        ("/rates", {"currency": "EUR", "date": "2026-02-30", "rate": 1}, ["date"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": 1, "day": 1}, ["day", "not known"]),
        ("/rates", [], ["at least 1"]),
        ("/spend", {"date": "2026-03-02"}, ["amount", "required"]),
        ("/spend", {"amount": 1}, ["date"]),
        (
            "/spend",
            {"start_date": "2026-03-02", "end_date": "2026-03-01", "amount": 1},
            ["end_date", "before"],
        ),
        ("/spend", {"date": "2026-03-02", "end_date": "2026-03-03", "amount": 1}, ["either date"]),
        ("/spend", {"date": "2026-03-02", "amount": -1}, ["amount"]),
        ("/spend", {"date": "2026-03-02", "amount": 1, "channel": "a\x00b"}, ["channel"]),
        ("/spend", "nonsense", ["list"]),
    ],
)
async def test_entries_that_cannot_be(api: Api, path: str, body: Any, words: list[str]) -> None:
    problem = await api.post(path, body, 422)
    assert all(word in problem["detail"] for word in words), problem["detail"]


async def test_who_may_do_what(api: Api, database: Database, project: Project) -> None:
    keys: dict[KeyKind, str] = {}
    async with database.write() as connection:
        for kind in KeyKind:
            keys[kind] = await create_key(connection, project.id, kind, now=NOW)
    spend = {"date": "2026-03-02", "amount": 1}
    rate = {"currency": "EUR", "date": "2026-03-02", "rate": 1}
    reads = {KeyKind.READ: 200, KeyKind.ADMIN: 200, KeyKind.WRITE: 403, KeyKind.SERVER: 403}
    for kind, status in reads.items():
        headers = {"Authorization": f"Bearer {keys[kind]}"}
        for path in ("dashboard", "definitions", "revisions", "aggregated?metric_type=dau"):
            assert (await api.client.get(f"/metrics/{path}", headers=headers)).status_code == status
    writes = {KeyKind.READ: 403, KeyKind.ADMIN: 200, KeyKind.WRITE: 403, KeyKind.SERVER: 200}
    for kind, status in writes.items():
        headers = {"X-API-Key": keys[kind]}
        assert (await api.client.post("/spend", json=spend, headers=headers)).status_code == status
        assert (await api.client.post("/rates", json=rate, headers=headers)).status_code == status
    remote = {"Host": "analytics.example"}
    assert (await api.client.get("/metrics/dashboard", headers=remote)).status_code == 401


async def test_lifetime_value_of_cohorts(api: Api, database: Database, project: Project) -> None:
    """January: ada pays 10 at once, 20 on her day 30 and 40 on day 31, and gets 5 back; bob never pays. February: cy pays 7."""
    await record(
        database,
        [
            event_on(project, "2026-01-01", "ada"),
            event_on(project, "2026-01-10", "bob"),
            event_on(project, "2026-02-01", "cy"),
            payment_on(project, "2026-01-01", "ada", "10", payment_id="p-1"),
            payment_on(project, "2026-01-31", "ada", "20", payment_id="p-2"),
            payment_on(project, "2026-02-01", "ada", "40", payment_id="p-3"),
            # Whose it was the refund does not say.
            event_on(
                project,
                "2026-01-20",
                None,
                "payment_refunded",
                event_data={"payment_id": "p-1", "amount": "5"},
            ),
            payment_on(project, "2026-02-10", "cy", "7", currency="EUR"),
        ],
    )
    await api.post("/spend", {"date": "2026-01-05", "amount": 13})
    found = await api.get(
        "/metrics/ltv/cohorts", start_date="2026-01-01", end_date="2026-02-28", days=[30, 31, 90]
    )
    january, february = found["cohorts"]
    assert (january["size"], january["payers"], january["net_revenue"]) == (2, 1, 65)
    assert [(age["net_revenue"], age["ltv"], age["mature"]) for age in january["by_age"]] == [
        (25, 12.5, True),
        (65, 32.5, True),
        (None, None, False),
    ]
    assert [(month["month"], month["ltv"], month["complete"]) for month in january["by_month"]] == [
        ("2026-01-01", 12.5, True),
        ("2026-02-01", 32.5, True),
        ("2026-03-01", 32.5, False),
    ]
    assert (january["ltv_cac"]["value"], january["ltv_cac"]["cac"], january["ltv_cac"]["at_least"]) == (
        5,
        13,
        True,
    )
    assert (february["size"], february["unconverted"], february["by_age"][0]["net_revenue"]) == (1, 1, 0)
    assert await api.value("ltv_observed_30", "2026-01-01") == 12.5
    assert await api.value("ltv_observed_90", "2026-01-01") is None
    # Day 30 of who came on 10 January is 9 February, and over on the 10th.
    api.now = at("2026-02-09")
    assert await api.value("ltv_observed_30", "2026-01-01") is None
    api.now = at("2026-02-10")
    assert await api.value("ltv_observed_30", "2026-01-01") == 12.5
    assert await api.value("ltv_observed_30", "2025-12-01") is None

"""Spend and rates from CSV files, and what customers cost by channel and campaign."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.aggregate.ledger_files import MOST_ROWS, read_table
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.figures import event_on, payment_on, record

HEAD = "date,channel,campaign,amount,currency\n"


async def spent(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.pool.fetch(
        "SELECT start_day::text, end_day::text, channel, campaign, amount::text, currency FROM spend ORDER BY 1, 3, 4"
    )
    return [tuple(row) for row in rows]


async def test_a_file_is_stored_once_and_again_changes_nothing(api: Api, database: Database) -> None:
    file = (
        HEAD
        + '2026-01-31,paid,"spring, late",120.50,usd\r\n\r\n2026-01-31,paid,"spring, late",0.50,USD\n2026-02-01,,,7,\n'
    )
    dry = await api.upload("/spend/import", file, dry_run="true")
    assert dry == {"rows": 3, "stored": 2, "changed": 2, "totals": {"USD": 128.0}, "dry_run": True}
    assert await spent(database) == []
    assert (await api.upload("/spend/import", "\ufeff" + file))["changed"] == 2
    expected = [
        ("2026-01-31", "2026-01-31", "paid", "spring, late", "121.00", "USD"),
        ("2026-02-01", "2026-02-01", "", "", "7", "USD"),
    ]
    assert await spent(database) == expected
    assert (await api.upload("/spend/import", file, dry_run="true"))["changed"] == 0
    assert (await api.upload("/spend/import", file))["changed"] == 0
    assert await spent(database) == expected


async def test_each_wrong_row_is_named_and_nothing_is_stored(api: Api, database: Database) -> None:
    file = (
        "start_date,end_date,channel,amount,currency\n"
        "2026-01-01,2026-01-31,paid,10,USD\n"
        "2026-01-01,2026-13-31,paid,10,USD\n"
        "2026-01-31,2026-01-01,paid,10,USD\n"
        "2026-01-01,2026-01-31,paid,ten,dollars\n"
        "2026-01-01,2026-01-31,paid,10,EUR\n"
        "2026-01-01,,paid,-1,USD\n"
    )
    found = await api.upload("/spend/import", file, 422)
    assert found["wrong_rows"] == 5
    assert [(error["line"], error["field"]) for error in found["errors"]] == [
        (3, "end_date"), (4, "date"), (5, "amount"), (5, "currency"), (6, "currency"), (7, "amount"),
    ]  # fmt: skip
    assert found["detail"].startswith("Nothing was stored. Line 3, end_date: ")
    assert await spent(database) == []


@pytest.mark.parametrize(
    ("file", "status", "words"),
    [
        (b"", 400, "The file is empty"),
        (b"date,date\n", 400, "names a column twice"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (HEAD.encode() + b"2026-01-01,paid\n", 400, "Line 2 has 2 cells"),
        (HEAD.encode() + b'2026-01-01,"pa"id,,5,\n', 400, "Line 2 is no CSV"),
        (HEAD.encode() + b"2026-01-01,paid,,5,\n" * (MOST_ROWS + 1), 422, f"more than {MOST_ROWS} rows"),
    ],
)
async def test_what_is_no_such_file(api: Api, file: bytes, status: int, words: str) -> None:
    assert words in (await api.upload("/spend/import", file, status))["detail"]


@given(content=st.binary(max_size=80) | st.text(alphabet='a,"\n\r\x00é;', max_size=40).map(str.encode))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    try:
        read_table(content)
    except AnalyticsError as error:
        assert error.detail


async def test_rates_from_a_file(api: Api, database: Database, project: Project) -> None:
    await record(database, [payment_on(project, "2026-03-10", "ada", "10", currency="EUR")])
    file = "currency,date,rate\neur,2026-03-10,1.1\neur,2026-03-11,1.2\n"
    assert (await api.upload("/rates/import", file))["changed"] == 2
    assert (await api.upload("/rates/import", file))["changed"] == 0
    assert await api.value("revenue", "2026-03-10") == 11
    wrong = "currency,date,rate\neur,2026-03-10,1.1\neur,2026-03-10,1.2\nUSD,2026-03-10,1\nEUR,2026-03-12,0\n"
    errors = (await api.upload("/rates/import", wrong, 422))["errors"]
    assert [(error["line"], error["field"]) for error in errors] == [
        (3, "rate"),
        (4, "currency"),
        (5, "rate"),
    ]


def came(project: Project, who: str, day: str, channel: str | None, campaign: str | None = None) -> Any:
    source = {"channel": channel, **({"utm_campaign": campaign} if campaign else {})}
    context = {} if channel is None else {"source": source}
    return event_on(project, day, who, "signup_completed", context=context)


async def test_cost_by_channel_and_campaign(api: Api, database: Database, project: Project) -> None:
    """Two from ads, one of whom got the money back; one from a search; one from nowhere; one who signed up only."""
    await record(
        database,
        [
            came(project, "a", "2026-01-05", "paid", "spring"),
            came(project, "b", "2026-01-06", "paid", "summer"),
            came(project, "c", "2026-01-07", "search"),
            came(project, "d", "2026-01-08", None),
            came(project, "e", "2026-01-09", "paid", "spring"),
            # Touched by ads before, and by a search only later.
            event_on(project, "2026-01-10", "a", context={"source": {"channel": "search"}}),
            *(payment_on(project, "2026-01-20", who, "50", payment_id=f"p-{who}") for who in "abcd"),
            event_on(
                project,
                "2026-01-25",
                "b",
                "payment_refunded",
                event_data={"payment_id": "p-b", "amount": "50"},
            ),
        ],
    )
    await api.upload(
        "/spend/import",
        "start_date,end_date,channel,campaign,amount\n"
        "2026-01-01,2026-01-31,paid,spring,31\n2026-01-16,2026-02-14,paid,summer,60\n2026-01-01,2026-01-01,social,,5\n",
    )
    asked = {"start_date": "2026-01-01", "end_date": "2026-01-31"}
    found = await api.get("/metrics/acquisition", **asked)
    assert (found["state"], found["currency"], found["zone"]) == ("final", "USD", "UTC")
    costs = {cost["channel"]: cost for cost in found["costs"]}
    assert {
        name: (cost["spend"], cost["new_payers"], cost["cac"], cost["signups"])
        for name, cost in costs.items()
    } == {
        "paid": (63, 1, 63, 3),
        "social": (5, 0, None, 0),
        "search": (None, 1, None, 1),
        None: (None, 1, None, 1),
    }
    assert costs["social"]["spend_without_customers"] == 5
    assert found["total"]["cac"] == pytest.approx(68 / 3)
    [blended] = await api.get("/metrics/aggregated", metric_type="cac", **asked)
    assert blended["value"] == found["total"]["cac"]
    by_campaign = await api.get("/metrics/acquisition", by="campaign", **asked)
    assert {
        (cost["channel"], cost["campaign"]): (cost["spend"], cost["cac"]) for cost in by_campaign["costs"]
    } == {
        ("paid", "spring"): (31, 31),
        ("paid", "summer"): (32, None),
        ("social", None): (5, None),
        ("search", None): (None, None),
        (None, None): (None, None),
    }
    early = {"start_date": "2026-01-01", "end_date": "2026-01-10"}
    later = await api.get("/metrics/acquisition", **early, lag_days=10)
    assert later["total"]["new_payers"] == 3
    assert later["total"]["spend"] == 15
    assert (await api.get("/metrics/acquisition", **early))["total"]["new_payers"] == 0

"""Pages of tables: what is painted in their cells is what the API answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle, until
from tests.support.painted import answered, cells, lasts, shows, values

DAILY = (
    "revenue",
    "net_revenue",
    "successful_payments",
    "failed_payments",
    "new_subscriptions",
    "cancelled_subscriptions",
)
MONTHLY = (
    "mrr",
    "arpu",
    "subscriber_churn",
    "revenue_churn_gross",
    "nrr",
    "ltv",
    "cac",
    "ltv_cac_ratio",
)


def got(dashboard: Dashboard, path: str, **params: Any) -> Any:
    with dashboard.api as api:
        answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def points(dashboard: Dashboard, metric: str, days: int) -> list[dict[str, Any]]:
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    found: list[dict[str, Any]] = got(
        dashboard, "/metrics/aggregated", metric_type=metric, start_date=str(first), end_date=str(last)
    )
    return found


def test_revenue_shows_payments_the_last_month_and_how_recurring_revenue_moves(dashboard: Dashboard) -> None:
    with dashboard.open("revenue?range=7d&compare=off") as looked:
        page = looked.page
        shown = values(page, "data-metric")
        table = page.get_by_role("table", name="Movements of monthly recurring revenue")
        names = table.locator("thead th").all_inner_texts()
        moves = cells(table)
        assert looked.complaints == []
    for metric in DAILY:
        assert shown[metric] == pytest.approx(sum(each["value"] for each in points(dashboard, metric, 7)))
    assert shown["revenue"]
    for metric in MONTHLY:
        over = [each for each in points(dashboard, metric, 365) if each["metadata"]["state"] != "open"]
        assert shown[metric] == pytest.approx(over[-1]["value"] if over else None), metric
    assert shown["mrr"]
    months = points(dashboard, "mrr", 365)
    assert len(moves) == len(months)
    for line, month in zip(moves, months, strict=True):
        assert shows(line[-1], month["metadata"]["mrr_end"])
        for name, text in zip(names[1:-1], line[1:-1], strict=True):
            moved = month["metadata"][name.lower()]
            assert shows(text, -moved if name in ("Contraction", "Churn") else moved), (line, name)
    assert moves[-1][names.index("New")] != "$0"


def test_api_traffic_shows_the_requests_and_their_routes(living: Dashboard) -> None:
    with living.api as api:
        api.get("/metrics/definitions")
        assert api.get("/metrics/aggregated", params={"metric_type": "moo"}).is_client_error
    with living.open("traffic?range=7d") as looked:
        page = looked.page
        refusals = page.get_by_role("region", name="Refusals")
        until(page, refusals.is_visible, "the refused request", refresh=True)
        # The page's own requests are counted, too: so it is held against the answer that it got.
        answer = answered(page, "/api-traffic")
        shown = values(page, "data-traffic")
        routes = cells(page.get_by_role("region", name="Routes", exact=True).last.locator("table"))
        reasons = cells(refusals.locator("table"))
        assert looked.complaints == []
    times = answer["milliseconds"]
    assert shown == {
        "requests": answer["requests"],
        "errors": answer["errors"],
        "refused": answer["client_errors"],
        "p50": times["p50"],
        "p95": times["p95"],
        "p99": times["p99"],
    }
    assert len(routes) == len(answer["routes"]) > 1
    for line, route in zip(routes, answer["routes"], strict=True):
        assert line[0] == route["route"].replace("/api/v1/analytics", "")
        wanted = [route[name] for name in ("requests", "p50", "p95", "p99", "client_errors", "errors")]
        assert all(shows(text, value) for text, value in zip(line[1:], wanted, strict=True)), (line, route)
    assert [(line[0], line[1], line[3]) for line in reasons] == [
        (str(each["status"]), each["reason"], f"{each['requests']:,}")
        for each in answer["client_error_reasons"]
    ]


def test_users_are_listed_and_one_of_them_is_followed(dashboard: Dashboard) -> None:
    with dashboard.open("users?range=7d") as looked:
        page = looked.page
        people = page.get_by_role("region", name="People").last
        listed = cells(people.locator("table"))
        answer = got(dashboard, "/users", days=7, limit=50)
        expect(page.get_by_text(f"{answer['total']:,} in the last 7 days")).to_be_visible()
        assert len(listed) == len(answer["users"]) > 10
        for line, user in zip(listed, answer["users"], strict=True):
            assert line[0] == (user["user_id"] or user["anonymous_id"])
            assert lasts(line[2], user["average_session_seconds"]), (line, user)
            counts = [user[name] for name in ("sessions", "events", "page_views")]
            assert all(map(shows, (line[1], line[3], line[4]), counts)), (line, user)

        chosen = answer["users"][0]
        people.get_by_role("link", name=listed[0][0]).click()
        page.get_by_role("button", name="Older").wait_for()
        settle(page)
        first = got(dashboard, f"/persons/{chosen['person_id']}/timeline")
        who = page.get_by_role("region", name="Who").locator("dd").all_inner_texts()
        properties = first["person"]["properties"].values()
        assert who[0] == (chosen["user_id"] or "–")
        assert who[len(who) - len(properties) :] == [str(value) for value in properties]
        events = page.locator("[data-event]")
        expect(events).to_have_count(len(first["events"]))
        page.get_by_role("button", name="Older").click()
        second = got(dashboard, f"/persons/{chosen['person_id']}/timeline", cursor=first["next_cursor"])
        expect(events).to_have_count(len(first["events"]) + len(second["events"]))
        assert [each.get_attribute("data-event") for each in events.all()] == [
            each["event_id"] for each in first["events"] + second["events"]
        ]
        assert looked.complaints == []


def test_journeys_show_the_nodes_and_the_whole_ways(dashboard: Dashboard) -> None:
    today = datetime.now(UTC).date()
    with dashboard.open("journeys?range=7d") as looked:
        page = looked.page
        steps = cells(page.get_by_role("table", name="Journeys by step"))
        ways = page.get_by_role("region", name="Whole ways").locator("li")
        shown = [
            (way.locator("strong").inner_text(), way.locator(".badge").all_inner_texts())
            for way in ways.all()
        ]
        assert looked.complaints == []
    with dashboard.api as api:
        answer = api.post(
            "/analysis/journeys",
            json={
                "start_date": str(today - timedelta(days=6)),
                "end_date": str(today),
                "anchor": {"event": "page_view"},
                "nodes": [{"event": "page_view"}],
                "node": "event_data.path",
                "steps": 4,
                "unit": "session",
                "window_seconds": 86_400,
                "limit": 7,
                "paths": 8,
            },
        ).json()
    called = {"end": "left", "others": "others"}
    names = [called.get(node["kind"]) or node["value"] or "unknown" for node in answer["nodes"]]
    assert [(line[0], line[1]) for line in steps] == [
        (str(node["level"]), name) for node, name in zip(answer["nodes"], names, strict=True)
    ]
    begun = sum(node["count"] for node in answer["nodes"] if node["level"] == 0)
    for line, node in zip(steps, answer["nodes"], strict=True):
        assert shows(line[2], node["count"])
        assert shows(line[3], node["count"] / begun)
    assert shown == [
        (f"{path['count']:,}", [names[place] for place in path["nodes"]]) for path in answer["paths"]
    ]
    assert len(shown) == 8

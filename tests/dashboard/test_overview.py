"""The overview's figures are those of the API; range, metric and comparison stand in the address."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle

SUMMED = ("sessions", "page_views", "new_registrations", "revenue")


def points(dashboard: Dashboard, metric: str, first: date, last: date) -> list[dict[str, Any]]:
    with dashboard.api as api:
        answer = api.get(
            "/metrics/aggregated",
            params={"metric_type": metric, "start_date": first.isoformat(), "end_date": last.isoformat()},
        )
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.mark.parametrize("days", [7, 30])
def test_cards_show_what_the_api_answers(dashboard: Dashboard, days: int) -> None:
    with dashboard.open(f"overview?range={days}d") as looked:
        values = {
            str(card.get_attribute("data-metric")): float(card.get_attribute("data-value") or "nan")
            for card in looked.page.locator("[data-metric]").all()
        }
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days - 1)
    for metric in SUMMED:
        assert values[metric] == pytest.approx(
            sum(point["value"] for point in points(dashboard, metric, first, today))
        )
    people = [
        point for point in points(dashboard, "dau", first, today) if point["metadata"]["state"] != "open"
    ]
    assert len(people) == days - 1
    assert values["dau"] == pytest.approx(sum(point["value"] for point in people) / len(people))
    cohorts = [point["metadata"] for point in points(dashboard, "signup_to_payment_conversion", first, today)]
    signups = sum(each["denominator"] or 0 for each in cohorts)
    assert values["signup_to_payment_conversion"] == pytest.approx(
        sum(each["numerator"] or 0 for each in cohorts) / signups
    )


def test_a_card_chooses_the_chart_and_the_address_keeps_it(dashboard: Dashboard) -> None:
    with dashboard.open("overview") as looked:
        page = looked.page
        page.get_by_role("button", name=re.compile("^Revenue")).click()
        chart = page.get_by_role("group", name=re.compile("^Revenue, "))
        expect(chart).to_be_visible()
        page.reload()
        settle(page)
        expect(chart).to_be_visible()
        assert "metric=revenue" in page.url


def test_the_chart_is_read_with_the_keyboard(dashboard: Dashboard) -> None:
    today = datetime.now(UTC).date()
    found = points(dashboard, "sessions", today - timedelta(days=6), today)
    with dashboard.open("overview?range=7d&metric=sessions&compare=off") as looked:
        chart = looked.page.get_by_role("group", name=re.compile("^Sessions, "))
        chart.focus()
        chart.press("Home")
        spoken = chart.locator("[aria-live]")
        expect(spoken).to_have_text(re.compile(f": {found[0]['value']:,.0f}$"))
        chart.press("End")
        expect(spoken).to_have_text(re.compile("so far$"))


def test_keys_change_days_and_comparison(dashboard: Dashboard) -> None:
    with dashboard.open("overview") as looked:
        page = looked.page
        page.keyboard.press("w")
        expect(page.get_by_role("button", name="Days: Last 7 days")).to_be_visible()
        assert "range=7d" in page.url
        page.keyboard.press("x")
        expect(page.get_by_role("button", name="Compare: no comparison")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("button", name="Compare: vs. previous")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_a_figure_says_where_it_comes_from(dashboard: Dashboard) -> None:
    with dashboard.api as api:
        definitions = {
            each["metric_type"]: each["definition"] for each in api.get("/metrics/definitions").json()
        }
    with dashboard.open("overview") as looked:
        page = looked.page
        page.get_by_role("button", name="About Signup to payment").click()
        sheet = page.get_by_role("dialog", name="Signup to payment")
        expect(sheet).to_contain_text(definitions["signup_to_payment_conversion"])
        expect(sheet).to_contain_text("Numerator / denominator")
        sheet.get_by_role("button", name="Why did it change?").click()
        expect(sheet).to_contain_text("Final figures that changed")
        assert looked.complaints == []

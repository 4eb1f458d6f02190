"""Goals and alerts: what the pages show is what the API says, and what is set there is set."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle


def answer(dashboard: Dashboard, path: str) -> Any:
    with dashboard.api as api:
        found = api.get(path)
    assert found.status_code == 200, found.text
    return found.json()


def test_goals_show_how_far_the_api_says_they_are(dashboard: Dashboard) -> None:
    with dashboard.open("goals") as looked:
        shown = {
            int(each.get_attribute("data-goal") or "0"): float(each.get_attribute("data-value") or "nan")
            for each in looked.page.locator("[data-goal]").all()
        }
        tally = {
            str(each.get_attribute("data-status")): int(each.get_attribute("data-value") or "0")
            for each in looked.page.locator("[data-status]").all()
        }
        looked.page.get_by_role("button", name="About 700 people a week").click()
        expect(looked.page.get_by_role("note").filter(has_text="Distinct persons")).to_be_visible()
        assert looked.complaints == []
    goals = answer(dashboard, "/goals")["goals"]
    assert shown == {goal["id"]: pytest.approx(goal["current"]["value"]) for goal in goals}
    assert len(shown) > 5
    statuses = [goal["current"]["status"] for goal in goals]
    assert tally == {status: statuses.count(status) for status in statuses}


def test_a_goal_is_set_changed_and_removed(dashboard: Dashboard) -> None:
    with dashboard.open("goals") as looked:
        page = looked.page
        page.get_by_role("button", name="Set a goal").click()
        sheet = page.get_by_role("dialog", name="Set a goal")
        sheet.get_by_label("Title").fill("Many page views")
        sheet.get_by_label("Figure").select_option("page_views")
        expect(sheet).to_contain_text("page_view events of the day")
        sheet.get_by_label("Target").fill("1234")
        sheet.get_by_role("button", name="Set the goal").click()
        expect(page.get_by_role("heading", name="Many page views")).to_be_visible()
        [made] = [goal for goal in answer(dashboard, "/goals")["goals"] if goal["title"] == "Many page views"]
        assert (made["metric"], made["target"], made["period"]) == ("page_views", 1234, "week")

        page.get_by_role("button", name="Change Many page views").click()
        sheet = page.get_by_role("dialog", name="Change the goal")
        sheet.get_by_label("Target").fill("4321")
        sheet.get_by_role("button", name="Save").click()
        expect(sheet).to_be_hidden()
        settle(page)
        assert answer(dashboard, f"/goals/{made['id']}")["target"] == 4321
        page.get_by_role("button", name="Change Many page views").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="Many page views")).to_be_hidden()
        assert looked.complaints == []


def test_an_alert_rule_is_added_muted_and_removed(dashboard: Dashboard) -> None:
    with dashboard.open("alerts") as looked:
        page = looked.page
        names = set(page.locator("[data-rule]").all_inner_texts())
        assert names == {rule["name"] for rule in answer(dashboard, "/alerts/rules")["rules"]}

        page.get_by_role("button", name="Add a rule").click()
        sheet = page.get_by_role("dialog", name="Add a rule")
        sheet.get_by_role("textbox", name="Name").fill("Few page views")
        sheet.get_by_label(re.compile("^Metric")).select_option("page_views")
        sheet.get_by_label(re.compile("^Below")).fill("10")
        sheet.get_by_role("button", name="Add the rule").click()
        switch = page.get_by_role("switch", name="Few page views: on")
        switch.click()
        expect(page.get_by_role("switch", name="Few page views: muted")).to_have_attribute(
            "aria-checked", "false"
        )
        [rule] = [
            each for each in answer(dashboard, "/alerts/rules")["rules"] if each["name"] == "Few page views"
        ]
        assert rule["kind"] == "metric_threshold"
        assert not rule["enabled"]
        assert rule["parameters"]["below"] == 10
        page.get_by_role("button", name="Change Few page views").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("switch", name=re.compile("^Few page views"))).to_be_hidden()
        assert looked.complaints == []

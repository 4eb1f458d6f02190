"""Alerts: channels that are told through a real request, and rules that are changed, on their page."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.support.alerting import AlertReceiver
from tests.support.dashboard import Dashboard, violations


def got(guarded: Dashboard, path: str) -> Any:
    with guarded.api as api:
        answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_channel_is_added_told_and_removed(guarded: Dashboard, alerted: AlertReceiver) -> None:
    with guarded.open("alerts") as looked:
        page = looked.page
        page.get_by_role("region", name="Who is told").get_by_role("button", name="Add").click()
        sheet = page.get_by_role("dialog", name="Add a channel")
        sheet.get_by_label("Kind").select_option("webhook")
        sheet.get_by_label("Name", exact=True).fill("on-call")
        sheet.get_by_label("URL").fill(f"{alerted.url}/hook")
        sheet.get_by_label("Secret", exact=True).fill(alerted.secret)
        assert violations(page) == []
        sheet.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Test on-call").click()
        expect(page.get_by_role("status")).to_contain_text("Sent.")
        assert [message["type"] for message in alerted.alerts] == ["alert.test"]
        [channel] = got(guarded, "/alerts/channels")["channels"]
        assert (channel["name"], channel["kind"]) == ("on-call", "webhook")
        assert alerted.secret not in page.content()

        page.get_by_role("button", name="Remove on-call").click()
        page.get_by_role("dialog", name="Remove on-call?").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("button", name="Test on-call")).to_have_count(0)
        assert got(guarded, "/alerts/channels")["channels"] == []
        assert looked.complaints == []


def test_a_rule_is_changed(guarded: Dashboard) -> None:
    with guarded.api as api:
        rule = {
            "name": "Few views",
            "kind": "metric_threshold",
            "parameters": {"metric": "page_views", "below": 10},
        }
        made = api.post("/alerts/rules", json=rule)
        assert made.status_code == 201, made.text
    with guarded.open("alerts") as looked:
        page = looked.page
        page.get_by_role("button", name="Change Few views").click()
        sheet = page.get_by_role("dialog", name="Change the rule")
        expect(sheet.get_by_label(re.compile("^Below"))).to_have_value("10")
        sheet.get_by_label("Name", exact=True).fill("Very few views")
        sheet.get_by_label(re.compile("^Below")).fill("3")
        sheet.get_by_label(re.compile("^Only after minutes")).fill("5")
        assert violations(page) == []
        sheet.get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="Change Very few views")).to_be_visible()
        assert looked.complaints == []
    [changed] = [each for each in got(guarded, "/alerts/rules")["rules"] if each["id"] == made.json()["id"]]
    assert (changed["name"], changed["hold_seconds"]) == ("Very few views", 300)
    assert (changed["parameters"]["metric"], changed["parameters"]["below"]) == ("page_views", 3)
    with guarded.api as api:
        assert api.delete(f"/alerts/rules/{changed['id']}").is_success

"""Events one by one with what became of them, and what intake found odd: as the API says it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle


def got(dashboard: Dashboard, path: str, **params: Any) -> Any:
    with dashboard.api as api:
        answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_events_are_found_opened_and_followed_to_their_destination(dashboard: Dashboard) -> None:
    with dashboard.open("events?type=signup_completed") as looked:
        page = looked.page
        shown = [str(row.get_attribute("data-event")) for row in page.locator("[data-event]").all()]
        answer = got(dashboard, "/events", event_type="signup_completed", limit=50)
        assert shown == [event["event_id"] for event in answer["events"]]
        page.get_by_role("button", name="Older").click()
        expect(page.locator(f"[data-event='{shown[-1]}'] ~ tr").first).to_be_visible()
        # Nothing moves events on: there is no worker. So all of them wait.
        [sandbox] = got(dashboard, "/deliveries")["destinations"]
        behind = answer["events"][0]["seq"] > sandbox["position"]
        fates = page.locator("[data-fate=sandbox]")
        expect(fates.first).to_have_text("waiting" if behind else "delivered")
        asked = got(dashboard, "/deliveries/events", seq=[event["seq"] for event in answer["events"]])
        states = {
            event["event_id"]: fate["state"] for event in asked["events"] for fate in event["destinations"]
        }
        words = {"pending": "waiting"}
        assert fates.all_inner_texts()[: len(shown)] == [
            words.get(states[name], states[name]) for name in shown
        ]

        page.get_by_placeholder("event_data.plan is pro").fill("event_data.plan is nonsense")
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_text("No such event")).to_be_visible()
        page.get_by_placeholder("event_data.plan is pro").fill("event_data.plan is free")
        page.get_by_role("button", name="Find").click()
        settle(page)
        page.get_by_role("button", name="Signup completed").first.click()
        sheet = page.get_by_role("dialog", name="Signup completed")
        expect(sheet).to_contain_text(shown[0])
        expect(sheet.get_by_text("sandbox")).to_be_visible()
        assert looked.complaints == []


def test_data_quality_shows_warnings_and_what_is_held_back(dashboard: Dashboard) -> None:
    with dashboard.open("quality") as looked:
        page = looked.page
        held = {
            str(each.get_attribute("data-held")): int(each.get_attribute("data-value") or "0")
            for each in page.locator("[data-held]").all()
        }
        warned = {
            str(each.get_attribute("data-warning")): int(each.get_attribute("data-value") or "0")
            for each in page.locator("[data-warning]").all()
        }
        quarantine = got(dashboard, "/quarantine")
        assert held == quarantine["by_event_type"]
        assert sum(held.values()) > 0
        assert warned == {
            f"{each['kind']} {each['event_type']} {each['path']}": each["count"]
            for each in got(dashboard, "/warnings")["warnings"]
        }
        page.get_by_label("What happens to events that break the plan").select_option("observe")
        expect(page.get_by_role("status")).to_contain_text("from now on")
        assert got(dashboard, "/tracking-plan")["mode"] == "observe"
        page.get_by_label("What happens to events that break the plan").select_option("quarantine")
        expect(page.get_by_text("Such events wait above")).to_be_visible()
        page.get_by_role("button", name="Release what keeps the plan now").first.click()
        expect(page.get_by_role("status")).to_contain_text("still break the plan")
        assert got(dashboard, "/quarantine")["by_event_type"] == held
        assert looked.complaints == []

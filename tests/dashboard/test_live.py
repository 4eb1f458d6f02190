"""A project without events, the first one that comes, who is there now, hours of a day, and what stays in sight offline."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime

from playwright.sync_api import expect

from tests.support.dashboard import MODES, Dashboard, settle, violations
from tests.support.painted import answered, values

HUMAN = {"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def send(living: Dashboard, user: str) -> None:
    with living.api as api:
        event = {"event_type": "page_view", "user_id": user, "context": HUMAN}
        assert api.post("/events", json=event).json()["accepted"] == 1


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def test_an_event_stands_on_the_live_page_as_it_arrives(living: Dashboard) -> None:
    with living.open("live") as looked:
        page = looked.page
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        # A reload would forget it.
        page.evaluate("document.body.dataset.kept = 'yes'")
        began = time.perf_counter()
        send(living, "newcomer")
        expect(page.get_by_text("newcomer")).to_be_visible(timeout=60_000)
        print(f"\nan event was seen after {time.perf_counter() - began:.2f} s")
        expect(page.locator("[data-now]")).not_to_have_attribute("data-now", "0", timeout=60_000)
        answer = answered(page, "/realtime")
        assert values(page, "data-active") == {
            "now": answer["active_now"],
            "half_hour": answer["active_30_minutes"],
            "hour": answer["active_users_1h"],
            "day": answer["active_users_24h"],
        }
        minutes = page.get_by_role("img", name=re.compile("^Events a minute")).locator("span").all()
        assert [each.get_attribute("title") for each in minutes] == [
            f"{counted(each['events'], 'event', 'events')}, {counted(each['users'], 'person', 'people')}"
            for each in answer["minutes"]
        ]
        assert answer["active_now"] >= 1
        expect(page.locator("body[data-kept=yes]")).to_be_visible()
        assert looked.complaints == []


def test_a_day_is_shown_by_the_hour(dashboard: Dashboard) -> None:
    today = datetime.now(UTC).date().isoformat()
    question = {"series": [{"event": "page_view", "of": "events"}], "period": "hourly"}
    with dashboard.open("overview?range=24h&metric=page_views") as looked:
        chart = looked.page.get_by_role("group", name=re.compile("^Page views, "))
        # Today so far is held against no whole day.
        expect(looked.page.locator(".move")).to_have_count(0)
        hours = looked.page.get_by_role("table").first.locator("tbody tr")
        expect(hours.first).to_contain_text("00:00")
        shown = [int(row.locator("td").first.inner_text().replace(",", "")) for row in hours.all()]
        chart.focus()
        chart.press("Home")
        expect(chart.locator("[aria-live]")).to_contain_text("00:00")
    with dashboard.api as api:
        answer = api.post("/analysis/trends", json={**question, "start_date": today, "end_date": today})
    points = answer.json()["series"][0]["points"]
    assert shown == [point["value"] for point in points[: len(shown)]]
    assert sum(shown) == answer.json()["series"][0]["total"]


def test_the_last_figures_stay_and_are_marked_without_a_network(dashboard: Dashboard) -> None:
    with dashboard.open("overview?range=7d") as looked:
        page = looked.page
        card = page.locator("[data-metric=page_views]")
        before = card.get_attribute("data-value")
        page.context.set_offline(True)
        page.keyboard.press("r")
        expect(page.get_by_text("Offline")).to_be_visible()
        expect(card).to_have_attribute("data-value", str(before))
        page.context.set_offline(False)
        page.keyboard.press("r")
        expect(page.get_by_text("Offline")).to_have_count(0)


def test_a_project_without_events_says_how_to_send_one_and_sees_it_come(
    living: Dashboard,
) -> None:
    empty = replace(living, project="empty")
    for mode in MODES:
        with empty.open("overview", **MODES[mode]) as looked:
            page = looked.page
            expect(page.get_by_text("This page notices the first event by itself.")).to_be_visible()
            width = MODES[mode]["viewport"]["width"]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
            assert looked.complaints == []
    with empty.open("overview") as looked:
        page = looked.page
        page.get_by_role("button", name="Make a key").click()
        key = page.get_by_label("The key", exact=True).inner_text()
        expect(page.get_by_label("The tag", exact=True)).to_contain_text(key)
        with empty.api as api:
            event = {"event_type": "page_view", "user_id": "first", "context": HUMAN}
            sent = api.post("/events", json=event, headers={"X-API-Key": key})
            assert sent.json()["accepted"] == 1, sent.text
        expect(page.get_by_text("Figures follow within seconds.")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Show the figures").click()
        settle(page)
        expect(page.locator("[data-metric=page_views]")).to_be_visible()
        assert looked.complaints == []

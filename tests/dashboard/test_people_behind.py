"""A number that is clicked shows the people it counts, as many as it says, and each leads to what they did."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, settle, violations

STILL = {"reduced_motion": "reduce"}
"""A sheet that is still coming up is paler than it will be."""
STEPS = ["page_view", "signup_started", "signup_completed"]


def number(element: Locator) -> int:
    return int(re.sub(r"\D", "", element.inner_text()))


def people_behind(page: Page, button: Locator, heading: str) -> tuple[int, list[str]]:
    """What the sheet says behind a number: how many, and the ids of all of them."""
    button.click()
    sheet = page.get_by_role("dialog", name=heading)
    total = int(sheet.locator("[data-total]").get_attribute("data-total") or "-1")
    more = sheet.get_by_role("button", name=re.compile("more$"))
    while more.count():
        shown = sheet.get_by_role("link").count()
        more.click()
        expect(sheet.get_by_role("link").nth(shown)).to_be_visible()
    ids = [str(link.get_attribute("href")) for link in sheet.get_by_role("link").all()]
    assert violations(page) == []
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)
    return total, ids


def test_the_people_of_a_funnel(dashboard: Dashboard) -> None:
    with dashboard.open(f"funnels?range=7d&steps={'~'.join(STEPS)}&window=86400", **STILL) as looked:
        page = looked.page
        counts = [number(each) for each in page.locator("[data-step]").all()]
        leave = [number(each) for each in page.locator(".funnel .bad").all()]
        for place, name in ((1, "Signup started"), (2, "Signup completed")):
            total, people = people_behind(page, page.locator("[data-step]").nth(place), name)
            assert total == counts[place] == len(set(people)) > 0
        total, people = people_behind(page, page.locator(".funnel .bad").nth(1), "Left after Signup started")
        assert total == leave[1] == counts[1] - counts[2] == len(set(people)) > 0
        assert looked.complaints == []

        page.locator("[data-step]").nth(2).click()
        first = page.get_by_role("dialog").get_by_role("link").first
        name = first.inner_text()
        first.click()
        settle(page)
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("main").get_by_text(name, exact=True).first).to_be_visible()


def test_the_people_of_a_cohort(dashboard: Dashboard) -> None:
    with dashboard.open("retention?range=7d&period=daily", **STILL) as looked:
        page = looked.page
        back = page.locator("button[data-cell$=' 1']").first
        day = str(back.get_attribute("data-cell")).split()[0]
        size = page.locator(f"[data-size='{day}']")
        heading = page.locator("tr", has=size).locator("th").inner_text()
        total, members = people_behind(page, size, heading)
        assert total == number(size) == len(set(members)) > 0
        came, whole = map(int, re.findall(r"\d+", (back.get_attribute("title") or "").replace(",", "")))
        total, people = people_behind(page, back, f"{heading}, Day 1")
        assert (total, whole) == (came, len(members))
        assert set(people) <= set(members)


def test_the_people_of_an_experiment(dashboard: Dashboard) -> None:
    with dashboard.open("experiments?range=30d", **STILL) as looked:
        page = looked.page
        group = page.locator("[data-variant]").first
        variant, size = (
            str(group.get_attribute("data-variant")),
            float(group.get_attribute("data-value") or "nan"),
        )
        total, people = people_behind(page, group.get_by_role("button"), variant)
        assert total == size == len(set(people)) > 0
        converted = page.locator(f"[data-converted='0.{variant}']")
        count = number(converted)
        converted.click()
        sheet = page.get_by_role("dialog")
        assert sheet.locator("[data-total]").get_attribute("data-total") == str(count)


def test_the_customers_behind_recurring_revenue(dashboard: Dashboard) -> None:
    with dashboard.open("revenue?range=30d", **STILL) as looked:
        page = looked.page
        paying = page.locator("[data-customers]")
        total, customers = people_behind(page, paying, "Paying customers")
        assert total == int(paying.get_attribute("data-customers") or "-1") == len(set(customers)) > 0
        legend = page.get_by_role("region", name="How recurring revenue moves").locator(".legend")
        total, people = people_behind(page, legend.get_by_role("button", name="New"), "New,")
        assert total == len(set(people)) > 0
        assert looked.complaints == []

"""Lists, filters, funnels and retention show what the API answers to the same questions."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, scroll_through, settle
from tests.support.painted import cells, shows, values

STEPS = ["page_view", "signup_started", "signup_completed", "generation_completed", "payment_completed"]
JOURNEYS = {
    "anchor": {"event": "page_view"},
    "nodes": [{"event": "page_view"}],
    "node": "event_data.path",
    "steps": 4,
    "unit": "session",
    "window_seconds": 86_400,
    "limit": 7,
}


def asked(dashboard: Dashboard, analysis: str, **question: Any) -> Any:
    """An answer of /analysis about the last 7 days."""
    today = datetime.now(UTC).date()
    days = {"start_date": (today - timedelta(days=6)).isoformat(), "end_date": today.isoformat()}
    with dashboard.api as api:
        answer = api.post(f"/analysis/{analysis}", json={**days, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(page: Page, label: str) -> dict[str, float]:
    """What a list shows, by the value that it is about."""
    found = page.get_by_role("list", name=label).locator("[data-row]")
    return {
        str(row.get_attribute("data-row")): float(row.get_attribute("data-value") or "nan")
        for row in found.all()
    }


def test_lists_show_people_by_property_and_their_rows_filter(dashboard: Dashboard) -> None:
    series = [{"event": "page_view", "of": "persons"}]
    with dashboard.open("overview?range=7d&compare=off") as looked:
        page = looked.page
        answer = asked(dashboard, "trends", series=series, breakdown="context.country", breakdown_limit=50)
        expected = [
            (each["value"], each["total"]) for each in answer["series"][0]["values"] if not each["others"]
        ]
        shown = rows(page, "Countries")
        assert list(shown.items()) == expected[: len(shown)]

        code, people = expected[0]
        page.get_by_role("list", name="Countries").get_by_role("button").first.click()
        settle(page)
        expect(page.get_by_role("button", name="Remove the filter Country")).to_be_visible()
        assert json.dumps(code) in re.sub("%22", '"', page.url)
        assert rows(page, "Countries") == {code: people}
        narrowed = [{"path": "context.country", "op": "is", "value": code}]
        views = asked(dashboard, "trends", series=[{"event": "page_view", "of": "events"}], filters=narrowed)
        card = page.locator("[data-metric=page_views]")
        assert float(card.get_attribute("data-value") or "nan") == views["series"][0]["total"]

        page.keyboard.press("Escape")
        settle(page)
        assert rows(page, "Countries") == shown
        assert looked.complaints == []


def test_a_funnel_shows_the_steps_of_the_api(dashboard: Dashboard) -> None:
    steps = ["page_view", "signup_started", "signup_completed"]
    with dashboard.open(f"funnels?range=7d&steps={'~'.join(steps)}&window=86400") as looked:
        shown = list(values(looked.page, "data-step").values())
        shares = looked.page.locator(".funnel .of").all_inner_texts()
        leave = looked.page.locator(".funnel .bad").all_inner_texts()
    answer = asked(dashboard, "funnel", steps=[{"event": event} for event in steps], window_seconds=86_400)
    assert shown == [step["count"] for step in answer["steps"]]
    assert all(map(shows, shares, [step["from_first"]["value"] for step in answer["steps"]]))
    assert leave == [
        f"−{step['dropped_off']:,} leave here" for step in answer["steps"] if step["dropped_off"]
    ]
    assert answer["steps"][2]["count"] > 0


def test_retention_shows_the_matrix_of_the_api(dashboard: Dashboard) -> None:
    with dashboard.open("retention?range=7d&period=daily") as looked:
        shown = [
            float(cell.get_attribute("data-value") or "nan")
            for cell in looked.page.locator("[data-overall]").all()
        ]
        _, *cohorts = cells(looked.page.get_by_role("region", name="Retention matrix").locator("table"))
    answer = asked(dashboard, "retention", period="daily", columns=9)
    assert len(cohorts) == len(answer["cohorts"]) > 5
    for line, cohort in zip(cohorts, answer["cohorts"], strict=True):
        assert shows(line[1], cohort["size"])
        for text, cell in zip(line[2:], cohort["cells"], strict=False):
            # What is not over shows how many came back so far, and nobody as nothing.
            assert shows(text, cell["value"] if cell["value"] is not None else cell["so_far"] or None), line
    expected = [each["value"] for each in answer["overall"]]
    known = [value for value in expected if value is not None]
    assert len(known) > 3
    assert shown[: len(known)] == pytest.approx(known)
    # What is still to come for everybody has no column; what has begun for some has one without a figure.
    assert len(known) <= len(shown) < len(expected)


def test_the_overview_ends_with_retention_funnel_and_journeys_of_the_api(dashboard: Dashboard) -> None:
    with dashboard.open("overview?range=7d&compare=off") as looked:
        page = looked.page
        expect(page.get_by_role("region", name="Journeys", exact=True)).to_have_count(0)
        scroll_through(page)
        steps = [int(each.get_attribute("data-value") or "-1") for each in page.locator("[data-step]").all()]
        back = page.locator("[data-overall='1']").get_attribute("data-value")
        expect(page.get_by_role("region", name="Journeys", exact=True)).to_contain_text(
            f"{asked(dashboard, 'journeys', **JOURNEYS)['journeys']:,} visits"
        )
        assert looked.complaints == []
    funnel = asked(
        dashboard, "funnel", steps=[{"event": event} for event in STEPS], window_seconds=14 * 86_400
    )
    assert steps == [step["count"] for step in funnel["steps"]]
    assert steps[0] > steps[-1]
    matrix = asked(dashboard, "retention", period="daily", columns=9)
    assert float(back or "nan") == pytest.approx(matrix["overall"][1]["value"])

"""Downloads, other actions and experiments: the pages show what the API answers to the same questions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.dashboard import Dashboard, settle


def got(dashboard: Dashboard, path: str, **params: Any) -> Any:
    with dashboard.api as api:
        answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def values(page: Page, attribute: str) -> dict[str, float]:
    return {
        str(each.get_attribute(attribute)): float(each.get_attribute("data-value") or "nan")
        for each in page.locator(f"[{attribute}]").all()
    }


def rows(page: Page, label: str) -> dict[str, float]:
    found = page.get_by_role("list", name=label, exact=True).locator("[data-row]")
    return {
        str(each.get_attribute("data-row")): float(each.get_attribute("data-value") or "nan")
        for each in found.all()
    }


def test_downloads_are_those_of_the_api_and_their_rows_filter(dashboard: Dashboard) -> None:
    with dashboard.open("actions?range=7d") as looked:
        page = looked.page
        answer = got(dashboard, "/downloads", days=7)
        tiles = values(page, "data-tile")
        for name in ("total", "unique_users", "active_sessions"):
            assert tiles[f"download.{name}"] == answer[name] > 0
        assert tiles["download.success_rate"] == pytest.approx(answer["success_rate"])
        for label, kind, key in (("Formats", "formats", "format"), ("Platforms", "platforms", "platform")):
            assert rows(page, label) == {each[key]: each["downloads"] for each in answer[kind]}
        assert page.locator("[data-recent]").count() == len(answer["recent"]) == 10

        page.get_by_role("list", name="Formats").get_by_role("button", name="FLAC").click()
        settle(page)
        narrowed = got(dashboard, "/downloads", days=7, format="FLAC")
        assert rows(page, "Formats") == {"FLAC": narrowed["total"]}
        assert values(page, "data-tile")["download.total"] == narrowed["total"] < answer["total"]
        assert looked.complaints == []


def test_actions_shares_and_analyses_are_those_of_the_api(dashboard: Dashboard) -> None:
    with dashboard.open("actions?range=7d") as looked:
        tiles = values(looked.page, "data-tile")
        channels = rows(looked.page, "Shares by channel")
        way = rows(looked.page, "The whole way")
        photos = [
            int(each.get_attribute("data-value") or "-1")
            for each in looked.page.locator("[data-photos]").all()
        ]
    overall, usage = got(dashboard, "/overall", days=7), got(dashboard, "/usage", days=7)
    actions, shares = overall["actions"], overall["shares"]
    for name in ("photos_processed", "photos_downloaded", "links_created"):
        assert tiles[f"action.{name}"] == actions[name]
    assert tiles["action.shares"] == shares["total"]
    assert tiles["action.virality"] == pytest.approx(shares["virality"]["value"])
    assert channels == {each["channel"]: each["shares"] for each in shares["by_channel"]}
    assert tiles["usage.uploads"] == usage["uploads"]["total"] > 0
    assert tiles["usage.bytes"] == usage["uploads"]["bytes"]
    assert tiles["usage.completion_rate"] == pytest.approx(usage["analyses"]["completion_rate"])
    assert list(way.values()) == list(usage["workflow"].values())
    users = got(dashboard, "/users", days=7, limit=20)["users"]
    assert photos == [user["photos_processed"] for user in users]


def test_an_experiment_shows_groups_and_results_of_the_api(dashboard: Dashboard) -> None:
    address = (
        "experiments?range=7d&experiment=signup-button&metrics=signup_completed~payment_completed:revenue"
    )
    with dashboard.open(address) as looked:
        page = looked.page
        sizes, results = values(page, "data-variant"), values(page, "data-result")
        ratio = page.locator("[data-ratio]").get_attribute("data-value")
        page.get_by_label("Control").select_option("b")
        settle(page)
        assert "control=b" in page.url
        assert looked.complaints == []
    today = datetime.now(UTC).date()
    chosen = [{"path": "event_data.experiment", "op": "is", "value": "signup-button"}]
    with dashboard.api as api:
        answer = api.post(
            "/analysis/experiment",
            json={
                "start_date": (today - timedelta(days=6)).isoformat(),
                "end_date": today.isoformat(),
                "exposure": {"event": "experiment_viewed", "filters": chosen},
                "variant": "event_data.variant",
                "metrics": [
                    {"event": "signup_completed"},
                    {"event": "payment_completed", "measure": "mean", "property": "revenue"},
                ],
            },
        ).json()
    assert sizes == {each["variant"]: each["persons"] for each in answer["variants"]}
    assert float(ratio or "nan") == pytest.approx(answer["sample_ratio"]["p_value"])
    expected = {
        f"{number}.{result['variant']}": result["value"]
        for number, metric in enumerate(answer["metrics"])
        for result in metric["results"]
    }
    assert results == pytest.approx(expected)
    assert set(sizes) == {"a", "b"}, json.dumps(answer)

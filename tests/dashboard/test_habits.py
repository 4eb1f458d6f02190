"""What people do every day: files of panels, saved views, notes on charts, filters of every kind."""

from __future__ import annotations

import csv
import json
import re
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import MODES, Dashboard, scroll_through, settle, violations

SVG = "{http://www.w3.org/2000/svg}"
CUT = """() => [...document.querySelectorAll('.panel svg')].filter((each) => each.clientWidth >= 150 && (
    each.getBoundingClientRect().right > each.closest('.panel').getBoundingClientRect().right + 1
)).map((each) => each.closest('.panel').ariaLabel)"""


def taken(page: Page, title: str, folder: Path, item: str = "") -> Path:
    """A panel as a file: at once, or as an item of the menu says."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"{title} as a file", exact=True).click()
        if item:
            page.get_by_role("menuitem", name=item).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def saved(page: Page, title: str, folder: Path, item: str = "") -> list[dict[str, str]]:
    """The rows of a panel's file."""
    with taken(page, title, folder, item).open(newline="") as lines:
        return list(csv.DictReader(lines))


def trends(dashboard: Dashboard, **question: Any) -> Any:
    today = datetime.now(UTC).date()
    days = {"start_date": (today - timedelta(days=6)).isoformat(), "end_date": today.isoformat()}
    with dashboard.api as api:
        answer = api.post("/analysis/trends", json={**days, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_panel_is_saved_as_a_file_with_the_figures_of_the_api(dashboard: Dashboard, tmp_path: Path) -> None:
    with dashboard.open("overview?range=7d&compare=off") as looked:
        listed = looked.page.get_by_role("list", name="Countries", exact=True).locator("[data-row]").all()
        shown = {
            str(row.get_attribute("data-row")): int(row.get_attribute("data-value") or "-1") for row in listed
        }
        countries = saved(looked.page, "Countries", tmp_path, "Figures")
        figures = saved(looked.page, "Key figures", tmp_path, "Figures")
    assert len(shown) == 9
    assert shown.items() <= {row["value"]: int(row["total"]) for row in countries}.items()
    series = [{"event": "page_view", "of": "persons"}]
    answer = trends(dashboard, series=series, breakdown="context.country", breakdown_limit=50)
    values = answer["series"][0]["values"]
    assert {row["value"]: int(row["total"]) for row in countries} == {
        each["value"] or "": each["total"] for each in values
    }
    with dashboard.api as api:
        dates = {"start_date": min(row["date"] for row in figures), "end_date": figures[0]["date"]}
        dates["end_date"] = max(row["date"] for row in figures)
        points = api.get("/metrics/aggregated", params={"metric_type": "sessions", **dates}).json()
    assert {row["date"]: float(row["value"]) for row in figures if row["metric"] == "sessions"} == {
        point["metric_date"]: point["value"] for point in points
    }


def test_a_chart_is_saved_as_a_picture_that_needs_nothing_of_the_page(
    dashboard: Dashboard, tmp_path: Path
) -> None:
    with dashboard.open("overview?range=7d", **MODES["desk-dark"]) as looked:
        page = looked.page
        page.locator(".world path.step-6").wait_for()
        drawings = [
            taken(page, title, tmp_path, "Drawing") for title in ("Key figures", "Countries", "Devices")
        ]
        width = page.locator(".world svg").evaluate("(svg) => svg.clientWidth")
        points = taken(page, "Countries", tmp_path, "Picture").read_bytes()
        assert looked.complaints == []
    for path in drawings:
        assert path.suffix == ".svg"
        text = path.read_text()
        assert "var(" not in text and "class=" not in text and "currentcolor" not in text.lower()
        root = ElementTree.fromstring(text)
        colors = {each.get("fill") or "" for each in root.iter()}
        assert len([color for color in colors if color.startswith("rgb(")]) > 1
    figures, countries, devices = (ElementTree.fromstring(path.read_text()) for path in drawings)
    said = [[str(each.text) for each in root.iter(f"{SVG}text")] for root in (figures, countries, devices)]
    assert said[0][0] == "People a day"
    assert "Previous period" in said[0]
    assert said[1][0] == "Countries"
    assert any(text.startswith("Desktop") for text in said[2])
    # A head of the file's parts, then width and height: twice as many points as on the page.
    assert points.startswith(b"\x89PNG\r\n\x1a\n")
    wide, high = struct.unpack(">II", points[16:24])
    assert wide == 2 * (width + 48)
    assert high > wide / 4
    assert len(points) > 10_000


def test_on_paper_a_page_is_light_and_nothing_is_cut(dashboard: Dashboard) -> None:
    for path in ("overview?range=7d", "revenue", "journeys?range=7d"):
        with dashboard.open(path, **MODES["desk-dark"]) as looked:
            page = looked.page
            scroll_through(page)
            page.emulate_media(media="print", color_scheme="dark")
            page.set_viewport_size({"width": 718, "height": 1000})
            assert (
                page.evaluate("getComputedStyle(document.querySelector('.panel')).backgroundColor")
                == "rgb(255, 255, 255)"
            )
            expect(page.get_by_role("navigation")).to_have_count(0)
            assert page.evaluate(CUT) == [], path
            assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(("comparison", "step"), [("previous", 5), ("weekday", 7)])
def test_the_comparison_shows_the_figures_of_the_days_before(
    dashboard: Dashboard, tmp_path: Path, comparison: str, step: int
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=4)
    address = f"overview?from={first}&to={last}&compare={comparison}&metric=sessions"

    def points(metric: str, back: int) -> dict[str, float]:
        start, end = (day - timedelta(days=back) for day in (first, last))
        days = {"metric_type": metric, "start_date": start.isoformat(), "end_date": end.isoformat()}
        with dashboard.api as api:
            found = api.get("/metrics/aggregated", params=days).json()
        return {point["metric_date"]: point["value"] for point in found}

    with dashboard.open(address) as looked:
        page = looked.page
        before = {
            str(each.get_attribute("data-before")): float(each.get_attribute("data-value") or "nan")
            for each in page.locator("[data-before]").all()
        }
        card = page.locator(".card", has=page.locator("[data-metric=sessions]")).inner_text()
        chart = page.get_by_role("group", name=re.compile("^Sessions, "))
        lines = [
            [int(cell.replace(",", "")) for cell in row.locator("td").all_inner_texts()]
            for row in page.get_by_role("table", name=re.compile("^Sessions, ")).locator("tbody tr").all()
        ]
        chart.focus()
        chart.press("Home")
        expect(chart.locator("[aria-live]")).to_have_text(re.compile(f": {lines[0][1]:,}$"))
        figures = saved(page, "Key figures", tmp_path, "Figures")
        assert looked.complaints == []
    now, then = points("sessions", 0), points("sessions", step)
    assert len(then) == 5
    assert lines == [list(pair) for pair in zip(now.values(), then.values(), strict=True)]
    assert f"{sum(then.values()):,.0f} before" in card
    for metric in ("sessions", "page_views", "new_registrations", "revenue"):
        assert before[metric] == pytest.approx(sum(points(metric, step).values()))
    people = points("dau", step)
    assert before["dau"] == pytest.approx(sum(people.values()) / len(people))
    assert [float(row["before"]) for row in figures if row["metric"] == "sessions"] == list(then.values())


def test_a_file_runs_nothing_in_a_spreadsheet(living: Dashboard, tmp_path: Path) -> None:
    path = '=HYPERLINK("http://evil.example","x")'
    with living.api as api:
        event = {"event_type": "page_view", "user_id": "mallory", "event_data": {"path": path}}
        assert api.post("/events", json=event).status_code == 202
        api.post("/process-events")
    with living.open("overview?range=7d&compare=off") as looked:
        rows = saved(looked.page, "Pages", tmp_path)
    assert f"'{path}" in {row["value"] for row in rows}


def test_a_view_is_saved_and_found_again(living: Dashboard) -> None:
    with living.open("funnels?range=90d") as looked:
        page = looked.page
        page.get_by_role("button", name="Saved views").click()
        sheet = page.get_by_role("dialog", name="Saved views")
        sheet.get_by_label("Name of this view").fill("A quarter")
        sheet.get_by_role("button", name="Save", exact=True).click()
        expect(sheet.get_by_role("list", name="Saved views")).to_contain_text("A quarter")
        assert violations(page) == []
    with living.open("overview") as looked:
        page = looked.page
        page.get_by_role("button", name="Saved views").click()
        page.get_by_role("list", name="Saved views").get_by_text("A quarter").click()
        expect(page).to_have_url(re.compile(r"/funnels\?range=90d$"))
        assert looked.complaints == []


def test_a_deploy_noted_by_the_api_stands_on_the_chart(living: Dashboard) -> None:
    with living.api as api:
        assert api.post("/annotations", json={"label": "Deploy 1.4.2"}).status_code == 201
    with living.open("overview?range=7d&compare=off") as looked:
        page = looked.page
        expect(page.get_by_role("button", name="Notes (1)")).to_be_visible()
        chart = page.get_by_role("group", name=re.compile("^People a day, "))
        chart.focus()
        chart.press("End")
        expect(chart.locator("[aria-live]")).to_contain_text("Deploy 1.4.2")
        page.get_by_role("button", name="Notes (1)").click()
        expect(page.get_by_role("list", name="What happened")).to_contain_text("Deploy 1.4.2")
        assert violations(page) == []
        page.get_by_role("button", name="Remove Deploy 1.4.2").click()
        expect(page.get_by_text("Nothing was noted in these days.")).to_be_visible()
        assert looked.complaints == []


FILTERS: list[tuple[str, str, dict[str, str], dict[str, Any]]] = [
    ("context.country", "is", {"Values": "DE\nUS"}, {"op": "is", "value": ["DE", "US"]}),
    ("context.country", "is not", {"Values": "US"}, {"op": "is_not", "value": "US"}),
    ("event_data.path", "contains", {"Values": "app"}, {"op": "contains", "value": "app"}),
    ("event_data.path", "matches", {"Values": "^/(app|docs)"}, {"op": "matches", "value": "^/(app|docs)"}),
    (
        "context.browser_version",
        "between",
        {"From": "100", "To, included": "200"},
        {"op": "between", "value": [100, 200]},
    ),
    ("context.device", "is known", {}, {"op": "exists"}),
]


def test_filters_of_each_kind_narrow_as_the_api_does(dashboard: Dashboard) -> None:
    with dashboard.open("overview?range=7d&compare=off") as looked:
        page = looked.page
        for path, operator, fields, wanted in FILTERS:
            page.keyboard.press("f")
            sheet = page.get_by_role("dialog", name="Add a filter")
            sheet.get_by_label("Property").fill(path)
            sheet.get_by_label("Operator").select_option(label=operator)
            for label, text in fields.items():
                sheet.get_by_role("textbox", name=re.compile(f"^{label}")).fill(text)
            sheet.get_by_role("button", name="Add", exact=True).click()
            expect(page.get_by_role("button", name=re.compile("^Remove the filter"))).to_be_visible()
            settle(page)
            (chosen,) = parse_qs(urlsplit(page.url).query)["filter"]
            assert json.loads(chosen) == {"path": path, **wanted}
            narrowed = trends(
                dashboard,
                series=[{"event": "page_view", "of": "events"}],
                filters=[{"path": path, **wanted}],
            )
            card = page.locator("[data-metric=page_views]")
            assert float(card.get_attribute("data-value") or "nan") == narrowed["series"][0]["total"], path
            page.keyboard.press("Escape")
            expect(page.get_by_role("button", name=re.compile("^Remove the filter"))).to_have_count(0)
        assert looked.complaints == []


def test_a_chip_is_opened_and_changed(dashboard: Dashboard) -> None:
    for mode in ("desk-light", "phone-dark"):
        chosen = json.dumps({"path": "context.country", "op": "is", "value": "DE"})
        with dashboard.open(f"overview?range=7d&filter={chosen}", **MODES[mode]) as looked:
            page = looked.page
            page.get_by_title("Change this filter").click()
            sheet = page.get_by_role("dialog", name="Change the filter")
            expect(sheet.get_by_role("textbox", name=re.compile("^Values"))).to_have_value("DE")
            assert violations(page) == []
            sheet.get_by_label("Operator").select_option(label="is not")
            sheet.get_by_role("button", name="Change").click()
            expect(page.get_by_title("Change this filter")).to_contain_text("is not")
            assert looked.complaints == []

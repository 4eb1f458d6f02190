"""One person's page: accessible in every mode; what is stored of the person goes out as a file, and goes away."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import MODES, Dashboard, settle, violations


def send(living: Dashboard, user: str, events: int) -> None:
    """So many events of a user, counted."""
    body: list[dict[str, Any]] = [
        {"event_type": "page_view", "user_id": user, "event_data": {"path": f"/{number}"}}
        for number in range(events)
    ]
    with living.api as api:
        answer = api.post("/events", json=body)
        assert answer.json()["accepted"] == events, answer.text
        assert api.post("/process-events").status_code == 200


@pytest.mark.parametrize("mode", MODES)
def test_the_page_and_the_sheet_that_erases_are_accessible(living: Dashboard, mode: str) -> None:
    send(living, "una", 2)
    with living.open("users/una", **MODES[mode]) as looked:
        page = looked.page
        width = MODES[mode]["viewport"]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.get_by_role("button", name="Erase…").click()
        expect(page.locator("[data-rows=events]")).to_be_visible()
        assert violations(page) == []
        assert looked.complaints == []


def test_a_person_is_exported(living: Dashboard, tmp_path: Path) -> None:
    send(living, "eva", 3)
    with living.open("users/eva") as looked:
        with looked.page.expect_download() as download:
            looked.page.get_by_role("button", name="Export").click()
        download.value.save_as(tmp_path / "eva.zip")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "eva.zip").read_bytes())) as archive:
        events = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
    assert [event["user_id"] for event in events] == ["eva"] * 3


def test_a_person_is_counted_erased_and_gone(living: Dashboard, tmp_path: Path) -> None:
    send(living, "ida", 4)
    send(living, "ada", 2)
    with living.open("users/ida") as looked:
        page = looked.page
        page.get_by_role("button", name="Erase…").click()
        sheet = page.get_by_role("dialog", name="Erase ida")
        expect(sheet.locator("[data-rows=events]")).to_have_attribute("data-value", "4")
        erase = sheet.get_by_role("button", name="Erase", exact=True)
        expect(erase).to_be_disabled()
        sheet.get_by_label("Type the id to confirm").fill("ida")
        erase.click()
        expect(sheet.get_by_role("status")).to_contain_text("Done.", timeout=60_000)
        report = _downloaded_report(page, tmp_path)
        assert report["report"]["events"] == 4
        assert report["signature"]
        sheet.get_by_role("button", name="Close").last.click()
        settle(page)
        people = page.get_by_role("region", name="People")
        expect(people.get_by_role("link", name="ada")).to_be_visible()
        expect(people.get_by_role("link", name="ida")).to_have_count(0)
        assert looked.complaints == []
    with living.api as api:
        assert api.get("/persons/ida/timeline").status_code == 404
        assert len(api.get("/persons/ada/timeline").json()["events"]) == 2


def _downloaded_report(page: Page, folder: Path) -> dict[str, Any]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    download.value.save_as(folder / "report.json")
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found

"""Every page in every mode: it loads without complaint, fits a phone, and is accessible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import MODES, Dashboard, scroll_through, violations

LIST = Path(__file__).parents[2] / "web" / "dashboard" / "src" / "pages" / "index.ts"
PAGES = [path for path in re.findall(r"path: '([^']+)'", LIST.read_text()) if ":" not in path]
PAGES += [f"settings?tab={tab}" for tab in ("keys", "members", "privacy")]
MOST_SCRIPT = 70_000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_fits_and_complains_about_nothing(
    dashboard: Dashboard, path: str, mode: str
) -> None:
    with dashboard.open(path, **MODES[mode]) as looked:
        page = looked.page
        scroll_through(page)
        # The window itself grows with what does not fit on a phone.
        width = MODES[mode]["viewport"]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        assert looked.complaints == []


@pytest.mark.parametrize("mode", MODES)
def test_what_is_seen_without_a_login_is_accessible(guarded: Dashboard, mode: str) -> None:
    with guarded.api as api:
        body = {"view": "overview", "name": mode, "password": "four words with spaces"}
        shared = api.post("/shares", json=body).json()["token"]
        invited = api.post("/invitations", json={"role": "viewer"}).json()["token"]
    context = guarded.browser.new_context(**MODES[mode])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    for path, heading in (
        ("login", "Sign in"),
        (f"invitation#{invited}", "Join"),
        (f"share#{shared}", "A shared view"),
    ):
        page.goto(f"{guarded.server.url}/dashboard/{path}")
        page.reload()  # Only the part behind the # differs from the page before.
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= MODES[mode]["viewport"]["width"]
        assert violations(page) == [], path
    assert complaints == []
    context.close()


SHEETS = {
    "overview": ["About People a day", "Notes", "key f", "key ?", "key /"],
    "goals": ["Set a goal"],
    "alerts": ["Add a rule", "Add"],
    "destinations": ["Add a destination", "Send again…"],
    "events?type=signup_completed": ["Signup completed"],
    "settings?tab=keys": ["Make a key"],
    "settings?tab=members": ["Invite"],
}


@pytest.mark.parametrize("mode", ["desk-light", "phone-dark"])
@pytest.mark.parametrize("path", SHEETS)
def test_sheets_are_accessible(dashboard: Dashboard, path: str, mode: str) -> None:
    with dashboard.open(path, **MODES[mode]) as looked:
        page = looked.page
        for opener in SHEETS[path]:
            if opener.startswith("key "):
                page.keyboard.press(opener.removeprefix("key "))
            else:
                page.get_by_role("button", name=opener, exact=opener == "Add").first.click()
            sheet = page.locator("dialog[open]")
            expect(sheet).to_be_visible()
            page.wait_for_selector("[aria-busy=true]", state="detached")
            assert sheet.evaluate("(sheet) => sheet.scrollWidth <= innerWidth"), opener
            assert violations(page) == [], opener
            page.keyboard.press("Escape")
            expect(sheet).to_have_count(0)
        assert looked.complaints == []


def test_the_first_load_is_small(dashboard: Dashboard) -> None:
    with dashboard.open("overview") as looked:
        sizes = looked.page.evaluate(
            "() => performance.getEntriesByType('resource').filter((each) => each.name.endsWith('.js'))"
            ".map((each) => [each.name.split('/').pop(), each.encodedBodySize])"
        )
    total = sum(size for _, size in sizes)
    print(f"\nfirst load: {total} bytes of JavaScript in {len(sizes)} files")
    assert 10_000 < total <= MOST_SCRIPT, sizes

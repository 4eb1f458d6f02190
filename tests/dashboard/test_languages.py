"""The dashboard in German: chosen, kept, whole, and no wider than a phone."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.test_pages import LIST, PAGES
from tests.support.dashboard import MODES, Dashboard, scroll_through, settle, violations

GERMAN = json.loads((LIST.parents[1] / "messages" / "de.json").read_text())
TITLES = dict(re.findall(r"path: '([^']+)', title: t\('([^']+)'\)", LIST.read_text()))
LOOKED_AT = ("overview", "events", "goals", "destinations", "settings")


def language(page: Page) -> str:
    return str(page.evaluate("document.documentElement.lang"))


def figure(page: Page, metric: str) -> tuple[str, float]:
    """A card's figure as it is shown, and as it is."""
    shown = page.locator(f"[data-metric={metric}]")
    return shown.inner_text(), float(shown.get_attribute("data-value") or "nan")


@pytest.mark.parametrize("mode", ["phone-light", "desk-dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_german_is_german_and_fits(dashboard: Dashboard, path: str, mode: str) -> None:
    with dashboard.open(path, locale="de-DE", **MODES[mode]) as looked:
        page = looked.page
        scroll_through(page)
        assert language(page) == "de"
        title = GERMAN[TITLES[path.partition("?")[0]]]
        assert page.locator("h1").inner_text() == title
        assert page.title().startswith(f"{title} · ")
        assert page.evaluate("document.documentElement.scrollWidth") <= MODES[mode]["viewport"]["width"]
        if path in LOOKED_AT:
            assert violations(page) == []
        assert looked.complaints == []


def test_german_is_chosen_in_the_settings_and_kept(dashboard: Dashboard) -> None:
    with dashboard.open("settings", locale="en-GB") as looked:
        page = looked.page
        assert language(page) == "en"
        assert (
            page.evaluate(
                "performance.getEntriesByType('resource').filter((each) => /de\\.js/.test(each.name))"
            )
            == []
        )
        page.get_by_role("main").get_by_label("Language").select_option(label="Deutsch")
        expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
        assert language(page) == "de"
        page.reload()
        settle(page)
        assert language(page) == "de"
        page.goto(f"{dashboard.server.url}/dashboard/p/{dashboard.project}/overview?range=30d")
        settle(page)
        text, value = figure(page, "page_views")
        assert value > 1_000
        assert text == f"{value:,.0f}".replace(",", ".")
        text, value = figure(page, "signup_to_payment_conversion")
        assert text == f"{value * 100:.1f}\N{NO-BREAK SPACE}%".replace(".", ",")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Tastatur")).to_contain_text("Filter hinzufügen")
        page.keyboard.press("Escape")
        page.get_by_role("contentinfo").get_by_label("Sprache").select_option(label="English")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert language(page) == "en"
        assert looked.complaints == []


def test_sheets_in_german_fit_a_phone(dashboard: Dashboard) -> None:
    with dashboard.open("overview", locale="de-DE", **MODES["phone-dark"]) as looked:
        page = looked.page
        for key, title in (
            ("f", "Filter hinzufügen"),
            ("?", "Tastatur"),
            ("/", "Gehe zu"),
            ("c", "Eigene Tage"),
        ):
            page.keyboard.press(key)
            sheet = page.get_by_role("dialog", name=title)
            expect(sheet).to_be_visible()
            page.wait_for_selector("[aria-busy=true]", state="detached")
            assert sheet.evaluate("(sheet) => sheet.scrollWidth <= innerWidth"), title
            assert violations(page) == [], title
            page.keyboard.press("Escape")
            expect(sheet).to_have_count(0)
        assert looked.complaints == []


def test_the_login_speaks_german_too(guarded: Dashboard) -> None:
    context = guarded.browser.new_context(**MODES["phone-light"])
    page = context.new_page()
    page.goto(f"{guarded.server.url}/dashboard/login")
    page.get_by_label("Language").select_option(label="Deutsch")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    expect(page.get_by_label("Benutzername")).to_be_visible()
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "none of these four words")
    page.click("button[type=submit]")
    alert = page.get_by_role("alert")
    expect(alert).to_have_text(GERMAN["The user name or the password is wrong."])
    assert alert.get_attribute("lang") is None
    assert violations(page) == []
    context.close()


@pytest.mark.parametrize(
    ("languages", "chosen"),
    [(["de-AT", "en"], "de"), (["fr-FR", "de-CH", "en"], "de"), (["fr-FR"], "en"), (["en-GB", "de"], "en")],
)
def test_the_browser_s_first_language_that_there_is_is_taken(
    guarded: Dashboard, languages: list[str], chosen: str
) -> None:
    context = guarded.browser.new_context()
    context.add_init_script(
        f"Object.defineProperty(navigator, 'languages', {{get: () => {json.dumps(languages)}}})"
    )
    page = context.new_page()
    page.goto(f"{guarded.server.url}/dashboard/login")
    expect(page.get_by_role("heading", name={"de": "Anmelden", "en": "Sign in"}[chosen])).to_be_visible()
    assert language(page) == chosen
    context.close()


def test_nothing_is_shown_in_english_before_the_german_texts_are_there(guarded: Dashboard) -> None:
    context = guarded.browser.new_context(locale="de-DE")
    page = context.new_page()
    held: list[Route] = []
    page.route("**/assets/*/de.js", lambda route: held.append(route))
    page.goto(f"{guarded.server.url}/dashboard/login", wait_until="commit")
    for _ in range(300):
        if held:
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(500)
    assert page.locator("#app").inner_text() == ""
    held.pop().continue_()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    context.close()


def test_without_the_german_texts_all_is_english(guarded: Dashboard) -> None:
    context = guarded.browser.new_context(locale="de-DE")
    page = context.new_page()
    page.route("**/assets/*/de.js", lambda route: route.abort())
    page.goto(f"{guarded.server.url}/dashboard/login")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert language(page) == "en"
    context.close()

"""Pages that come back from the browser's cache, and pages that were prepared before anybody asked for them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request

from tests.support.browser import ARGUMENTS, Site, program

SENT = "Object.keys(localStorage).filter(name => name.startsWith('aa.event.')).length === 0"


@pytest.fixture
def remembering(site: Site) -> Iterator[Site]:
    """The site in a browser that keeps pages for the way back: neither Playwright's usual one does, nor the one without windows."""
    launch = site.browser.browser_type.launch
    unwanted = ["--disable-back-forward-cache"]
    browser = launch(executable_path=program("chromium"), args=ARGUMENTS, ignore_default_args=unwanted)
    yield replace(site, browser=browser, contexts=[])
    browser.close()


def posted(visitor: BrowserContext) -> list[str]:
    """Event types of a visitor's posts, as they go out."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.extend(event["event_type"] for event in json.loads(request.post_data or "{}")["events"])

    visitor.on("request", note)
    return sent


def test_a_page_that_comes_back_counts_again_and_goes_on(remembering: Site) -> None:
    site = remembering
    site.serve("<a href='/away'>away</a><script>window.alive = Math.random()</script>", page_views=True)
    site.contents["/away"] = "<!doctype html><title>no script here</title>"
    visitor = site.visitor()
    sent = posted(visitor)
    page: Page = site.open(visitor, "/kept")
    site.until(lambda: sent == ["page_view"], "the first page view")
    page.wait_for_function(SENT)
    alive = page.evaluate("alive")
    page.evaluate("analytics.track('kept', {n: 1})")
    page.wait_for_function(SENT)
    page.click("a")
    page.wait_for_url("**/away")
    page.evaluate("history.back()")
    page.wait_for_url("**/kept", wait_until="commit")
    page.wait_for_function("typeof alive === 'number'")
    assert page.evaluate("alive") == alive, "the page was loaded anew instead of kept"
    page.evaluate("analytics.track('kept', {n: 2})")
    rows = site.expect("kept", 2)
    page.wait_for_function(SENT)
    page.wait_for_timeout(300)
    # One view for each time it was shown; nothing travelled twice.
    assert sorted(sent) == ["kept", "kept", "page_view", "page_view"]
    assert len(site.views("/kept")) == 2
    assert len({row["session_id"] for row in rows}) == 1
    assert [row["context"]["seq"] for row in rows] == [2, 4]


PREPARED = """
<script>
  localStorage.prepared = document.prerendering;
  (window.analytics ||= []).push(['track', 'prepared', {n: document.prerendering ? 1 : 0}])
</script>
"""
PREPARING = """<!doctype html><title>First</title>
<script type="speculationrules">{"prerender": [{"source": "list", "urls": ["/prepared"], "eagerness": "immediate"}]}</script>
<script>
  localStorage.clear()
  setInterval(async () => {
    analytics.track('preparing', {n: 0})
    if (!localStorage.prepared) return
    const wanted = await (await fetch('/wanted?' + localStorage.prepared)).text()
    if (wanted === 'yes') location.href = '/prepared'
  }, 50)
</script>"""


@contextmanager
def undriven(url: str, folder: Path) -> Iterator[None]:
    """Chromium on its own: where it is driven from outside it prepares no pages."""
    command = [program("chromium"), "--headless", *ARGUMENTS, f"--user-data-dir={folder}", url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            yield
        finally:
            browser.terminate()
            browser.wait()


def test_a_page_that_is_prepared_counts_once_it_is_looked_at(site: Site, tmp_path: Path) -> None:
    site.serve(PREPARED, "/prepared", page_views=True)
    # Its tab sends what is in the queue that both share.
    site.contents["/first"] = PREPARING + site.tag()
    site.contents["/wanted"] = "no"
    asked = site.contents.asked
    with undriven(f"{site.origin}/first", tmp_path):
        site.until(lambda: "/wanted?true" in asked, "the prepared page")
        # As long as it takes a page to send that is looked at, and longer.
        site.idle.wait_for_timeout(1_000)
        assert site.rows("preparing")
        assert (site.rows("prepared"), site.views("/prepared")) == ([], [])
        site.contents["/wanted"] = "yes"
        (row,) = site.expect("prepared", 1)
        assert row["event_data"] == {"n": 1}
        site.until(lambda: len(site.views("/prepared")) == 1, "its page view")
        (view,) = site.views("/prepared")
        assert view["anonymous_id"] == row["anonymous_id"]
    assert asked.count("/prepared") == 1, "it was loaded anew instead of shown"

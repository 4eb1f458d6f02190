"""Events of real pages in real Chromium: whatever happens to page, tab and network, each is in the log exactly once."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from playwright.sync_api import BrowserContext, Error, Page, Request, Route

from tests.support.browser import Site

STORED = "Object.keys(localStorage).filter(name => name.startsWith('aa.event.')).length"


def track(page: Page, event_type: str, numbers: range) -> None:
    """Send events with these numbers."""
    page.evaluate(
        "([type, first, last]) => { for (let n = first; n < last; n++) analytics.track(type, {n}) }",
        [event_type, numbers.start, numbers.stop],
    )


def once(*numbers: int) -> Counter[int]:
    return Counter(numbers)


def events_in(request: Request) -> int:
    """How many events a post carries."""
    return len(json.loads(request.post_data or "{}")["events"])


def answers(context: BrowserContext, statuses: list[int], **headers: str) -> list[int]:
    """Answer the first posts of a visitor with these statuses, all others for real; tells how many events each post had."""
    sizes: list[int] = []

    def handle(route: Route) -> None:
        if route.request.method == "POST":
            sizes.append(events_in(route.request))
            if statuses:
                route.fulfill(status=statuses.pop(0), headers={"Access-Control-Allow-Origin": "*", **headers})
                return
        route.continue_()

    context.route("**/api/v1/analytics/events", handle)
    return sizes


def test_three_tabs_offline_and_then_online(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    tabs = [site.open(visitor) for _ in range(3)]
    visitor.set_offline(True)
    for index, tab in enumerate(tabs):
        track(tab, "tabs", range(index * 30, index * 30 + 30))
    tabs[0].wait_for_function(f"{STORED} === 90")
    answered: list[int] = []
    visitor.on(
        "response",
        lambda response: answered.append(events_in(response.request)) if response.status == 202 else None,
    )
    visitor.set_offline(False)
    site.expect("tabs", 90)
    assert site.numbers("tabs") == once(*range(90))
    for tab in tabs:
        tab.wait_for_function(f"{STORED} === 0")
    # The lock keeps the tabs from sending the same: each event travelled once.
    assert sum(answered) == 90


def test_a_tab_that_is_killed(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    tab = site.open(visitor)
    down = [True]
    visitor.route("**/events", lambda route: route.abort() if down else route.continue_())
    track(tab, "killed", range(20))
    tab.wait_for_function(f"{STORED} === 20")
    with pytest.raises(Error, match="crash"):
        tab.goto("chrome://crash")
    down.clear()
    site.open(visitor)
    site.expect("killed", 20)
    assert site.numbers("killed") == once(*range(20))


def test_a_server_that_is_full_three_times(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    sizes = answers(visitor, [503, 503, 503])
    page = site.open(visitor)
    track(page, "full", range(12))
    site.expect("full", 12)
    assert site.numbers("full") == once(*range(12))
    assert len(sizes) == 4


def test_the_time_that_the_server_asks_for_is_waited(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    sizes = answers(visitor, [429], **{"Retry-After": "3600", "Access-Control-Expose-Headers": "Retry-After"})
    page = site.open(visitor)
    track(page, "asked", range(3))
    site.until(lambda: bool(sizes), "the first request")
    page.evaluate("dispatchEvent(new Event('online'))")
    track(page, "asked", range(3, 30))
    page.evaluate("analytics.flush()")
    page.wait_for_timeout(300)
    assert len(sizes) == 1
    assert page.evaluate(STORED) == 30


def test_a_batch_that_is_too_large_is_halved(site: Site) -> None:
    site.serve(batch_size=100, flush_interval=500)
    visitor = site.visitor()
    sizes = answers(visitor, [413, 413])
    page = site.open(visitor)
    track(page, "large", range(40))
    site.expect("large", 40)
    assert sizes[:3] == [40, 20, 10]
    assert site.numbers("large") == once(*range(40))


def test_what_the_server_refuses_is_not_sent_again(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    sizes = answers(visitor, [400])
    page = site.open(visitor)
    track(page, "refused", range(2))
    page.wait_for_function(f"{STORED} === 0")
    track(page, "refused", range(2, 4))
    site.expect("refused", 2)
    assert sizes == [2, 2]


def test_leaving_right_after_a_click(site: Site) -> None:
    # Far too long an interval: only leaving makes the page send.
    site.serve("<a href='/next' onclick=\"analytics.track('left', {n: 1})\">go</a>", flush_interval=3_600_000)
    site.contents["/next"] = "<title>no script here</title>"
    page = site.open()
    page.evaluate("analytics.track('left', {n: 0})")
    page.click("a")
    page.wait_for_url("**/next")
    site.expect("left", 2)
    assert site.numbers("left") == once(0, 1)


def test_what_a_page_sent_while_leaving_is_sent_again_and_counted_once(site: Site) -> None:
    site.serve(flush_interval=3_600_000)
    visitor = site.visitor()
    page = site.open(visitor)
    track(page, "again", range(5))
    page.goto(f"{site.origin}/next")
    site.expect("again", 5)
    # The next page with the script finds them stored, gets an answer for them, and forgets them.
    page.wait_for_function(f"{STORED} === 0")
    assert site.numbers("again") == once(*range(5))


def test_a_tab_that_is_closed(site: Site) -> None:
    site.serve(flush_interval=3_600_000)
    visitor = site.visitor()
    visitor.new_page()
    page = site.open(visitor)
    track(page, "closed", range(7))
    page.close(run_before_unload=True)
    site.expect("closed", 7)


def test_storage_that_throws(site: Site) -> None:
    # An opaque origin has no storage and no locks: reading `localStorage` throws a SecurityError.
    site.serve("<button onclick=\"analytics.track('blocked', {n: 1})\">b</button>", path="/inner")
    site.contents["/"] = "<iframe sandbox='allow-scripts' src='/inner'></iframe>"
    visitor = site.visitor()
    sizes = answers(visitor, [503])
    page = site.open(visitor)
    frame = page.frames[1]
    frame.wait_for_selector("button")
    assert frame.evaluate(
        "(() => { try { return localStorage && 'open' } catch (e) { return e.name } })()"
    ) == ("SecurityError")
    for n in range(4):
        frame.evaluate("n => analytics.track('blocked', {n})", n)
    rows = site.expect("blocked", 4)
    assert len(sizes) >= 2
    assert len({row["anonymous_id"] for row in rows}) == 1


def test_a_second_endpoint_and_settings_of_the_tag(site: Site) -> None:
    site.serve(endpoint="/c")
    page = site.open()
    track(page, "renamed", range(1))
    (row,) = site.expect("renamed", 1)
    # Headless Chromium is a bot: marked, not dropped.
    assert row["is_bot"]
    assert row["context"]["webdriver"] is True
    assert row["context"]["page"]["title"] == "A page"
    assert row["session_id"].isdecimal()


def test_calls_from_before_the_script_is_there(site: Site) -> None:
    early = "<script>(window.analytics ||= []).push(['track', 'early', {n: 1}])</script>"
    site.contents["/"] = f"<!doctype html><title>A page</title>{early}{site.tag()}"
    page = site.open()
    page.evaluate("analytics.push(['track', 'early', {n: 2}])")
    site.expect("early", 2)
    assert site.numbers("early") == once(1, 2)

"""What the script's tag does by itself: page views, attributes, links, errors, vitals; pinned by its hash."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page

from tests.support.browser import Site


def test_a_tag_with_a_hash_runs_and_one_with_another_does_not(site: Site) -> None:
    said = httpx.get(
        f"{site.server.url}/api/v1/analytics/browser-script", headers={"X-API-Key": site.reader}
    ).json()
    pinned = (
        said["pinned_tag"].replace("WRITE_KEY", site.key).replace(" defer", " defer data-page-views=false")
    )
    assert said["endpoint"] == "/c"
    site.contents["/"] = f"<!doctype html>{pinned}"
    assert site.open().evaluate("typeof analytics.track") == "function"
    site.contents["/"] = f"<!doctype html>{pinned.replace('sha384-', 'sha384-AAAA')}"
    assert site.open().evaluate("typeof window.analytics") == "undefined"


def test_page_views_of_a_single_page_application(site: Site) -> None:
    site.serve(page_views=True, flush_interval=20)
    page = site.open(path="/start?utm_source=news&email=ada@example.com")
    page.wait_for_timeout(100)
    # A change of the query alone is none; a redirect right after a navigation counts as one page.
    page.evaluate("history.replaceState({}, '', '/start?tab=2')")
    page.evaluate(
        "history.pushState({}, '', '/old'); history.replaceState({}, '', '/new'); document.title = 'New'"
    )
    page.wait_for_timeout(200)
    page.evaluate("history.back()")
    site.until(lambda: len(site.views("/start", "/old", "/new")) >= 3, "the page views")
    views = site.views("/start", "/old", "/new")
    assert [view["event_data"]["path"] for view in views] == ["/start", "/new", "/start"]
    assert views[1]["event_data"]["title"] == "New"
    first, second = (view["context"]["page"] for view in views[:2])
    assert first["url"].endswith("/start?utm_source=news&email=[redacted]")
    assert second["referrer"].startswith(site.origin + "/start")
    assert views[0]["context"]["source"]["utm_source"] == "news"


ELEMENTS = """
<button data-analytics-track="feature_click" data-analytics-feature="generate" data-analytics-plan-id="7"><b>Go</b></button>
<form data-analytics-form="contact" onsubmit="return false">
  <input name="email" type="email" required><textarea name="message"></textarea><button id="send">Send</button>
</form>
<a id="out" href="http://127.0.0.1:1/there" onclick="return false">out</a>
<a id="file" href="/report.pdf?token=abc" onclick="return false">file</a>
"""


def test_attributes_links_and_errors(site: Site) -> None:
    site.serve(ELEMENTS, auto_track=True, outbound=True, downloads=True, errors=True)
    visitor = site.visitor()
    sent: list[dict[str, str]] = []
    visitor.on("request", lambda one: sent.append(one.headers) if one.method == "POST" else None)
    page = site.open(visitor)
    page.evaluate("addEventListener('click', (event) => (window.prevented = event.defaultPrevented))")
    page.click("b")
    assert page.evaluate("prevented") is False
    page.fill("[name=message]", "something secret")
    page.click("#send")
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    page.click("#out")
    page.click("#file")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<i data-analytics-track=late>late</i>')")
    page.click("text=late >> nth=0")
    page.evaluate("setTimeout(() => { throw new Error('boom for ada@example.com') })")
    (click,) = site.expect("feature_click", 1)
    assert click["event_data"] == {"feature": "generate", "plan_id": "7"}
    site.expect("late", 1)
    (outbound,) = site.expect("outbound_click", 1)
    assert outbound["event_data"]["host"] == "127.0.0.1:1"
    (file,) = site.expect("file_download", 1)
    assert file["event_data"] == {"url": f"{site.origin}/report.pdf?token=[redacted]", "file": "report.pdf"}
    (error,) = site.expect("error", 1)
    assert error["event_data"]["message"] == "Uncaught Error: boom for [redacted]"
    forms = site.expect("form_interaction", 3)
    assert [form["event_data"]["action"] for form in forms] == ["start", "error", "submit"]
    assert forms[2]["event_data"]["fields"][:2] == ["message", "send"]
    assert "secret" not in str(forms) and "ada@" not in str(forms)
    # What a browser sends to another origin without asking first: this type, and no header of ours.
    assert sent
    assert all(headers["content-type"].startswith("text/plain") for headers in sent)
    assert not [
        name for headers in sent for name in headers if name.startswith("x-") or name == "authorization"
    ]


def test_a_form_that_is_left(site: Site) -> None:
    site.serve("<form data-analytics-form=left><input name=a><input name=b></form>", auto_track=True)
    page = site.open()
    page.focus("[name=a]")
    page.focus("[name=b]")
    page.goto("about:blank")
    site.until(lambda: len(_forms(site, "left")) == 2, "start and abandon")
    assert _forms(site, "left")[1]["fields"] == ["a", "b"]


def _forms(site: Site, name: str) -> list[dict[str, object]]:
    data = [row["event_data"] for row in site.rows("form_interaction")]
    return [one for one in data if one["form_name"] == name]


def test_vitals_are_sent_when_the_page_is_left(site: Site) -> None:
    site.serve("<h1>Something to paint</h1>", vitals=True)
    page: Page = site.open()
    page.wait_for_timeout(300)
    page.goto("about:blank")
    (vitals,) = site.expect("web_vitals", 1)
    assert vitals["event_data"]["ttfb"] > 0
    assert vitals["event_data"]["lcp"] >= vitals["event_data"]["fcp"] > 0

"""Consent in real pages: nothing is stored or sent before it is given, all is erased when it is refused."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import Site, make_key

OURS = "Object.keys(localStorage).filter(name => name.startsWith('aa.')).sort()"


def posts(visitor: BrowserContext) -> list[str]:
    sent: list[str] = []
    visitor.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    return sent


def track(page: Page, event_type: str, n: int) -> None:
    page.evaluate("([type, n]) => analytics.track(type, {n})", [event_type, n])


def test_before_the_decision_everything_stays_in_memory(site: Site) -> None:
    site.serve(consent="pending")
    visitor = site.visitor()
    sent = posts(visitor)
    page = site.open(visitor)
    track(page, "pending", 1)
    page.wait_for_timeout(200)
    assert (sent, page.evaluate(OURS)) == ([], [])
    page.evaluate("analytics.optIn()")
    track(page, "pending", 2)
    rows = site.expect("pending", 2)
    assert len({row["anonymous_id"] for row in rows}) == 1
    page.reload()
    assert page.evaluate("analytics.getConsent()") == "granted"


def test_a_refusal_erases_everything_and_is_remembered_in_all_tabs(site: Site) -> None:
    site.serve(flush_interval=3_600_000)
    visitor = site.visitor()
    sent = posts(visitor)
    page, other = site.open(visitor), site.open(visitor)
    track(page, "refusing", 1)
    assert len(page.evaluate(OURS)) == 3
    page.evaluate("analytics.optOut()")
    other.wait_for_function("analytics.hasOptedOut()")
    track(page, "refusing", 2)
    track(other, "refusing", 3)
    assert page.evaluate(OURS) == ["aa.consent"]
    page.reload()
    track(page, "refusing", 4)
    page.evaluate("analytics.flush()")
    page.wait_for_timeout(200)
    assert (sent, site.rows("refusing")) == ([], [])


def test_global_privacy_control_is_a_refusal_until_the_visitor_says_otherwise(site: Site) -> None:
    site.serve()
    visitor = site.visitor()
    visitor.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    sent = posts(visitor)
    page = site.open(visitor)
    track(page, "gpc", 1)
    page.wait_for_timeout(200)
    assert (sent, page.evaluate(OURS)) == ([], [])
    page.evaluate("analytics.optIn()")
    track(page, "gpc", 2)
    (row,) = site.expect("gpc", 1)
    assert row["event_data"]["n"] == 2


def test_identity_from_anonymous_to_known_and_back(site: Site) -> None:
    site.serve()
    page = site.open()
    track(page, "who", 1)
    page.evaluate("analytics.register({plan: 'pro', email: 'ada@example.com'})")
    page.evaluate("analytics.identify('ada', {role: 'admin', email: 'ada@example.com'})")
    track(page, "who", 2)
    page.evaluate("analytics.identify('grace')")
    track(page, "who", 3)
    page.evaluate("analytics.reset()")
    track(page, "who", 4)
    rows = site.expect("who", 4)
    assert [row["user_id"] for row in rows] == [None, "ada", "grace", None]
    anonymous = [row["anonymous_id"] for row in rows]
    assert anonymous[0] == anonymous[1] and len(set(anonymous)) == 3
    assert [row["event_data"].get("plan") for row in rows] == [None, "pro", None, None]
    identified = site.rows("$identify")
    assert identified[0]["user_properties"] == {"$set": {"role": "admin"}}
    assert "ada@" not in str(rows) + str(identified)


def test_rules_of_destinations_ask_for_what_the_visitor_agreed_to(site: Site, tmp_path: Path) -> None:
    site.serve(consent="pending")
    page = site.open()
    track(page, "agreed", 1)
    page.evaluate("analytics.optIn({purposes: {analytics: true, ads: false}})")
    page.reload()
    track(page, "agreed", 2)
    undecided = site.open(path="/undecided")
    track(undecided, "agreed", 3)
    undecided.evaluate("analytics.optIn()")
    rows = site.expect("agreed", 3)
    by_number = {row["event_data"]["n"]: row["context"]["consent"] for row in rows}
    assert by_number == {
        1: {"analytics": True, "ads": False},
        2: {"analytics": True, "ads": False},
        3: {"analytics": True},
    }
    admin = make_key(site.dsn, tmp_path, "admin")
    address = f"{site.server.url}/api/v1/analytics"
    with httpx.Client(base_url=address, headers={"X-API-Key": admin}) as api:
        for purpose, sent in (("analytics", 3), ("ads", 0)):
            body = {"rules": {"consent": {"purposes": [purpose]}}, "event_type": "agreed"}
            tried = api.post("/destinations/amplitude/dry-run", json=body).json()
            assert (tried["send"], sum(tried["skip"].values())) == (sent, 3 - sent)

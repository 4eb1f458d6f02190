"""A share link, made in the dashboard and opened in another browser, shows the figures and nothing else until it is revoked."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.support.dashboard import settle, violations
from tests.support.processes import ServerProcess

OWNERS = "four words with spaces"
LINKS = "open sesame and more"
CALL = """async ([method, path, body]) => {
    const api = '/api/v1/analytics'
    const {csrf_token} = await (await fetch(api + '/auth/session')).json()
    const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': csrf_token ?? ''}
    const answer = await fetch(api + path, {method, headers, body: body && JSON.stringify(body)})
    return [answer.status, await answer.json().catch(() => null)]
}"""


def logged_in(browser: Browser, server: ServerProcess) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{server.url}/dashboard/p/default/overview?range=7d&compare=off")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", OWNERS)
    page.click("button[type=submit]")
    page.wait_for_url("**/overview?*")
    settle(page)
    return page


def send_views(owner: Page, server: ServerProcess, count: int) -> None:
    _, key = owner.evaluate(CALL, ["POST", "/keys", {"kind": "admin"}])
    with httpx.Client(base_url=f"{server.url}/api/v1/analytics", headers={"X-API-Key": key["key"]}) as api:
        events = [{"event_type": "page_view", "user_id": f"user-{number}"} for number in range(count)]
        assert api.post("/events", json=events).json()["accepted"] == count
        assert api.post("/process-events", timeout=60).status_code == 200


def test_a_link_is_made_opened_with_its_password_and_revoked(
    browser: Browser, database_url: str, tmp_path: Path
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__ADMIN_PASSWORD": OWNERS}
    with ServerProcess(env, tmp_path, "serve") as server:
        server.start()
        owner = logged_in(browser, server)
        send_views(owner, server, 3)
        owner.get_by_role("button", name="Share this view").click()
        sheet = owner.get_by_role("dialog", name="Share this view")
        sheet.get_by_label("Name").fill("For the board")
        sheet.get_by_label("Password").fill(LINKS)
        sheet.get_by_role("button", name="Make a link").click()
        link = sheet.get_by_label("The link", exact=True).inner_text()
        expect(sheet.get_by_role("button", name="Revoke For the board")).to_be_visible()
        assert violations(owner) == []

        guest = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        guest.goto(link)
        guest.get_by_label("Password").fill("not the password")
        guest.get_by_role("button", name="Show").click()
        expect(guest.get_by_role("alert")).to_contain_text("wrong")
        assert violations(guest) == []
        guest.get_by_label("Password").fill(LINKS)
        guest.get_by_role("button", name="Show").click()
        expect(guest).to_have_url(re.compile(r"/p/default/overview\?range=7d&compare=off$"))
        for _ in range(2):
            settle(guest)
            expect(guest.locator("[data-metric=page_views]")).to_have_attribute("data-value", "3")
            expect(guest.get_by_role("link", name="Funnels")).to_be_visible()
            expect(guest.get_by_role("link", name="Users")).to_have_count(0)
            expect(guest.get_by_role("button", name="Share this view")).to_have_count(0)
            guest.reload()
        assert violations(guest) == []
        guest.get_by_role("link", name="Funnels").click()
        settle(guest)
        # How many, but not who.
        first = guest.locator("[data-step]").first
        assert (first.evaluate("(step) => step.tagName"), first.get_attribute("data-value")) == ("SPAN", "3")
        for path in ("/events", "/users", "/shares"):
            assert guest.evaluate(CALL, ["GET", path, None])[0] == 403, path
        assert guest.evaluate(CALL, ["POST", "/goals", {}])[0] == 403

        sheet.get_by_role("button", name="Revoke For the board").click()
        expect(sheet.get_by_role("button", name="Revoke For the board")).to_have_count(0)
        guest.reload()
        expect(guest).to_have_url(re.compile("/dashboard/login"))
        for page in (owner, guest):
            page.context.close()

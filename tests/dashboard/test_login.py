"""People log in to the dashboard in a real browser, with password and second factor, on a server that asks for both."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.support.processes import ServerProcess

PASSWORD = "four words with spaces"


def code_of(secret: str, at: float) -> str:
    """By RFC 6238 with its defaults: SHA-1, 30 seconds, six digits."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(at // 30)), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def log_in(page: Page, password: str = PASSWORD) -> None:
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", password)
    page.click("button[type=submit]")


def test_a_person_logs_in_with_password_and_second_factor(
    browser: Browser, database_url: str, tmp_path: Path
) -> None:
    env = {
        "ANALYTICS__DATABASE_URL": database_url,
        "ANALYTICS__ADMIN_PASSWORD": PASSWORD,
        "ANALYTICS__SECRET_KEY": "sixteen characters and more",
    }
    with ServerProcess(env, tmp_path, "serve") as server:
        server.start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/dashboard/p/default/funnels")
        assert urlsplit(page.url).path == "/dashboard/login"
        log_in(page, "not the password")
        expect(page.get_by_role("alert")).to_contain_text("password")
        log_in(page)
        expect(page).to_have_url(re.compile("/dashboard/p/default/funnels"))
        secret = page.evaluate(
            """async password => {
                const api = '/api/v1/analytics/auth/'
                const {csrf_token} = await (await fetch(api + 'session')).json()
                const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': csrf_token}
                const body = JSON.stringify({current_password: password})
                const answer = await (await fetch(api + "second-factor", {method: "POST", headers, body})).json()
                if (!answer.secret) throw new Error(JSON.stringify(answer))
                return answer.secret
            }""",
            PASSWORD,
        )
        # A code counts once: this step's confirms, the next step's logs in.
        now = time.time()
        confirmed = page.evaluate(
            """async code => {
                const api = '/api/v1/analytics/auth/'
                const {csrf_token} = await (await fetch(api + 'session')).json()
                const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': csrf_token}
                return (await fetch(api + 'second-factor/confirm', {method: 'POST', headers, body: JSON.stringify({code})})).status
            }""",
            code_of(secret, now),
        )
        assert confirmed == 204
        context.clear_cookies()
        page.goto(f"{server.url}/dashboard")
        log_in(page)
        code = page.locator("[name=code]")
        expect(code).to_be_focused()
        code.fill(code_of(secret, now - 3_600))
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_contain_text("code")
        code.fill(code_of(secret, now + 30))
        page.click("button[type=submit]")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        context.close()

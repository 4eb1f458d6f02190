"""Logging in: sessions, cookies, cross-site requests, wrong passwords, changed ones."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from analytics_api.access.cookies import COOKIE, HOST_COOKIE
from analytics_api.access.passwords import NOBODYS, hash_password, is_outdated
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Role
from tests.support.logging_in import API, PASSWORD, Browser, Site, running_site

NEW = "five other words in here"


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url) as site:
        await site.add("ada@example.com", {"default": Role.EDITOR, "shop": Role.VIEWER})
        yield site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        assert (await browser.log_in("ada@example.com")).status_code == 200
        yield browser


async def test_a_login_says_who_one_is_and_what_one_may_do(site: Site) -> None:
    async with site.browser() as browser:
        assert (await browser.get("/auth/session")).status_code == 401
        answer = await browser.log_in(" Ada@Example.com")
        said = answer.json()
        again = (await browser.get("/auth/session")).json()
    assert again == said
    assert (said["mode"], said["user"]["username"]) == ("login", "ada@example.com")
    assert [(one["slug"], one["role"]) for one in said["projects"]] == [
        ("default", "editor"),
        ("shop", "viewer"),
    ]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.call(
            "POST",
            "/auth/login",
            {"username": "ada@example.com", "password": PASSWORD},
            headers={"X-Forwarded-Proto": "https"},
        )
        name, _, token = answer.headers["set-cookie"].split(";")[0].partition("=")
        assert (name, "Secure" in answer.headers["set-cookie"]) == (HOST_COOKIE, True)
        # The cookie that a neighbour's page could set is not taken there.
        for sent, status in ((HOST_COOKIE, 200), (COOKIE, 401)):
            headers = {"Cookie": f"{sent}={token}", "X-Forwarded-Proto": "https"}
            assert (
                await site.server.client.get(f"{API}/auth/session", headers=headers)
            ).status_code == status


async def test_no_token_and_no_password_is_stored(site: Site, ada: Browser) -> None:
    token = ada.client.cookies[COOKIE]
    async with site.database.acquire() as connection:
        rows = [
            str(tuple(row.values()))
            for table in ("users", "user_sessions", "login_attempts")
            for row in await connection.fetch(f"SELECT * FROM {table}")
        ]
    assert rows
    assert not [row for row in rows if token in row or PASSWORD in row]
    assert all("$argon2id$v=19$m=19456,t=2,p=1$" in row for row in rows if "ada@" in row)


async def test_roles_open_what_keys_of_that_right_open(site: Site, ada: Browser) -> None:
    assert (await ada.get("/metrics/dashboard")).status_code == 200
    assert (await ada.get("/metrics/dashboard?project=shop")).status_code == 200
    denied = await ada.get("/members")
    assert (denied.status_code, denied.json()["detail"]) == (
        403,
        "As editor of 'default' you may not administer the project: ask an owner.",
    )
    async with site.database.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO projects (slug, name, namespace, time_zone, currency, created_at) "
                "VALUES ('hidden', 'Hidden', gen_random_uuid(), 'UTC', 'USD', now())"
            )
        )
    hidden, missing = [await ada.get(f"/metrics/dashboard?project={name}") for name in ("hidden", "missing")]
    assert hidden.status_code == missing.status_code == 403
    assert hidden.json()["detail"].replace("hidden", "missing") == missing.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": "\u00e9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "http://127.0.0.1:1"},
    ],
)
async def test_a_write_that_another_page_made_is_refused(
    site: Site, ada: Browser, headers: dict[str, str]
) -> None:
    raw: dict[str, Any] = {name: value.encode("latin-1") for name, value in headers.items()}
    if headers.get("Sec-Fetch-Site") == "":
        # An old browser on plain http: the origin alone tells.
        answer = await site.server.client.post(
            f"{API}/auth/logout",
            headers={
                "Origin": headers["Origin"],
                "Cookie": f"{COOKIE}={ada.client.cookies[COOKIE]}",
                "X-CSRF-Token": ada.csrf or "",
            },
        )
    else:
        answer = await ada.call("POST", "/auth/logout", headers=raw)
    assert answer.status_code in (401, 403)
    assert (await ada.get("/auth/session")).status_code == 200


async def test_nobody_is_logged_in_by_another_page(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.call(
            "POST",
            "/auth/login",
            {"username": "ada@example.com", "password": PASSWORD},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_events_are_never_sent_by_cookie(ada: Browser) -> None:
    answer = await ada.post("/events", {"event_type": "payment_completed", "revenue": 5})
    assert answer.status_code == 401


async def test_a_wrong_name_and_a_wrong_password_look_and_cost_the_same(site: Site) -> None:
    async def cost(browser: Browser, username: str) -> tuple[float, Any]:
        began = time.process_time()
        answer = await browser.log_in(username, "not the password")
        return time.process_time() - began, (answer.status_code, answer.json())

    async with site.browser() as browser:
        pairs = [
            (await cost(browser, "ada@example.com"), await cost(browser, "nobody@example.com"))
            for _ in range(4)
        ]
    assert all(there[1] == missing[1] and there[1][0] == 401 for there, missing in pairs)
    # Processor time, which does not depend on what else the machine does. Without the hash it would be a tenth.
    there, missing = (min(pair[side][0] for pair in pairs) for side in (0, 1))
    assert 0.5 < missing / there < 2
    assert not is_outdated(NOBODYS)


async def test_a_name_that_is_tried_too_often_waits_whether_it_is_there_or_not(site: Site) -> None:
    async with site.browser() as browser:
        for name in ("ada@example.com", "nobody@example.com"):
            statuses = [(await browser.log_in(name, "wrong wrong wrong")).status_code for _ in range(11)]
            assert statuses == [401] * 10 + [429]
        # Also with the right password, or the answer would tell that it is right.
        answer = await browser.log_in("ada@example.com")
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
        async with site.database.acquire() as connection:
            await connection.execute("UPDATE login_attempts SET at = at - interval '1 minute'")
        assert (await browser.log_in("ada@example.com")).status_code == 200


async def test_an_address_that_fails_too_often_waits(site: Site) -> None:
    async with site.browser() as browser:
        statuses = [
            (await browser.log_in(f"name-{number}", "wrong wrong wrong")).status_code for number in range(31)
        ]
        assert statuses == [401] * 30 + [429]


async def test_a_changed_password_ends_all_other_logins(site: Site, ada: Browser) -> None:
    async with site.browser() as other:
        await other.log_in("ada@example.com")
        former = ada.client.cookies[COOKIE]
        wrong = await ada.post("/auth/password", {"current_password": "not this one", "new_password": NEW})
        short = await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": "short"})
        assert (wrong.status_code, short.status_code) == (403, 422)
        assert (await other.get("/auth/session")).status_code == 200

        answer = await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": NEW})
        assert answer.status_code == 200
        assert ada.client.cookies[COOKIE] != former
        assert (await ada.get("/auth/session")).json()["csrf_token"] == answer.json()["csrf_token"]
        assert (await other.get("/auth/session")).status_code == 401
        assert (await other.log_in("ada@example.com")).status_code == 401
        assert (await other.log_in("ada@example.com", NEW)).status_code == 200


@pytest.mark.parametrize(
    "password", ["aaaaaaaaaaaaaaaa", "ada@example.comada@example.com", "x" * 257, "1234567890a"]
)
async def test_a_password_that_is_easy_to_guess_is_refused_and_never_repeated(
    ada: Browser, password: str
) -> None:
    answer = await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": password})
    assert answer.status_code == 422
    assert "new_password" in answer.json()["detail"]
    assert password not in answer.text


async def test_logins_are_listed_and_ended(site: Site, ada: Browser) -> None:
    async with site.browser() as other, site.browser() as third, site.browser() as stranger:
        await site.add("bob", {"default": Role.OWNER})
        await stranger.log_in("bob")
        for browser in (other, third):
            await browser.log_in("ada@example.com")
        listed = (await ada.get("/auth/sessions")).json()["sessions"]
        assert [one["current"] for one in listed] == [False, False, True]
        assert (await stranger.call("DELETE", f"/auth/sessions/{listed[0]['id']}")).status_code == 404
        assert (await ada.call("DELETE", f"/auth/sessions/{listed[0]['id']}")).status_code == 204
        assert [(await one.get("/auth/session")).status_code for one in (third, other)] == [401, 200]
        assert (await ada.call("DELETE", "/auth/sessions")).status_code == 204
        assert (await other.get("/auth/session")).status_code == 401
        logged_out = await ada.post("/auth/logout")
        assert logged_out.status_code == 204
        assert all("Max-Age=0" in line for line in logged_out.headers.get_list("set-cookie"))
        assert (await ada.get("/auth/session")).status_code == 401
        assert (await stranger.get("/auth/session")).status_code == 200


@pytest.mark.parametrize(("column", "hours"), [("seen_at", 73), ("ends_at", 24 * 30 + 1)])
async def test_a_login_ends_unused_and_in_any_case(site: Site, ada: Browser, column: str, hours: int) -> None:
    async with site.database.acquire() as connection:
        await connection.execute(
            f"UPDATE user_sessions SET {column} = {column} - $1::interval", timedelta(hours=hours)
        )
    assert (await ada.get("/auth/session")).status_code == 401
    async with site.browser() as again:
        await again.log_in("ada@example.com")
        # The next login clears up.
        assert len((await again.get("/auth/sessions")).json()["sessions"]) == 1
    async with site.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM user_sessions") == 1


async def test_use_keeps_a_login_alive(site: Site, ada: Browser) -> None:
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE user_sessions SET seen_at = seen_at - interval '71 hours'")
        assert (await ada.get("/auth/session")).status_code == 200
        seen = await connection.fetchval("SELECT seen_at FROM user_sessions")
    assert system_clock() - seen < timedelta(hours=1)


async def test_who_is_locked_out_is_out_at_once(site: Site, ada: Browser) -> None:
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE users SET disabled_at = now()")
    assert (await ada.get("/auth/session")).status_code == 401
    assert (await ada.log_in("ada@example.com")).status_code == 401


async def test_a_hash_of_former_parameters_is_renewed_at_login(site: Site, ada: Browser) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE users SET password_hash = $1", old)
        assert (await ada.log_in("ada@example.com")).status_code == 200
        renewed = await connection.fetchval("SELECT password_hash FROM users")
    assert (is_outdated(old), is_outdated(renewed)) == (True, False)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "ada\x00", "password": PASSWORD},
        {"username": "", "password": PASSWORD},
        {"username": "' OR 1=1 --", "password": PASSWORD},
        {"username": "ada@example.com", "password": ""},
        {"username": "ada@example.com", "password": "\x00" * 20},
        {"username": "ada@example.com", "password": "\U0001f512" * 300},
        {"username": "a" * 1025, "password": PASSWORD},
        {"username": "ada@example.com"},
        {"username": ["ada@example.com"], "password": PASSWORD},
        [],
        None,
    ],
)
async def test_odd_logins_fail_like_any_other(site: Site, body: Any) -> None:
    async with site.browser() as browser:
        answer = await browser.post("/auth/login", body)
    assert answer.status_code in (401, 422)
    assert PASSWORD not in answer.text


async def test_the_sandbox_at_this_machine_needs_no_login(database_url: str) -> None:
    async with running_site(database_url, sandbox_mode=True) as site, site.browser() as browser:
        said = (await browser.get("/auth/session")).json()
        foreign = await browser.call("GET", "/auth/session", headers={"Origin": "https://evil.example"})
        proxied = await browser.call("GET", "/auth/session", headers={"X-Forwarded-For": "203.0.113.9"})
        assert (said["mode"], said["user"], said["projects"][0]["role"]) == ("local", None, "owner")
        assert (foreign.status_code, proxied.status_code) == (401, 401)
        # Who logs in there has the role of the login.
        await site.add("vic", {"default": Role.VIEWER})
        assert (await browser.log_in("vic")).status_code == 200
        assert (await browser.get("/members")).status_code == 403


def test_a_password_is_the_same_however_its_accents_are_typed() -> None:
    from analytics_api.access.passwords import _matches

    stored = hash_password("caf\u00e9 au lait noir")
    assert _matches("cafe\u0301 au lait noir", stored)

"""A second factor: set up, asked for, used once, lost."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from analytics_api.domain.project import Role
from analytics_api.domain.totp import PERIOD, code_at
from tests.support.commands import analytics_api
from tests.support.logging_in import PASSWORD, Browser, Site, running_site


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        await site.add("ada", {"default": Role.OWNER})
        yield site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        await browser.log_in("ada")
        yield browser


def code(secret: str, steps: int = 0) -> str:
    return code_at(base64.b32decode(secret), int(time.time() // PERIOD) + steps)


async def set_up(browser: Browser) -> str:
    offered = await browser.post("/auth/second-factor", {"current_password": PASSWORD})
    assert offered.status_code == 200, offered.text
    secret: str = offered.json()["secret"]
    # The codes of this step and of the one before stay for the tests.
    for _ in range(2):  # A new step may begin on the way.
        confirmed = await browser.post("/auth/second-factor/confirm", {"code": code(secret, -1)})
        if confirmed.status_code == 204:
            break
    assert confirmed.status_code == 204, confirmed.text
    return secret


async def log_in(browser: Browser, given: str | None) -> httpx.Response:
    body = {"username": "ada", "password": PASSWORD, **({} if given is None else {"code": given})}
    return await browser.post("/auth/login", body)


async def test_a_code_is_asked_for_once_it_is_set_up(site: Site, ada: Browser) -> None:
    async with site.browser() as other, site.browser() as third:
        await other.log_in("ada")
        secret = await set_up(ada)
        # Other logins end; this one goes on.
        assert (await other.get("/auth/session")).status_code == 401
        assert (await ada.get("/auth/session")).json()["user"]["second_factor"] is True

        without, wrong = await log_in(other, None), await log_in(other, "000000")
        assert [(one.status_code, one.json().get("second_factor")) for one in (without, wrong)] == [
            (401, True)
        ] * 2
        bad = await other.post(
            "/auth/login", {"username": "ada", "password": "wrong wrong wrong", "code": "1"}
        )
        assert (bad.status_code, "second_factor" in bad.json()) == (401, False)
        right = code(secret)
        assert (await log_in(other, right)).status_code == 200
        # Seen over somebody's shoulder it is of no use.
        assert (await log_in(third, right)).status_code == 401
        assert (await log_in(third, code(secret, -1))).status_code == 401
        assert (await log_in(third, code(secret, 1))).status_code == 200


async def test_nothing_changes_before_it_is_confirmed(site: Site, ada: Browser) -> None:
    assert (await ada.post("/auth/second-factor/confirm", {"code": "123456"})).status_code == 404
    assert (await ada.post("/auth/second-factor", {"current_password": "not this one"})).status_code == 403
    offered = (await ada.post("/auth/second-factor", {"current_password": PASSWORD})).json()
    uri = urlsplit(offered["uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Analytics%20API%3Aada")
    assert parse_qs(uri.query) == {"secret": [offered["secret"]], "issuer": ["Analytics API"]}
    assert (await ada.post("/auth/second-factor/confirm", {"code": "12345"})).status_code == 403
    async with site.browser() as other:
        assert (await log_in(other, None)).status_code == 200
    async with site.database.acquire() as connection:
        sealed = await connection.fetchval("SELECT totp_secret FROM users WHERE username = 'ada'")
    assert offered["secret"].encode() not in sealed
    assert base64.b32decode(offered["secret"]) not in sealed


async def test_codes_cannot_be_guessed(site: Site, ada: Browser) -> None:
    secret = await set_up(ada)
    async with site.browser() as other:
        statuses = [(await log_in(other, f"{number:06d}")).status_code for number in range(11)]
        assert statuses == [401] * 10 + [429]
        assert (await log_in(other, code(secret))).status_code == 429


async def test_it_is_removed_with_a_code_or_by_the_operator(
    site: Site, ada: Browser, database_url: str, tmp_path: Path
) -> None:
    secret = await set_up(ada)
    again = await ada.post("/auth/second-factor", {"current_password": PASSWORD})
    assert again.status_code == 403  # A code is needed for that, too.
    without = await ada.post("/auth/second-factor/remove", {"current_password": PASSWORD})
    removed = await ada.post(
        "/auth/second-factor/remove", {"current_password": PASSWORD, "code": code(secret)}
    )
    assert (without.status_code, removed.status_code) == (403, 204)
    async with site.browser() as other:
        assert (await log_in(other, None)).status_code == 200
        await set_up(ada)
        env = {"ANALYTICS__DATABASE_URL": database_url}
        assert (await analytics_api(env, tmp_path, "users", "remove-second-factor", "ada")).returncode == 0
        assert (await log_in(other, None)).status_code == 200

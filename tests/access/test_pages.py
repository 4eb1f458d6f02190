"""Lists of administration in pages: each item once, whatever the size of the pages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from analytics_api.domain.clock import system_clock
from analytics_api.domain.erasure import JobKind
from analytics_api.domain.identity import person_of
from analytics_api.domain.project import KeyKind, Role
from analytics_api.store.consent import Statement, keep_consent
from analytics_api.store.invitations import create_invitation
from analytics_api.store.keys import create_key
from analytics_api.store.privacy_jobs import create_job
from analytics_api.store.shares import create_share
from analytics_api.store.user_sessions import open_session
from tests.support.events import NOW, make_project
from tests.support.logging_in import Browser, Site, running_site

MANY = 7
LISTS = [
    ("/keys", "keys", "after", "id"),
    ("/members", "members", "after", "username"),
    ("/invitations", "invitations", "before", "id"),
    ("/auth/sessions", "sessions", "before", "id"),
    ("/shares", "shares", "before", "id"),
    ("/privacy/jobs", "jobs", "before", "id"),
    ("/privacy/consent?user_id=ada", "changes", "after", "changed_at"),
]


@pytest.fixture
async def olga(database_url: str) -> AsyncIterator[Browser]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        owner = await site.add("olga", {"default": Role.OWNER})
        await fill(site, owner.id)
        async with site.browser() as browser:
            assert (await browser.log_in("olga")).status_code == 200
            yield browser


async def fill(site: Site, owner: int) -> None:
    """So many of each that there are several pages; sessions get one more by logging in, members have the owner."""
    project = await make_project(site.database)
    now = system_clock()
    async with site.database.write() as connection:
        for number in range(MANY):
            await create_share(
                connection,
                project.id,
                f"link {number}",
                "/",
                password_hash=None,
                created_by="user:1",
                expires_at=None,
                now=now,
            )
            await create_key(connection, project.id, KeyKind.READ, now=now)
            await create_invitation(
                connection,
                project.id,
                Role.VIEWER,
                created_by="user:1",
                expires_at=now + timedelta(hours=1),
                now=now,
            )
        for _ in range(MANY - 1):
            await open_session(connection, owner, now, timedelta(days=30))
    for number in range(MANY - 1):
        await site.add(f"member-{number}", {"default": Role.VIEWER})
    person, _ = person_of(project.namespace, "ada", None, project.namespace)
    async with site.database.acquire() as bare:
        for _ in range(MANY):
            await create_job(bare, project.id, JobKind.ERASE, {"user_id": "ada"}, "admin:1", NOW)
        await keep_consent(
            bare,
            [
                Statement(
                    person,
                    NOW + timedelta(hours=number),
                    project.id,
                    json.dumps({"ads": number}),
                    "form",
                    NOW,
                )
                for number in range(MANY)
            ],
        )


async def pages(browser: Browser, path: str, name: str, cursor: str, limit: int) -> list[list[Any]]:
    """All pages."""
    found, at = [], ""
    more = "&" if "?" in path else "?"
    while True:
        answer = await browser.get(f"{path}{more}limit={limit}{at}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found.append(body[name])
        if body["next"] is None:
            return found
        at = f"&{cursor}={str(body['next']).replace('+', '%2B')}"


async def test_each_item_is_on_one_page(olga: Browser) -> None:
    for path, name, cursor, key in LISTS:
        [whole] = await pages(olga, path, name, cursor, 500)
        keys = [item[key] for item in whole]
        assert (len(keys), len(set(keys))) == (MANY, MANY), path
        for limit in (1, 3, MANY):
            split = await pages(olga, path, name, cursor, limit)
            assert [len(page) for page in split[:-1]] == [limit] * (len(split) - 1)
            assert [item[key] for page in split for item in page] == keys, path


async def test_what_is_no_page_is_refused(olga: Browser) -> None:
    for path, _, cursor, _ in LISTS:
        more = "&" if "?" in path else "?"
        for query in ("limit=0", "limit=1001", f"{cursor}=%00"):
            assert (await olga.get(f"{path}{more}{query}")).status_code == 422, (path, query)
    assert "after" in (await olga.get("/privacy/consent?user_id=ada&after=yesterday")).text

"""The audit log: nothing administrative without an entry, nothing secret in it, nothing taken out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from analytics_api.access.withheld import without_persons, without_secrets
from analytics_api.domain.project import KeyKind, Role
from analytics_api.store.keys import create_key
from tests.support.commands import analytics_api
from tests.support.events import NOW, make_project
from tests.support.logging_in import API, Browser, Site, running_site

RULE = {"name": "Backlog", "kind": "destination_backlog", "parameters": {}, "hold_seconds": 60}


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        await site.add("olga", {"default": Role.OWNER})
        yield site


@pytest.fixture
async def olga(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        await browser.log_in("olga")
        yield browser


async def audit(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = await browser.get(f"/audit{query}")
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def test_an_act_is_told_with_who_what_before_and_after(site: Site, olga: Browser) -> None:
    victor = await site.add("victor", {"default": Role.VIEWER})
    answer = await olga.call(
        "PATCH", f"/members/{victor.id}", {"role": "editor"}, headers={"X-Request-ID": "promotion-1"}
    )
    assert answer.status_code == 200
    (entry,) = await audit(olga)
    assert (entry["username"], entry["action"], entry["target"]) == (
        "olga",
        "PATCH /members/{user_id}",
        str(victor.id),
    )
    assert (entry["before"]["role"], entry["after"]["role"]) == ("viewer", "editor")
    assert (entry["request_id"], entry["outcome"]) == ("promotion-1", "done")


async def test_what_fails_is_told_too_and_what_only_looks_is_not(site: Site, olga: Browser) -> None:
    assert (await olga.call("DELETE", "/keys/4711")).status_code == 404
    assert (await olga.get("/keys")).status_code == 200
    assert (await olga.get("/members")).status_code == 200
    assert [(one["action"], one["outcome"]) for one in await audit(olga)] == [
        ("DELETE /keys/{key_id}", "failed")
    ]


async def test_no_secret_is_kept(site: Site, olga: Browser) -> None:
    planted = "planted-secret-value-of-somebody"
    calls = [
        ("POST", "/destinations", {"kind": "amplitude", "name": "a", "options": {"api_key": planted}}),
        ("POST", "/destinations", {"kind": planted, "password": planted, "x": {"y": [{"token": planted}]}}),
        (
            "POST",
            "/alerts/channels",
            {"kind": "slack", "name": "ops", "options": {"url": f"https://h.example/{planted}"}},
        ),
        ("POST", "/keys", {"kind": "read"}),
        ("POST", "/invitations", {"role": "viewer"}),
        ("POST", "/deliveries/dead-letters/retry", {"destination": "a", "event_ids": [planted]}),
    ]
    made = [await olga.call(*call) for call in calls]
    assert [answer.status_code for answer in made] == [201, 422, 201, 201, 201, 422]
    async with site.database.acquire() as connection:
        rows = [str(tuple(row.values())) for row in await connection.fetch("SELECT * FROM audit_log")]
    secrets = [planted, made[3].json()["key"], made[4].json()["token"]]
    # What kind of destination was asked for is no secret, whatever it says.
    assert [
        row for row in rows for secret in secrets if secret in row.replace(f'"kind": "{planted}"', "")
    ] == []
    assert len([row for row in rows if "'POST " in row]) >= 4


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a\\u0000b", "\\u0000": 1}',
        b'{"name": "\\ud800", "\\ud800": ["\\udfff"]}',
        b'{"name": 123456789012345678901234567890123456789012345678901234567890, "x": 1e999, "y": NaN}',
        b'{"name": "' + b"a" * 900_000 + b'"}',
        b"{" + b",".join(b'"k%d": {"a": {"b": "%b"}}' % (n, b"x" * 400) for n in range(500)) + b"}",
        b'{"a": ' * 900 + b"1" + b"}" * 900,
        b"[]",
        b"not json",
        b"",
    ],
    ids=range(9),
)
async def test_whatever_is_sent_the_entry_is_made(site: Site, olga: Browser, body: bytes) -> None:
    answer = await olga.client.post(
        f"{API}/alerts/rules",
        content=body,
        headers={"X-CSRF-Token": olga.csrf or "", "Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    # What is no JSON at all is refused before anybody is asked who is there.
    assert len(await audit(olga)) == (body != b"not json")


def test_what_is_sent_is_kept_without_secrets_and_persons() -> None:
    given = {
        "name": "ok",
        "Client-Secret": "s",
        "userId": "ada",
        "user_ids": ["ada"],
        "rules": {"conditions": [{"path": "user.id", "is": "ada"}], "rate": 5, "on": True, "none": None},
        "words": "Bearer abcdefghijklmnopqrstuvwxyz\x00",
        "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
    }
    assert without_secrets(given) == {
        "name": "ok",
        "Client-Secret": "***",
        "userId": "***",
        "user_ids": "***",
        "rules": {"conditions": "***", "rate": 5, "on": True, "none": None},
        "words": "Bearer ***",
        "deep": {"a": {"b": {"c": {"d": {"e": "..."}}}}},
    }


def test_commands_are_kept_without_persons() -> None:
    given = ["mixpanel", "--user-id", "ada", "--user-id=ada", "--rate", "5", "--where", "x=1"]
    assert without_persons(given) == [
        "mixpanel",
        "--user-id",
        "***",
        "--user-id=***",
        "--rate",
        "5",
        "--where",
        "x=1",
    ]


async def test_nothing_is_taken_out_and_nothing_is_changed(site: Site, olga: Browser) -> None:
    await olga.post("/invitations", {"role": "viewer"})
    async with site.database.acquire() as connection:
        for statement in (
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "UPDATE audit_log SET actor = 'user:99'",
            "UPDATE audit_log SET outcome = NULL",
        ):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM audit_log") == 2


async def test_pages_hold_each_entry_once(site: Site, olga: Browser) -> None:
    for _ in range(7):
        await olga.post("/invitations", {"role": "viewer"})
    seen: list[int] = []
    query = "?limit=3"
    while query:
        answer = (await olga.get(f"/audit{query}")).json()
        seen += [one["id"] for one in answer["entries"]]
        query = f"?limit=3&before={answer['next']}" if answer["next"] else ""
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 7
    assert len(await audit(olga, "?actor=olga")) == 7
    assert await audit(olga, "?actor=admin:1") == []


async def test_each_sees_the_acts_of_the_own_project(site: Site, olga: Browser) -> None:
    await site.add("eve", {"other": Role.OWNER})
    await site.add("root", owner_everywhere=True)
    await olga.post("/invitations", {"role": "viewer"})
    async with site.browser() as eve, site.browser() as root:
        await eve.log_in("eve")
        await root.log_in("root")
        assert await audit(eve) == []
        assert {one["action"] for one in await audit(root)} == {"log in", "POST /invitations"}
        assert {one["username"] for one in await audit(root)} == {"olga", "eve", "root"}


async def test_keys_and_changes_of_the_own_account_are_told(site: Site, olga: Browser) -> None:
    project = await make_project(site.database)
    async with site.database.write() as connection:
        key = await create_key(connection, project.id, KeyKind.ADMIN, now=NOW)
    made = await site.server.client.post(
        f"{API}/invitations", json={"role": "viewer"}, headers={"X-API-Key": key}
    )
    async with site.browser() as nina:
        accepted = {"token": made.json()["token"], "username": "nina", "password": "four words with spaces"}
        await nina.post("/invitations/accept", accepted)
    newest = await audit(olga)
    assert [(one["actor"][:6], one["username"]) for one in newest] == [("user:2", "nina"), ("admin:", None)]
    assert newest[0]["action"].startswith("accept invitation")


async def test_commands_are_told_with_their_options(
    site: Site, olga: Browser, database_url: str, tmp_path: Path
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url}
    made = await analytics_api(env, tmp_path, "keys", "create", "--kind", "read", "--name", "etl")
    await analytics_api(env, tmp_path, "keys", "list")
    failed = await analytics_api(env, tmp_path, "keys", "revoke", "4711", "--project", "missing")
    assert (made.returncode, failed.returncode) == (0, 2)
    await site.add("root", owner_everywhere=True)
    async with site.browser() as root:
        await root.log_in("root")
        told = [one for one in await audit(root) if one["actor"] == "command line"]
    assert [(one["action"], one["outcome"]) for one in told] == [
        ("keys revoke", "failed"),
        ("keys create", "done"),
    ]
    assert told[1]["after"] == {"arguments": ["--kind", "read", "--name", "etl"]}
    assert made.stdout.splitlines()[-1] not in str(told)

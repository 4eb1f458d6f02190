"""Share links: what they show, for how long, with which password, and what is left of them in database and audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from analytics_api.domain.project import Role
from tests.support.events import make_project
from tests.support.logging_in import Browser, Site, running_site

FIGURES = "/metrics/dashboard"
PASSWORD = "open sesame and more"


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        await make_project(site.database, "default")
        await make_project(site.database, "elsewhere")
        await site.add("olga", {"default": Role.OWNER})
        yield site


async def made(owner: Browser, **given: Any) -> dict[str, Any]:
    """A new link."""
    answer = await owner.post("/shares", {"name": "board", "view": "overview?range=7d", **given})
    assert answer.status_code == 201, answer.text
    link: dict[str, Any] = answer.json()
    return link


async def rows(site: Site, query: str, *values: object) -> list[asyncpg.Record]:
    async with site.database.acquire() as connection:
        found: list[asyncpg.Record] = await connection.fetch(query, *values)
        return found


async def test_a_link_shows_figures_of_its_project_until_it_is_revoked(site: Site) -> None:
    async with site.browser() as owner, site.browser() as guest:
        await owner.log_in("olga")
        link = await made(owner)
        assert (await guest.get(FIGURES)).status_code == 401
        assert (await guest.post("/shares/inspect", {"token": link["token"]})).json() == {
            "password": False,
            "expires_at": None,
        }
        opened = (await guest.post("/shares/open", {"token": link["token"]})).json()
        assert (opened["project"], opened["view"]) == ("default", "overview?range=7d")
        assert opened["session"]["mode"] == "share"
        assert [each["slug"] for each in opened["session"]["projects"]] == ["default"]
        assert (await guest.get("/auth/session")).json()["mode"] == "share"

        assert (await guest.get(FIGURES)).status_code == 200
        assert (await guest.get(f"{FIGURES}?project=default")).status_code == 200
        trends = {"series": [{"of": "persons"}]}
        assert (await guest.post("/analysis/trends", trends)).status_code == 200
        assert (await guest.get(f"{FIGURES}?project=elsewhere")).status_code == 401
        for path in ("/events", "/users", "/export", "/persons/ada/timeline", "/shares", "/config"):
            assert (await guest.get(path)).status_code == 403, path

        assert (await owner.call("DELETE", f"/shares/{link['id']}")).status_code == 204
        assert (await guest.get(FIGURES)).status_code == 401
        assert (await guest.post("/shares/open", {"token": link["token"]})).status_code == 404
        assert (await owner.call("DELETE", f"/shares/{link['id']}")).status_code == 404


@pytest.mark.parametrize(
    "question",
    [
        {"series": [{"of": "events"}], "breakdown": "user_id"},
        {"series": [{"of": "events"}], "breakdown": "user_properties.email"},
        {
            "series": [
                {"of": "events", "filters": [{"path": "person.email", "op": "starts_with", "value": "a"}]}
            ]
        },
        {
            "series": [{"of": "events"}],
            "filters": [{"any_of": [{"path": "anonymous_id", "op": "is", "value": "a"}]}],
        },
    ],
)
async def test_a_link_tells_no_persons_apart(site: Site, question: dict[str, Any]) -> None:
    async with site.browser() as owner, site.browser() as guest:
        await owner.log_in("olga")
        await guest.post("/shares/open", {"token": (await made(owner))["token"]})
        assert (await owner.post("/analysis/trends", question)).status_code == 200
        answer = await guest.post("/analysis/trends", question)
        assert answer.status_code == 403
        assert "share link" in answer.json()["detail"]


async def test_a_password_is_asked_for_and_cannot_be_guessed(site: Site) -> None:
    async with site.browser() as owner, site.browser() as guest:
        await owner.log_in("olga")
        short = await owner.post("/shares", {"name": "b", "view": "overview", "password": "short"})
        assert short.status_code == 422
        link = await made(owner, password=PASSWORD)
        assert (await guest.post("/shares/inspect", {"token": link["token"]})).json()["password"] is True
        assert (await guest.post("/shares/open", {"token": link["token"]})).status_code == 401
        right = {"token": link["token"], "password": PASSWORD}
        assert (await guest.post("/shares/open", right)).status_code == 200
        wrong = {**right, "password": "not the password"}
        statuses = [(await guest.post("/shares/open", wrong)).status_code for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        assert (await guest.post("/shares/open", right)).status_code == 429
        assert (await guest.get(FIGURES)).status_code == 200


async def test_a_link_expires_with_all_who_look_through_it(site: Site) -> None:
    async with site.browser() as owner, site.browser() as guest:
        await owner.log_in("olga")
        link = await made(owner, expires_hours=1)
        await guest.post("/shares/open", {"token": link["token"]})
        assert (await guest.get(FIGURES)).status_code == 200
        await rows(site, "UPDATE shares SET expires_at = now() - interval '1 second' RETURNING id")
        assert (await guest.get(FIGURES)).status_code == 401
        assert (await guest.post("/shares/open", {"token": link["token"]})).status_code == 404
        assert (await owner.get("/shares")).json()["shares"] == []


async def test_neither_token_nor_password_is_kept_and_all_is_audited(site: Site) -> None:
    async with site.browser() as owner, site.browser() as guest:
        await owner.log_in("olga")
        link = await made(owner, password=PASSWORD)
        await guest.post("/shares/open", {"token": link["token"], "password": PASSWORD})
        cookie = guest.client.cookies["analytics_share"]
        await owner.call("DELETE", f"/shares/{link['id']}")
        (stored,) = await rows(site, "SELECT * FROM shares")
        kept = repr([*await rows(site, "SELECT * FROM share_sessions"), stored])
        kept += repr(await rows(site, "SELECT * FROM audit_log"))
        for secret in (link["token"], PASSWORD, cookie):
            assert secret not in kept
        assert stored["password_hash"].startswith(b"$argon2id$")
        acts = (await owner.get("/audit")).json()["entries"]
    assert [
        (each["action"], each["target"]) for each in reversed(acts) if "share" in each["action"]
    ] == [
        ("POST /shares", None),
        ("open share link", str(link["id"])),
        ("DELETE /shares/{share_id}", str(link["id"])),
    ]  # fmt: skip


async def test_a_member_who_opens_a_link_stays_who_they_are(site: Site) -> None:
    await site.add("eve", {"elsewhere": Role.OWNER})
    async with site.browser() as owner, site.browser() as eve:
        await owner.log_in("olga")
        link = await made(owner)
        opened = await owner.post("/shares/open", {"token": link["token"]})
        assert opened.json()["session"]["mode"] == "login"
        assert (await owner.get("/users")).status_code == 200
        await eve.log_in("eve")
        assert (await eve.post("/shares/open", {"token": link["token"]})).json()["session"]["mode"] == "share"
        assert (await eve.get(f"{FIGURES}?project=default")).status_code == 200
        assert (await eve.get("/users?project=default")).status_code == 403
        assert (await eve.get("/users?project=elsewhere")).status_code == 200

"""Members and invitations: who lets whom in, and who stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from analytics_api.domain.project import Role
from tests.support.logging_in import PASSWORD, Browser, Site, running_site


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url) as site:
        await site.add("olga", {"default": Role.OWNER})
        await site.add("victor", {"default": Role.VIEWER})
        yield site


@pytest.fixture
async def olga(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        await browser.log_in("olga")
        yield browser


async def members(browser: Browser) -> dict[str, tuple[int, str]]:
    found = (await browser.get("/members")).json()["members"]
    return {one["username"]: (one["user_id"], one["role"]) for one in found}


async def test_an_invitation_brings_somebody_in_once(site: Site, olga: Browser) -> None:
    made = await olga.post("/invitations", {"role": "editor"})
    assert made.status_code == 201
    token = made.json()["token"]
    assert [one["id"] for one in (await olga.get("/invitations")).json()["invitations"]] == [
        made.json()["id"]
    ]
    async with site.browser() as guest, site.browser() as second:
        offer = await guest.post("/invitations/inspect", {"token": token})
        assert (offer.json()["project"], offer.json()["role"]) == ("default", "editor")
        weak = {"token": token, "username": "nina", "password": "short"}
        taken = {"token": token, "username": "OLGA", "password": PASSWORD}
        assert (await guest.post("/invitations/accept", weak)).status_code == 422
        assert (await guest.post("/invitations/accept", taken)).status_code == 409
        accepted = await guest.post(
            "/invitations/accept", {"token": token, "username": "Nina", "password": PASSWORD}
        )
        assert (accepted.status_code, accepted.json()["projects"][0]["role"]) == (200, "editor")
        # Logged in at once.
        assert (await guest.get("/auth/session")).json()["user"]["username"] == "nina"
        for path, body in (
            ("/invitations/inspect", {"token": token}),
            ("/invitations/accept", {"token": token, "username": "max", "password": PASSWORD}),
        ):
            assert (await second.post(path, body)).status_code == 404
    assert (await members(olga))["nina"][1] == "editor"
    assert (await olga.get("/invitations")).json()["invitations"] == []


async def test_two_who_accept_at_once_do_not_both_get_in(site: Site, olga: Browser) -> None:
    token = (await olga.post("/invitations", {"role": "viewer"})).json()["token"]
    async with site.browser() as one, site.browser() as two:
        answers = await asyncio.gather(
            *(
                browser.post("/invitations/accept", {"token": token, "username": name, "password": PASSWORD})
                for browser, name in ((one, "nina"), (two, "max"))
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    assert len(await members(olga)) == 3


async def test_an_invitation_expires_and_can_be_taken_back(site: Site, olga: Browser) -> None:
    made = [(await olga.post("/invitations", {"role": "viewer"})).json() for _ in range(2)]
    assert (await olga.call("DELETE", f"/invitations/{made[0]['id']}")).status_code == 204
    assert (await olga.call("DELETE", f"/invitations/{made[0]['id']}")).status_code == 404
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE invitations SET expires_at = now()")
    for one in made:
        assert (await olga.post("/invitations/inspect", {"token": one["token"]})).status_code == 404


async def test_who_is_logged_in_joins_and_keeps_a_higher_role(site: Site, olga: Browser) -> None:
    tokens = [
        (await olga.post("/invitations", {"role": role})).json()["token"] for role in ("editor", "viewer")
    ]
    async with site.browser() as victor:
        await victor.log_in("victor")
        for token in tokens:
            joined = await victor.post("/invitations/accept", {"token": token})
            assert joined.json()["projects"][0]["role"] == "editor"
    async with site.browser() as nobody:
        assert (await nobody.post("/invitations/accept", {"token": tokens[0]})).status_code == 422


async def test_roles_change_at_once_and_the_last_owner_stays(site: Site, olga: Browser) -> None:
    found = await members(olga)
    async with site.browser() as victor:
        await victor.log_in("victor")
        assert (await victor.get("/members")).status_code == 403
        for method, body in (("PATCH", {"role": "viewer"}), ("DELETE", None)):
            answer = await olga.call(method, f"/members/{found['olga'][0]}", body)
            assert (answer.status_code, "no owner" in answer.text) == (409, True)
        promoted = await olga.call("PATCH", f"/members/{found['victor'][0]}", {"role": "owner"})
        assert promoted.json()["role"] == "owner"
        assert (await victor.call("DELETE", f"/members/{found['olga'][0]}")).status_code == 204
        assert (await olga.get("/members")).status_code == 403
        assert (await victor.call("PATCH", "/members/4711", {"role": "owner"})).status_code == 404


async def test_two_owners_cannot_remove_each_other_at_once(site: Site, olga: Browser) -> None:
    await site.add("otto", {"default": Role.OWNER})
    found = await members(olga)
    async with site.browser() as otto:
        await otto.log_in("otto")
        answers = await asyncio.gather(
            olga.call("DELETE", f"/members/{found['otto'][0]}"),
            otto.call("DELETE", f"/members/{found['olga'][0]}"),
        )
    assert sorted(answer.status_code for answer in answers) in ([204, 403], [204, 409])


async def test_an_owner_elsewhere_reaches_nobody_here(site: Site, olga: Browser) -> None:
    await site.add("eve", {"other": Role.OWNER})
    invitation = (await olga.post("/invitations", {"role": "viewer"})).json()["id"]
    found = await members(olga)
    async with site.browser() as eve:
        await eve.log_in("eve")
        calls = [
            ("PATCH", f"/members/{found['victor'][0]}", {"role": "owner"}),
            ("DELETE", f"/members/{found['victor'][0]}", None),
            ("DELETE", f"/invitations/{invitation}", None),
        ]
        for method, path, body in calls:
            assert (await eve.call(method, path, body)).status_code == 404
            assert (await eve.call(method, f"{path}?project=default", body)).status_code == 403
        assert (await eve.get("/members")).json()["members"][0]["username"] == "eve"
    assert await members(olga) == found

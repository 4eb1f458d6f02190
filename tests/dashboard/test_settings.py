"""Settings: keys and members as the API has them; what is made there works, what is revoked does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle, until, violations


def keys(dashboard: Dashboard) -> dict[int, dict[str, Any]]:
    with dashboard.api as api:
        return {key["id"]: key for key in api.get("/keys").json()["keys"]}


def sent_with(dashboard: Dashboard, key: str) -> int:
    """The status of an event sent with a key."""
    return httpx.post(
        f"{dashboard.server.url}/api/v1/analytics/events",
        json={"event_type": "settings_tried"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    ).status_code


def test_a_key_is_shown_once_replaced_and_revoked(dashboard: Dashboard) -> None:
    with dashboard.open("settings?tab=keys") as looked:
        page = looked.page
        before = keys(dashboard)
        expect(page.locator("[data-key]")).to_have_count(len(before))
        page.get_by_role("button", name="Make a key").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("Kind").select_option("write")
        sheet.get_by_label("Name").fill("Shop")
        sheet.get_by_role("button", name="Make the key").click()
        first = sheet.get_by_label("The key", exact=True).inner_text()
        assert sent_with(dashboard, first) == 202
        sheet.get_by_role("button", name="I have stored it").click()
        settle(page)
        assert first not in page.content()
        [made] = keys(dashboard).keys() - before.keys()

        page.get_by_role("button", name="Replace Shop").click()
        sheet.get_by_label(re.compile("^The old key works on for")).select_option("0")
        sheet.get_by_role("button", name="Make the new key").click()
        second = sheet.get_by_label("The key", exact=True).inner_text()
        assert sent_with(dashboard, second) == 202
        sheet.get_by_role("button", name="I have stored it").click()
        settle(page)
        assert keys(dashboard)[made]["state"] != "active"

        page.get_by_role("button", name="Revoke Shop").click()
        page.get_by_role("dialog", name="Revoke Shop?").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("button", name="Revoke Shop")).to_be_hidden()
        shops = [key["state"] for key in keys(dashboard).values() if key["name"] == "Shop"]
        assert "active" not in shops
        assert looked.complaints == []


@pytest.fixture
def member(dashboard: Dashboard) -> Iterator[str]:
    with dashboard.api as api:
        token = api.post("/invitations", json={"role": "viewer"}).json()["token"]
        accepted = api.post(
            "/invitations/accept",
            json={"token": token, "username": "ada", "password": "four words with spaces"},
        )
        assert accepted.is_success, accepted.text
    yield "ada"


def test_members_get_roles_leave_and_are_invited(dashboard: Dashboard, member: str) -> None:
    with dashboard.open("settings?tab=members") as looked:
        page = looked.page
        page.get_by_label(f"Role of {member}").select_option("editor")
        expect(page.get_by_role("status")).to_contain_text(f"{member} is editor now.")
        with dashboard.api as api:
            found = api.get("/members").json()["members"]
        assert [(each["username"], each["role"]) for each in found] == [(member, "editor")]

        page.get_by_role("button", name="Invite").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("As").select_option("owner")
        sheet.get_by_role("button", name="Make the link").click()
        link = sheet.get_by_label("The link", exact=True).inner_text()
        sheet.get_by_role("button", name="Done").click()
        with dashboard.api as api:
            offer = api.post("/invitations/inspect", json={"token": link.partition("#")[2]}).json()
        assert offer["role"] == "owner"
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_text("None is open.")).to_be_visible()

        page.get_by_role("button", name=f"Remove {member}").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
        expect(page.locator(f"[data-member={member}]")).to_be_hidden()
        assert looked.complaints == []


def test_the_privacy_policy_is_what_the_api_has_and_takes(dashboard: Dashboard) -> None:
    with dashboard.open("settings?tab=privacy") as looked:
        page = looked.page
        with dashboard.api as api:
            days = api.get("/privacy/retention").json()["default_days"]
            before = api.get("/privacy/policy").json()
        assert page.locator("[data-retention]").get_attribute("data-value") == str(days)
        phones = page.get_by_label("Telephone numbers")
        expect(phones).to_have_value(before["modes"]["phone"])
        phones.select_option("drop")
        page.get_by_label("Global Privacy Control").check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
        page.get_by_label("Of single types").fill("page_view=60")
        page.get_by_role("button", name="Save the times").click()
        expect(page.get_by_role("button", name="Save the times")).to_be_disabled()
        with dashboard.api as api:
            after = api.get("/privacy/policy").json()
            assert after["modes"] == {**before["modes"], "phone": "drop"}
            assert after["signals"] == ["gpc"]
            assert api.get("/privacy/retention").json()["event_types"] == {"page_view": 60}
            api.put("/privacy/retention", json={"days": None, "event_types": {}})
            api.put(
                "/privacy/policy",
                json={
                    name: before[name] for name in before if name not in ("project", "version", "updated_at")
                },
            )
        assert looked.complaints == []


def test_the_origins_that_are_set_are_those_that_may_send(guarded: Dashboard) -> None:
    with guarded.api as api:
        key = api.post("/keys", json={"kind": "write", "name": "Page"}).json()["key"]

    def sent_from(origin: str) -> int:
        return httpx.post(
            f"{guarded.server.url}/api/v1/analytics/events",
            json={"event_type": "origin_tried"},
            headers={"Authorization": f"Bearer {key}", "Origin": origin},
            timeout=60,
        ).status_code

    assert sent_from("https://other.example") == 202
    with guarded.open("settings") as looked:
        page = looked.page
        origins = page.get_by_label(re.compile("^Origins"))
        save = page.get_by_role("button", name="Save", exact=True)
        origins.fill("https://shop.example/cart")
        save.click()
        expect(page.get_by_role("status")).to_contain_text("origin")
        origins.fill("https://shop.example")
        save.click()
        expect(save).to_be_disabled()
        with guarded.api as api:
            assert api.get("/project/origins").json()["origins"] == ["https://shop.example"]
        # Who a key belongs to is remembered for some seconds.
        until(page, lambda: sent_from("https://other.example") == 403, "the refusal of another origin")
        assert sent_from("https://shop.example") == 202
        origins.fill("")
        save.click()
        expect(save).to_be_disabled()
        until(page, lambda: sent_from("https://other.example") == 202, "another origin may send again")
        assert len(looked.complaints) == 1  # The browser notes the answer 422 to the address with a path.


def test_who_is_invited_enters_with_the_role_and_leaves_when_removed(guarded: Dashboard) -> None:
    with guarded.open("settings?tab=members") as looked:
        page = looked.page
        page.get_by_role("button", name="Invite").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("As").select_option("viewer")
        sheet.get_by_role("button", name="Make the link").click()
        link = sheet.get_by_label("The link", exact=True).inner_text()
        sheet.get_by_role("button", name="Done").click()

        guest = guarded.browser.new_context().new_page()
        guest.goto(link)
        expect(guest.get_by_text("As viewer.")).to_be_visible()
        assert violations(guest) == []
        guest.get_by_label("User name").fill("grace")
        guest.get_by_label("Password").fill("four words with spaces")
        guest.get_by_role("button", name="Join").click()
        expect(guest.get_by_role("heading", name="Overview")).to_be_visible()
        guest.goto(f"{guarded.server.url}/dashboard/p/default/goals")
        settle(guest)
        expect(guest.get_by_role("button", name="Set a goal")).to_have_count(0)

        page.reload()
        page.get_by_label("Role of grace").select_option("editor")
        expect(page.get_by_role("status")).to_contain_text("grace is editor now.")
        guest.reload()
        expect(guest.get_by_role("button", name="Set a goal")).to_be_visible()

        page.get_by_role("button", name="Remove grace").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
        expect(page.locator("[data-member=grace]")).to_be_hidden()
        guest.reload()
        expect(guest.get_by_role("heading", name="Goals")).to_have_count(0)
        guest.context.close()
        assert looked.complaints == []

"""Settings: keys and members as the API has them; what is made there works, what is revoked does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard, settle


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
        assert page.locator("[data-key]").count() == len(before)
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

"""Destinations: one is added on its page, refuses an event, is mended, and gets the event once when its letter is sent again."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, settle, until, violations
from tests.support.providers import WebhookStandIn


def add_webhook(page: Page, receiver: WebhookStandIn, name: str) -> None:
    page.get_by_role("button", name="Add a destination").click()
    sheet = page.get_by_role("dialog", name="Add a destination")
    sheet.get_by_label("Kind").select_option("webhook")
    sheet.get_by_label("Name", exact=True).fill(name)
    sheet.get_by_label("Options").fill(f"url={receiver.url}/hook\nsecret={receiver.secret}")
    assert violations(page) == []
    sheet.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()


def standing(guarded: Dashboard, name: str) -> dict[str, Any]:
    with guarded.api as api:
        found = api.get("/deliveries").json()["destinations"]
    [one] = [each for each in found if each["destination"] == name]
    return dict(one)


def send(guarded: Dashboard, event_type: str, data: dict[str, Any]) -> str:
    with guarded.api as api:
        event = {"event_type": event_type, "event_id": str(uuid4()), "user_id": "ada", "event_data": data}
        answer = api.post("/events", json=event)
    assert answer.status_code == 202, answer.text
    return str(event["event_id"])


def told(guarded: Dashboard, name: str) -> str:
    """What the sheet of the newest order says of it at a destination."""
    with guarded.open("events?type=order_placed") as looked:
        looked.page.get_by_role("button", name="Order placed").first.click()
        said = looked.page.get_by_role("dialog").locator(f"[data-told={name}]").inner_text()
        assert looked.complaints == []
    return said


def test_a_dead_letter_is_sent_again_and_arrives_once(guarded: Dashboard, receiver: WebhookStandIn) -> None:
    with guarded.open("destinations") as looked:
        page = looked.page
        add_webhook(page, receiver, "warehouse")
        refused = send(guarded, "order_placed", {"bad": True})
        row = page.get_by_role("region", name="Dead letters").get_by_role("row", name="order_placed")
        until(page, row.is_visible, "the dead letter", refresh=True)
        expect(row).to_contain_text("warehouse")
        expect(row).to_contain_text("bad is bad")
        assert standing(guarded, "warehouse")["dead"] == 1
        assert receiver.stored == []
        assert violations(page) == []
        assert re.fullmatch(r"dead .*bad is bad.* · 1 attempt · .* ago", told(guarded, "warehouse"))

        receiver.forgiving = True
        row.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("status")).to_contain_text("tried again")
        expect(page.get_by_text("None: no destination has refused an event for good.")).to_be_visible()
        until(page, lambda: standing(guarded, "warehouse")["delivered"] == 1, "its arrival")
        assert told(guarded, "warehouse").startswith("delivered ")
        settle(page)
        assert looked.complaints == []
    assert [event["event_id"] for event in receiver.stored] == [refused]
    assert not receiver.repeated
    assert standing(guarded, "warehouse")["dead"] == 0

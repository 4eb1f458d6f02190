"""Periods over HTTP: decided by owners, refused when too short, told with the last run, kept in the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics_api.domain.project import Role
from analytics_api.privacy.retention import apply_retention
from tests.support.events import NOW
from tests.support.logging_in import Browser, Site, running_site

PATH = "/privacy/retention"


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url) as site:
        yield site


async def logged_in(site: Site, browser: Browser, name: str, role: Role) -> Browser:
    await site.add(name, {"default": role})
    assert (await browser.log_in(name)).status_code == 200
    return browser


async def test_owners_decide_and_members_see_it_with_the_last_run(site: Site) -> None:
    async with site.browser() as first, site.browser() as second:
        owner = await logged_in(site, first, "olga", Role.OWNER)
        viewer = await logged_in(site, second, "vera", Role.VIEWER)
        answer = (await viewer.get(PATH)).json()
        assert (answer["days"], answer["event_types"], answer["default_days"]) == (None, {}, 365)
        assert (answer["least_days"], answer["last_run"]) == (8, None)

        decided = {"days": 90, "event_types": {"page_view": 30, "payment_completed": 3650}}
        assert (await viewer.call("PUT", PATH, decided)).status_code == 403
        answer = (await owner.call("PUT", PATH, decided)).json()
        assert {name: answer[name] for name in decided} == decided
        await apply_retention(site.database, NOW, retention_days=365, dedupe_days=30)
        last = (await viewer.get(PATH)).json()["last_run"]
        assert (last["events"], last["partitions"], last["blocked"]) == (0, [], {})
        assert last["finished_at"] is not None

        entry = (await owner.get("/audit")).json()["entries"][0]
        assert (entry["action"], entry["outcome"]) == (f"PUT {PATH}", "done")
        assert entry["after"] == decided

        answer = (await owner.call("PUT", PATH, {})).json()
        assert (answer["days"], answer["event_types"]) == (None, {})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"days": 7}, "days: 7 is too short"),
        ({"event_types": {"a": 3}}, "event_types.a: 3 is too short"),
        ({"days": 0}, "days"),
        ({"days": 40_000}, "days"),
        ({"event_types": {"": 30}}, "event_types"),
        ({"event_types": {"a\x00b": 30}}, "event_types"),
        ({"event_types": {f"t{number}": 30 for number in range(501)}}, "event_types"),
        ({"weeks": 3}, "weeks"),
    ],
)
async def test_what_is_no_period_is_refused(site: Site, body: dict[str, object], says: str) -> None:
    async with site.browser() as browser:
        owner = await logged_in(site, browser, "olga", Role.OWNER)
        answer = await owner.call("PUT", PATH, body)
        assert answer.status_code == 422
        assert says in answer.text
        assert (await owner.get(PATH)).json()["event_types"] == {}

"""What is planted in one project shows to those who may read it, in what every route answers, and to nobody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from analytics_api.access.cookies import COOKIE
from analytics_api.domain.project import KeyKind
from analytics_api.store.keys import create_key
from tests.access.test_every_route import Who, declared, everybody
from tests.support.events import make_event, make_project, write_events
from tests.support.logging_in import API, Site, running_site

PLANTED = "planted4711"
USER, TYPE = f"user-{PLANTED}", f"type_{PLANTED}"
STREAMS = {"/events/stream", "/live/stream"}
"""These have no end for those who may listen."""
OUTSIDERS = ("nobody", "write key", "server key", "admin key elsewhere", "owner elsewhere")
ENOUGH = 8
"""Routes that must show it to a reader, or nothing was planted."""


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with running_site(database_url, secret_key="a key for the tests only") as site:
        yield site


async def plant(site: Site) -> None:
    """In every part of an event, and counted."""
    project = await make_project(site.database)
    data = {"path": f"/{PLANTED}", "note": PLANTED}
    await write_events(
        site.database,
        [
            make_event(
                project,
                event_type,
                user_id=USER,
                anonymous_id=f"device-{PLANTED}",
                event_data=data,
                user_properties={"plan": PLANTED},
                context={"page": {"path": f"/{PLANTED}"}, "source": {"channel": PLANTED}, "locale": PLANTED},
                occurred_at=site.app.state.services.clock(),
            )
            for event_type in ("page_view", TYPE)
        ],
    )
    await site.app.state.services.rollups.run_once()


def reads() -> list[str]:
    """Every GET there is, about what was planted."""
    names = {"id": USER, "user_id": USER, "person": USER, "event_type": TYPE}
    return [
        re.sub(r"{(\w+)}", lambda name: names.get(name[1], "1"), call.removeprefix("GET "))
        for call in declared()
        if call.startswith("GET ")
    ]


async def ask(who: Who, path: str, query: str) -> httpx.Response:
    prefix = "" if re.match(r"/(docs|health|metrics$|openapi|sdk|dashboard)", path) else API
    more = "&user_id=" + USER if path.startswith("/privacy/consent") else ""
    headers = {**who.headers, **await who.login_headers()}
    return await who.site.server.client.get(f"{prefix}{path}?{query}{more}{who.query}", headers=headers)


async def test_nothing_planted_is_read_without_the_right_key(site: Site) -> None:
    people = await everybody(site)
    await plant(site)
    shown, leaks = set(), []
    for path in reads():
        if path not in STREAMS and PLANTED in (await ask(people["read key"], path, "project=default")).text:
            shown.add(path)
        for name in OUTSIDERS:
            for query in ("project=default", ""):
                # Without a project it is their own; the keys are of this one.
                if not query and (path in STREAMS or not name.endswith("elsewhere")):
                    continue
                answer = await ask(people[name], path, query)
                # An error may repeat the address that was asked for.
                told = answer.text
                if answer.status_code >= 400:
                    told = told.replace(USER, "").replace(TYPE, "")
                if PLANTED in told:
                    leaks.append(f"{name} GET {path}?{query}: {answer.status_code} {told[:200]}")
    assert leaks == []
    assert len(shown) >= ENOUGH, shown


async def test_what_is_no_key_reads_nothing(site: Site) -> None:
    await plant(site)
    project = await make_project(site.database)
    async with site.database.write() as connection:
        key = await create_key(connection, project.id, KeyKind.READ, now=site.app.state.services.clock())
    client = site.server.client
    tried: list[dict[str, str]] = [
        {"X-API-Key": key[:-1]},
        {"X-API-Key": key + "a"},
        {"X-API-Key": key.upper()},
        {"Authorization": f"Basic {key}"},
        {"Authorization": "Bearer"},
        {"Cookie": f"{COOKIE}={key}"},
    ]
    for headers in tried:
        answer = await client.get(f"{API}/events?project=default", headers=headers)
        assert (answer.status_code, PLANTED in answer.text) == (401, False), headers
    answer = await client.get(f"{API}/events?project=default", headers={"X-API-Key": key})
    assert (answer.status_code, PLANTED in answer.text) == (200, True)

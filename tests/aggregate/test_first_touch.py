"""The first touch of every person against a search through the whole log, whatever the order of arrival and the chunks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from tests.support.databases import in_thread
from tests.support.events import NOW, make_event, make_project, open_database, write_events

SOURCES = [
    None,
    {"channel": "direct"},
    {"channel": "internal"},
    {"channel": "search", "site": "Google", "referrer_host": "www.google.com"},
    {"channel": "paid", "site": "Google", "utm_source": "google", "utm_campaign": "spring"},
]

view = st.fixed_dictionaries(
    {
        "person": st.sampled_from(["a", "b", None]),
        # Few different minutes: ties are common.
        "minutes": st.integers(-5, 5),
        "source": st.sampled_from(SOURCES),
        "is_bot": st.sampled_from([False, False, True]),
    }
)


def build(project: Project, views: Sequence[dict[str, Any]]) -> list[NewEvent]:
    return [
        make_event(
            project,
            user_id=item["person"],
            occurred_at=NOW + timedelta(minutes=item["minutes"]),
            context={"locale": "en"} if item["source"] is None else {"source": item["source"]},
            is_bot=item["is_bot"],
        )
        for item in views
    ]


def first_touches(events: Sequence[NewEvent]) -> dict[UUID, tuple[Any, Any]]:
    """By person: time and source of the earliest event that has one. The log is in the order of the list."""
    found: dict[UUID, tuple[Any, Any]] = {}
    for event in sorted(events, key=lambda event: event.occurred_at):
        source = json.loads(event.context).get("source")
        if event.has_person and not event.is_bot and source and source["channel"] != "internal":
            found.setdefault(event.person_id, (event.occurred_at, source))
    return found


async def play(url: str, views: Sequence[dict[str, Any]], cuts: Sequence[int], chunk: int) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        events = build(project, views)
        reader = RollupReader(database, "reader", chunk=chunk)
        edges = sorted({0, *(cut % (len(events) + 1) for cut in cuts), len(events)})
        for start, end in pairwise(edges):
            await write_events(database, events[start:end])
            await reader.run_once()
        await reader.disconnect()
        rows = await database.pool.fetch(
            "SELECT person_id, first_touch, first_touch_at FROM persons WHERE project_id = $1 AND first_touch IS NOT NULL",
            project.id,
        )
    stored = {row["person_id"]: (row["first_touch_at"], json.loads(row["first_touch"])) for row in rows}
    assert stored == first_touches(events)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    views=st.lists(view, min_size=1, max_size=25),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    chunk=st.sampled_from([1, 3, 1000]),
)
def test_the_first_touch_is_the_earliest_one_of_the_whole_log(
    database_url: str, views: list[dict[str, Any]], cuts: list[int], chunk: int
) -> None:
    in_thread(play(database_url, views, cuts, chunk))


async def test_an_older_touch_that_arrives_later_replaces_it_and_a_later_one_does_not(
    database_url: str,
) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        reader = RollupReader(database, "reader")

        async def arrive(minutes: int, channel: str) -> str:
            event = make_event(
                project,
                occurred_at=NOW + timedelta(minutes=minutes),
                context={"source": {"channel": channel}},
            )
            await write_events(database, [event])
            await reader.run_once()
            return str(await database.pool.fetchval("SELECT first_touch ->> 'channel' FROM persons"))

        assert await arrive(0, "direct") == "direct"
        assert await arrive(5, "search") == "direct"
        assert await arrive(-5, "email") == "email"
        assert await arrive(-9, "internal") == "email"
        assert await arrive(-5, "social") == "email"
        await reader.disconnect()

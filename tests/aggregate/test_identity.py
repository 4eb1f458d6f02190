"""Merges and their undoing, in any order, with late events and readers that race: rollups equal a recount."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database, write_events
from tests.support.rollups import compare
from tests.support.who import who_is_who

ZONES = ["UTC", "Asia/Kathmandu", "Europe/Berlin"]
START = datetime(2026, 3, 28, tzinfo=UTC)  # the clocks change in Berlin on the 29th
USERS = ["ada", "bob", "cyd", "x"]
DEVICES = ["d1", "d2", "x"]
"""`x` is a user id and a device, so that `alias` has two meanings."""

OPERATIONS = [
    {"$set": {"plan": "a"}},
    {"$set": {"plan": "b", "city": "Oslo"}},
    {"$set_once": {"source": "ad"}},
    {"$set_once": {"source": "mail"}, "$add": {"logins": 1}},
    {"$append": {"tags": "t"}, "$unset": {"city": True}},
]

minutes = st.integers(0, 3 * 24 * 60) | st.integers(0, 150).map(lambda step: step * 15)
words = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["$identify", "$identify", "$alias", "$alias", "$unalias"]),
        "user": st.sampled_from([*USERS, *USERS, None]),
        "device": st.sampled_from([*DEVICES, None]),
        "alias": st.sampled_from(["alias", "from_user_id", "from_anonymous_id"]),
        "other": st.sampled_from([*USERS, *DEVICES]),
        "minutes": minutes,
        "trusted": st.sampled_from([True, True, False]),
        "properties": st.sampled_from([None, *OPERATIONS]),
    }
)
deeds = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [
                "page_view",
                "feature_used",
                "signup_completed",
                "payment_completed",
                "payment_refunded",
                "api_request",
            ]
        ),
        "user": st.sampled_from([*USERS, None, None]),
        "device": st.sampled_from([*DEVICES, None]),
        "minutes": minutes,
        "trusted": st.sampled_from([True, True, False]),
        "is_bot": st.sampled_from([False, False, False, True]),
        "payment": st.sampled_from(["p1", "p2", None]),
        "properties": st.sampled_from([None, None, None, *OPERATIONS]),
        "source": st.sampled_from([None, "search", "internal", "email"]),
    }
)
histories = st.lists(deeds | words, min_size=1, max_size=40)


def build(project: Project, items: Sequence[dict[str, Any]]) -> list[NewEvent]:
    events = []
    for index, item in enumerate(items):
        kind, trusted = item["kind"], item["trusted"]
        data: dict[str, Any] = {}
        if kind in ("$alias", "$unalias"):
            data = {item["alias"]: item["other"]}
        elif kind.startswith("payment") and item["payment"]:
            data = {"payment_id": item["payment"], "refund_id": item["payment"], "amount": 5}
        events.append(
            make_event(
                project,
                kind,
                user_id=item["user"],
                anonymous_id=item["device"],
                event_id=f"{project.slug}-{index}",
                occurred_at=START + timedelta(minutes=item["minutes"]),
                event_data=data,
                user_properties=item["properties"],
                context={"source": {"channel": item["source"]}} if item.get("source") else None,
                revenue="9.99" if kind == "payment_completed" and trusted else None,
                is_bot=item.get("is_bot", False),
                trusted=trusted,
            )
        )
    return events


async def race(database: Database, chunk: int) -> None:
    """Two readers count what waits, at once; what neither got is counted afterwards."""
    readers = [RollupReader(database, f"reader-{number}", chunk=chunk) for number in range(2)]
    await asyncio.gather(*(reader.run_once() for reader in readers))
    await readers[0].run_once()
    for reader in readers:
        await reader.disconnect()


async def play(url: str, items: Sequence[dict[str, Any]], zone: str, cuts: Sequence[int], chunk: int) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, items)
        edges = sorted({0, *(cut % (len(events) + 1) for cut in cuts), len(events)})
        for start, end in pairwise(edges):
            await write_events(database, events[start:end])
            await race(database, chunk)
        who = who_is_who(project, events)
        rows = await database.pool.fetch(
            "SELECT person_id, canonical_id FROM person_merges WHERE project_id = $1", project.id
        )
        assert {row["person_id"]: row["canonical_id"] for row in rows} == who
        await compare(database, project, events, who)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories,
    zone=st.sampled_from(ZONES),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    chunk=st.sampled_from([1, 3, 1000]),
)
def test_rollups_follow_merges_whatever_the_order(
    database_url: str, items: list[dict[str, Any]], zone: str, cuts: list[int], chunk: int
) -> None:
    in_thread(play(database_url, items, zone, cuts, chunk))


async def test_sessions_of_more_than_a_day_are_cut_anew(database_url: str) -> None:
    """A device that never rests for 40 hours, now known and now not; then it is said whose it is, and taken back."""
    async with open_database(database_url) as database:
        project = await make_project(database)

        def seen(number: int) -> NewEvent:
            return make_event(
                project,
                user_id=None if number % 3 else "ada",
                anonymous_id="d",
                occurred_at=START + timedelta(minutes=10 * number),
            )

        def word(kind: str, minute: int, **data: str) -> NewEvent:
            moment = START + timedelta(minutes=minute)
            return make_event(
                project, kind, user_id="ada", anonymous_id="d", occurred_at=moment, event_data=data
            )

        events: list[NewEvent] = []
        for more in (
            [seen(number) for number in range(0, 240, 2)],
            [word("$identify", 600)],
            [seen(number) for number in range(1, 240, 2)],
            [word("$unalias", 700, from_anonymous_id="d")],
            [word("$alias", 800, from_anonymous_id="d")],
        ):
            events += more
            await write_events(database, more)
            await race(database, 1000)
            await compare(database, project, events, who_is_who(project, events))

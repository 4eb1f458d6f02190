"""A large request leaves others their turn, and what is stored is what was sent."""

from __future__ import annotations

import asyncio

import orjson

from analytics_api.access.caller import Caller
from analytics_api.domain.project import Project
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import parse_body
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.writer import Writer
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from tests.support.events import make_project, open_database

EVENTS = 1_000


class Turns:
    """Counts how often the event loop comes round."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


def body(project: Project, sender: int) -> bytes:
    return orjson.dumps(
        [
            {"event_type": "feature_used", "user_id": f"{sender}-{n}", "event_id": f"{sender}-{n}"}
            for n in range(EVENTS)
        ]
    )


async def test_a_large_request_leaves_others_their_turn(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        seen = await take_in(database, project)
        rows = await database.pool.fetch("SELECT user_id FROM events ORDER BY seq")
    # Checked in one go the loop would come round once until everything is handed to the writer.
    assert seen > 3
    assert sorted(row["user_id"] for row in rows) == sorted(
        f"{sender}-{n}" for sender in range(2) for n in range(EVENTS)
    )


async def take_in(database: Database, project: Project) -> int:
    """Two large requests at once. Returns how often the loop came round before the first event was handed on."""
    turns, seen = Turns(), 0

    class Watched(Writer):
        async def write(self, events):  # type: ignore[no-untyped-def]
            nonlocal seen
            seen = seen or turns.count
            return await super().write(events)

    writer = Watched(database, Partitions(), queue_bytes=10_000_000)
    writer.start()
    counting = asyncio.create_task(turns.run())
    try:
        intake = Intake(writer, IntakeLimits())
        answers = await asyncio.gather(
            *(
                intake.take(parse_body(body(project, sender), "application/json"), Caller.local(project))
                for sender in range(2)
            )
        )
    finally:
        counting.cancel()
        await writer.close()
    for results in answers:
        assert [result.index for result in results] == list(range(EVENTS))
        assert {result.status for result in results} == {Status.ACCEPTED}
    return seen


async def test_a_project_does_not_wait_for_all_requests_of_another(database_url: str) -> None:
    async with open_database(database_url) as database:
        busy, other = await make_project(database), await make_project(database, "other")
        senders = [busy] * 8 + [other]
        writer = Writer(database, Partitions(), queue_bytes=10_000_000)
        writer.start()
        answered: list[str] = []
        intake = Intake(writer, IntakeLimits())

        async def send(project: Project, sender: int) -> None:
            parsed = parse_body(body(project, sender), "application/json")
            results = await intake.take(parsed, Caller.local(project))
            assert {result.status for result in results} == {Status.ACCEPTED}
            answered.append(project.slug)

        try:
            await asyncio.gather(*(send(project, sender) for sender, project in enumerate(senders)))
        finally:
            await writer.close()
    assert sorted(answered) == sorted(project.slug for project in senders)
    assert answered.index("other") < 4, answered

"""From the outbox into the log: events that an application wrote together with its own rows.

A row is removed after its event is in the log. A crash in between moves it again, and its id makes it a duplicate.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Sequence

from analytics_api.access.caller import Caller
from analytics_api.domain.project import KeyKind, Project
from analytics_api.errors import Unavailable
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.service import Intake
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.outbox import Waiting, claim_waiting, remove_waiting
from analytics_api.store.projects import list_projects
from analytics_api.telemetry import Occasionally

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between looks."""
MOST = 500
"""Rows a transaction."""
OUTBOX_KEY = 0
"""Who can write into the database is believed as the holder of a server key; this stands for the key's number."""


class OutboxRelay:
    """The moving side of one process; several share the work."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self._database = database
        self._intake = intake
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._may_log = Occasionally()

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def close(self) -> None:
        """Finish what is under way, then stop."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def run_once(self) -> int:
        """Move all that waits; how many rows that were. Raises Unavailable when the log takes no events at the moment."""
        async with self._database.read() as session:
            projects = {project.id: project for project in await list_projects(session)}
        moved = 0
        while not self._stopping.is_set():
            number = await self._move(projects)
            moved += number
            if number < MOST:
                break
        return moved

    async def _move(self, projects: dict[int, Project]) -> int:
        async with self._database.acquire() as connection, connection.transaction():
            rows = await claim_waiting(connection, list(projects), MOST)
            for project_id, events in _by_project(rows).items():
                caller = Caller.with_key(projects[project_id], KeyKind.SERVER, OUTBOX_KEY)
                results = await self._intake.take(Body([*events], single=False), caller)
                for result in results:
                    if result.status is Status.REJECTED:
                        logger.warning(
                            "an event in the outbox of project %s is refused: %s",
                            caller.project.slug,
                            result.reason,
                        )
            if rows:
                await remove_waiting(connection, rows)
        return len(rows)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.run_once()
            except (*AWAY, Unavailable) as error:
                if self._may_log():
                    logger.warning("the outbox could not be moved into the log yet: %s", error)
            except Exception:
                if self._may_log():
                    logger.exception("the outbox could not be moved into the log")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    await self._stopping.wait()


def _by_project(rows: Sequence[Waiting]) -> dict[int, list[bytes]]:
    events: dict[int, list[bytes]] = defaultdict(list)
    for row in rows:
        events[row.project_id].append(row.event.encode())
    return events

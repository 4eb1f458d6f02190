"""Group commit: while a transaction is being written, arrivals queue; when it commits, what queued goes in the next.

An idle server adds no latency, a busy one writes hundreds of rows per commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analytics_api.domain.event import NewEvent
from analytics_api.errors import Unavailable
from analytics_api.ingest.lane import Lane, Outcome
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from analytics_api.telemetry import intake_queue_bytes

logger = logging.getLogger(__name__)

FULL_GROUP = 500
"""Rows at which a group goes out though more are queued: the next requests are read while the database writes this one. A
commit costs 0.2 ms, the writing of 500 rows 12."""
LANES = 4
"""Groups in flight, so that the database has work while this process reads the next request."""
LANE_ROWS = 250
"""Queued rows for which a lane beside the first sets out. Single events do better in one commit than in two halves."""


Done = Callable[[list[Outcome] | Unavailable], None]
"""Is told once what became of events, or why none of them was stored."""


@dataclass(slots=True)
class _Submission:
    project: int
    events: Sequence[NewEvent]
    size: int
    done: Done


class Writer:
    """The one way into the log of this process."""

    def __init__(self, database: Database, partitions: Partitions, *, queue_bytes: int) -> None:
        self._queue_bytes = queue_bytes
        self._queues: dict[int, deque[_Submission]] = {}
        self._held: dict[int, int] = {}
        self._held_bytes = 0
        self._queued_rows = 0
        self._wake = [asyncio.Event() for _ in range(LANES)]
        self._closing = False
        self._lanes = [Lane(database, partitions) for _ in range(LANES)]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def queued_bytes(self) -> int:
        """Bytes of events that wait or are being written."""
        return self._held_bytes

    @property
    def alive(self) -> bool:
        """Whether all writing tasks run."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def start(self) -> None:
        """Begin to write."""
        self._tasks = [asyncio.create_task(self._run(n), name=f"log-writer-{n}") for n in range(LANES)]
        intake_queue_bytes.set_function(lambda: self._held_bytes)

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        for lane, wake in zip(self._lanes, self._wake, strict=True):
            lane.hurry()
            wake.set()
        await asyncio.gather(*self._tasks)
        for lane in self._lanes:
            await lane.disconnect()

    async def write(self, events: Sequence[NewEvent]) -> list[Outcome]:
        """Store events; what returns is committed. Raises Unavailable when they were not, or not surely, stored."""
        if not events:
            return []
        written: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

        def done(outcome: list[Outcome] | Unavailable) -> None:
            # A sender that hangs up cancels only its own answer: its events are in a group with others.
            if written.done():
                return
            if isinstance(outcome, Unavailable):
                written.set_exception(outcome)
            else:
                written.set_result(outcome)

        self.submit(events, done)
        return await written

    def submit(self, events: Sequence[NewEvent], done: Done) -> None:
        """As `write`, for at least one event: `done` is told later. Raises Unavailable when there is no room for them."""
        size = sum(event.size for event in events)
        if self._closing or not self.alive:
            raise Unavailable("The server is stopping; send the same request again.")
        project = events[0].project_id
        held = self._held.get(project, 0)
        # A project may hold as many bytes as are free: one alone half of the queue, n of them 1/(n+1) each. So there
        # is always room for a project that holds nothing yet.
        if self._held_bytes and self._held_bytes + held + size > self._queue_bytes:
            raise Unavailable("The intake queue is full; send the same request again.")
        self._held[project] = held + size
        self._held_bytes += size
        self._queued_rows += len(events)
        queue = self._queues.get(project)
        if queue is None:
            queue = self._queues[project] = deque()
        queue.append(_Submission(project, events, size, done))
        self._wake[0].set()
        if self._queued_rows >= LANE_ROWS:
            for wake in self._wake[1:]:
                wake.set()

    async def _run(self, number: int) -> None:
        least = 1 if number == 0 else LANE_ROWS
        lane, wake = self._lanes[number], self._wake[number]
        while True:
            if self._queued_rows < least:
                if self._closing:
                    return
                wake.clear()
                await wake.wait()
                continue
            group = self._take()
            try:
                await self._serve(lane, group)
            except Exception as error:
                logger.exception("a group of events could not be written")
                _fail(group, Unavailable(f"The events could not be stored: {type(error).__name__}."))
            finally:
                self._release(group)

    def _take(self) -> list[_Submission]:
        group: list[_Submission] = []
        rows = 0
        while self._queues:
            # One request of each project in turn: nobody waits behind the whole queue of another.
            project, queue = next(iter(self._queues.items()))
            if group and rows + len(queue[0].events) > FULL_GROUP:
                break
            group.append(queue.popleft())
            rows += len(group[-1].events)
            if not queue:
                del self._queues[project]
            elif len(self._queues) > 1:
                self._queues[project] = self._queues.pop(project)
        self._queued_rows -= rows
        return group

    def _release(self, group: Sequence[_Submission]) -> None:
        for submission in group:
            self._held_bytes -= submission.size
            left = self._held.get(submission.project, 0) - submission.size
            if left:
                self._held[submission.project] = left
            else:
                self._held.pop(submission.project, None)

    async def _serve(self, lane: Lane, group: list[_Submission]) -> None:
        events = [event for submission in group for event in submission.events]
        try:
            outcomes = await lane.write(events)
        except Unavailable as error:
            _fail(group, error)
            return
        # Later: the next group is on its way to the database before the senders of this one are answered.
        asyncio.get_running_loop().call_soon(_tell, group, outcomes)


def _tell(group: Sequence[_Submission], outcomes: list[Outcome]) -> None:
    at = 0
    for submission in group:
        end = at + len(submission.events)
        _tell_one(submission, outcomes[at:end])
        at = end


def _fail(group: Sequence[_Submission], error: Unavailable) -> None:
    for submission in group:
        _tell_one(submission, error)


def _tell_one(submission: _Submission, outcome: list[Outcome] | Unavailable) -> None:
    try:
        submission.done(outcome)
    except Exception:
        # Others share its group: they are told, and the lane goes on.
        logger.exception("a sender could not be told what became of its events")

"""The sum closes at any moment, for every hour and type, and a recount in plain Python comes to the same."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.deliver import run as run_module
from analytics_api.deliver.destination import Destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.domain.project import Project
from analytics_api.outbound import http
from analytics_api.store import readers
from analytics_api.store.dead_letters import DeadChoice, retry_dead
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_answers import stored_answers
from analytics_api.store.delivery_overview import Cell, Overview, Tally, overviews
from analytics_api.store.delivery_window import Grain, Window
from analytics_api.store.engine import Database
from tests.support.delivering import MovableClock, destination, make_reader, run_until_quiet
from tests.support.events import NOW, make_event, make_project, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn, WebhookStandIn

USERS = ["ada", "bob", "ada", None]
TYPES = ["page_view", "login", "page_view", "login", "api_request"]


class Abort(Exception):
    """The process dies between the answer and the commit."""


@dataclass(frozen=True)
class Written:
    """An event as it was sent."""

    hour: datetime
    event_type: str
    user: str | None


@dataclass(repr=False)
class World:
    """One destination, the log before it, and what is known of every event without asking the code under test."""

    database: Database
    client: httpx.AsyncClient
    clock: MovableClock
    project: Project
    stand_in: AmplitudeStandIn | MixpanelStandIn | WebhookStandIn
    to: Destination
    reader: DestinationReader
    patch: pytest.MonkeyPatch
    written: dict[str, Written] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    deleted_unread: set[str] = field(default_factory=set)
    deleted_waiting: set[str] = field(default_factory=set)
    """Deleted while they were parked or dead."""
    crashed: bool = False

    async def write(self, number: int, hour: int, bad: bool, counting: bool) -> None:
        """Events of all users and types in turn, some minutes apart from the beginning of an hour on."""
        events = []
        for n in range(number):
            moment = NOW + timedelta(hours=hour, minutes=17 * n)
            user, event_type = USERS[n % len(USERS)], TYPES[n % len(TYPES)]
            event = make_event(
                self.project,
                event_type,
                user_id=user,
                occurred_at=moment,
                event_data={"bad": bad and n % 2 == 0},
                user_properties={"$add": {"visits": 1}} if counting else None,
            )
            beginning = moment.replace(minute=0, second=0, microsecond=0)
            self.written[str(event.event_id)] = Written(beginning, event_type, user)
            events.append(event)
        await write_events(self.database, events)
        self.seqs |= {
            str(row["event_id"]): row["seq"]
            for row in await self.rows("SELECT event_id, seq FROM events WHERE project_id = $1")
        }

    async def rows(self, query: str, *values: Any) -> list[Any]:
        async with self.database.acquire() as connection:
            found: list[Any] = await connection.fetch(query, self.project.id, *values)
        return found

    async def crash(self, requests: int) -> None:
        """The process dies while the n-th request from now is on its way, or at the end of its run if there are fewer."""
        arrived = len(self.stand_in.requests) + requests
        task = asyncio.create_task(self.reader.run_once())
        while not task.done() and len(self.stand_in.requests) < arrived:
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await self.start_again()

    async def abort(self) -> None:
        """The process dies between the answers and the commit."""

        async def die(*_: object) -> None:
            raise Abort

        with self.patch.context() as patch:
            patch.setattr(run_module, "settle", die)
            with suppress(Abort):
                await self.reader.run_once()
        await self.start_again()

    async def start_again(self) -> None:
        self.crashed = True
        self.clock.move(minutes=2)
        self.reader = await make_reader(
            self.database,
            self.project,
            self.to,
            self.client,
            self.clock,
            owner=uuid.uuid4().hex,
            batch_size=3,
        )

    async def erase(self, user: int) -> None:
        """All events of a user leave the log."""
        (reader,) = await self.rows(
            "SELECT position FROM readers WHERE project_id = $1 AND name = $2", reader_name(self.to.name)
        )
        waiting = await self.seqs_in("parked_events") | await self.seqs_in("dead_events")
        query = "DELETE FROM events WHERE project_id = $1 AND user_id = $2 RETURNING event_id, seq"
        for row in await self.rows(query, USERS[user]):
            if row["seq"] > reader["position"]:
                self.deleted_unread.add(str(row["event_id"]))
            elif row["seq"] in waiting:
                self.deleted_waiting.add(str(row["event_id"]))

    async def seqs_in(self, table: str) -> set[int]:
        return {row["seq"] for row in await self.rows(f"SELECT seq FROM {table} WHERE project_id = $1")}

    async def heal(self) -> None:
        """Everything works again; somebody resumes what is paused."""
        self.stand_in.faults.clear()
        self.stand_in.largest = None
        if isinstance(self.stand_in, AmplitudeStandIn):
            self.stand_in.throttled = set()
        async with self.database.acquire() as connection:
            await readers.resume(connection, self.project.id, reader_name(self.to.name), self.clock())

    def skipped(self, event: Written) -> str | None:
        """Why the destination is not to have an event, from the documentation."""
        if event.event_type == "api_request":
            return "filter"
        return "no_person" if event.user is None and isinstance(self.stand_in, AmplitudeStandIn) else None

    def there(self) -> set[str]:
        """Ids of the events that the provider has."""
        if isinstance(self.stand_in, AmplitudeStandIn):
            return {event["insert_id"] for event in self.stand_in.stored}
        if isinstance(self.stand_in, MixpanelStandIn):
            return {record["properties"]["$insert_id"] for record in self.stand_in.stored}
        return {event["event_id"] for event in self.stand_in.stored}


@asynccontextmanager
async def world(
    kind: str, database: Database, client: httpx.AsyncClient, patch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    project = await make_project(database, uuid.uuid4().hex)
    clock = MovableClock()
    stand_in: AmplitudeStandIn | MixpanelStandIn | WebhookStandIn
    stand_in = {"amplitude": AmplitudeStandIn, "mixpanel": MixpanelStandIn, "webhook": WebhookStandIn}[kind]()
    async with stand_in:
        options = {"url": stand_in.url}
        if isinstance(stand_in, AmplitudeStandIn):
            options["api_key"] = stand_in.api_key
        elif isinstance(stand_in, MixpanelStandIn):
            options["token"] = stand_in.token
        else:
            options |= {"url": f"{stand_in.url}/hook", "secret": stand_in.secret}
        to = destination(kind, options)
        reader = await make_reader(database, project, to, client, clock, batch_size=3)
        yield World(database, client, clock, project, stand_in, to, reader, patch)


FAULTS = st.one_of(
    st.none(),
    st.builds(Fault, st.sampled_from(["reset", "truncate", "html", "hang"]), taken=st.booleans()),
    st.builds(lambda taken: Fault("status", taken=taken, status=500), st.booleans()),
    st.builds(lambda status: Fault("status", status=status), st.sampled_from([429, 503, 401])),
)

ACTIONS = st.one_of(
    st.tuples(
        st.just("write"),
        st.integers(1, 12),
        st.integers(0, 30),
        st.booleans(),
        st.booleans(),
    ),
    st.tuples(st.just("fault"), st.lists(FAULTS, min_size=1, max_size=4)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("run"), st.integers(0, 120)),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("abort")),
    st.tuples(st.just("throttle"), st.integers(0, 1)),
    st.tuples(st.just("shrink"), st.integers(600, 2000)),
    st.tuples(st.just("revive")),
    st.tuples(st.just("erase"), st.integers(0, 1)),
    st.tuples(st.just("heal")),
)


async def act(it: World, action: tuple[Any, ...]) -> None:
    """Do one thing."""
    match action:
        case ("write", *what):
            await it.write(*what)
        case ("fault", faults):
            # To a webhook any 2xx is a yes: there a page is an answer.
            answers = isinstance(it.stand_in, WebhookStandIn)
            it.stand_in.faults.extend(
                fault for fault in faults if not (answers and fault is not None and fault.kind == "html")
            )
        case ("run", seconds):
            it.clock.move(seconds=seconds)
            await it.reader.run_once()
        case ("crash", requests):
            await it.crash(requests)
        case ("abort",):
            await it.abort()
        case ("throttle", user) if isinstance(it.stand_in, AmplitudeStandIn):
            it.stand_in.throttled = {str(USERS[user])}
        case ("shrink", size):
            it.stand_in.largest = size
        case ("revive",):
            async with it.database.acquire() as connection:
                await retry_dead(connection, it.project.id, it.to.name, DeadChoice(), it.clock())
        case ("erase", user):
            await it.erase(user)
        case ("heal",):
            await it.heal()


async def recount(it: World) -> dict[Cell, Tally]:
    """Where every event is: from the position, the rows, the documentation, and what the provider has.

    Events that ended and are not at the provider count as unknown here.
    """
    (reader,) = await it.rows(
        "SELECT position FROM readers WHERE project_id = $1 AND name = $2", reader_name(it.to.name)
    )
    parked, dead, there = await it.seqs_in("parked_events"), await it.seqs_in("dead_events"), it.there()
    found: dict[Cell, Tally] = {}
    for event_id, event in it.written.items():
        if event_id in it.deleted_unread:
            continue
        tally = found.setdefault((event.hour, event.event_type), Tally())
        seq, reason = it.seqs[event_id], it.skipped(event)
        if seq > reader["position"]:
            tally.pending += 1
            continue
        tally.read += 1
        if seq in parked:
            tally.parked += 1
        elif seq in dead:
            tally.dead += 1
        elif reason is not None or event_id in it.deleted_waiting:
            tally.skipped[reason or "gone"] += 1
        elif event_id in there:
            tally.delivered += 1
        else:
            tally.unknown += 1
    return found


async def overview(it: World, grain: Grain) -> Overview:
    async with it.database.acquire() as connection:
        (found,) = await overviews(connection, it.project.id, Window(grain))
    return found


async def check(it: World) -> None:
    """What is true at any moment."""
    found = await overview(it, Grain.HOUR)
    expected = await recount(it)
    assert found.tallies.keys() == expected.keys()
    for cell, tally in found.tallies.items():
        assert tally.difference == 0
        if isinstance(it.stand_in, MixpanelStandIn):
            # An event whose profile update got no answer is there and unknown.
            assert tally.unknown >= expected[cell].unknown
            expected[cell].delivered -= tally.unknown - expected[cell].unknown
            expected[cell].unknown = tally.unknown
        assert tally == expected[cell], cell
    for grain in (Grain.DAY, Grain.TOTAL):
        assert (await overview(it, grain)).total == found.total
    moments = [event.hour for event in it.written.values()]
    if moments:
        await check_window(it, found, min(moments))
    await check_answers(it, found)


async def check_window(it: World, found: Overview, first: datetime) -> None:
    """A part of the time holds the same as that part of all."""
    window = Window(Grain.HOUR, first + timedelta(hours=1), first + timedelta(hours=9))
    async with it.database.acquire() as connection:
        (part,) = await overviews(connection, it.project.id, window, it.to.name)
    assert window.first is not None and window.last is not None
    assert part.tallies == {
        cell: tally
        for cell, tally in found.tallies.items()
        if cell[0] is not None and window.first <= cell[0] < window.last
    }


async def check_answers(it: World, found: Overview) -> None:
    """What the provider acknowledged is what is held as delivered and the reasons for the difference."""
    async with it.database.acquire() as connection:
        answers = await stored_answers(connection, it.project.id, it.to.name, Window(Grain.HOUR))
    for each in answers.values():
        assert each.acknowledged == (
            each.records + each.repeated + each.dead + each.unknown - each.duplicates - each.uncounted
        )
    held = sum(each.events for (_, replay, _), each in answers.items() if replay is None)
    assert held == found.total.delivered
    acknowledged = sum(each.acknowledged for each in answers.values())
    assert acknowledged <= it.stand_in.acknowledged
    if not it.crashed:
        # What was answered to a process that died is in no table of ours; else only lost answers are missing.
        lost = sum(each.unanswered for each in answers.values())
        assert it.stand_in.acknowledged - acknowledged <= lost
        assert sum(each.uncounted for each in answers.values()) == 0


@pytest.mark.parametrize("kind", ["amplitude", "mixpanel", "webhook"])
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, min_size=4, max_size=14), counts_repeats=st.booleans())
async def test_the_sum_closes_after_any_sequence(
    kind: str,
    database: Database,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[tuple[Any, ...]],
    counts_repeats: bool,
) -> None:
    note(repr(actions))
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.05)
    async with world(kind, database, client, monkeypatch) as it:
        it.stand_in.counts_repeats = counts_repeats
        await it.write(9, 0, bad=True, counting=False)
        for action in actions:
            await act(it, action)
            await check(it)
        await it.heal()
        await run_until_quiet(it.reader, it.clock)
        await check(it)
        end = (await overview(it, Grain.TOTAL)).total
        assert (end.pending, end.parked) == (0, 0)

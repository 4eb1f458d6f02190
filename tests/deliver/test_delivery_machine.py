"""Whatever goes wrong, in whatever order: at the end every event is at its destination once, or has ended with a reason.

A state machine appends events, works on the readers, breaks the provider and kills the processes. The sum closes after every
step; what must be true at the end is checked when the faults have stopped and everything is worked off.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from analytics_api.deliver.replaying import NewReplay
from analytics_api.errors import Conflict, Unprocessable
from analytics_api.outbound import http
from analytics_api.outbound.connections import make_client
from analytics_api.store import log
from analytics_api.store.engine import Database
from tests.support.delivering import overview, total
from tests.support.delivery_forks import DeliveryForks
from tests.support.delivery_targets import Sort
from tests.support.delivery_trial import PATIENCE, Way, World, world
from tests.support.events import open_database
from tests.support.fault_strategies import FAULTS
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn
from tests.support.steps import steps_made

Result = TypeVar("Result")

USERS = ["ada", "bob", "cyd"]
SORTS = st.builds(
    Sort,
    st.sampled_from([*USERS, *USERS, None]),
    st.sampled_from(["page_view", "page_view", "purchase", "api_request"]),
    bad=st.integers(0, 5).map(lambda n: n == 5),
    counting=st.booleans(),
)
EVENTS = st.lists(SORTS, min_size=1, max_size=9)
MORE = st.lists(SORTS, max_size=5)
REPLAYS = 2
WAYS = st.sampled_from([0, 0, 0, *range(1, REPLAYS + 1)])
"""The live events, or a replay."""
STEPS = st.integers(0, 50)
SLOW = st.builds(Fault, st.just("slow"), seconds=st.just(0.01))
NO_FAULTS: list[Fault | None] = []
MISHAPS = st.just(NO_FAULTS) | st.lists(FAULTS | SLOW, max_size=3)
READY = st.sampled_from([True, True, False])


class Stage:
    """What all examples share: a loop, a database, a process that forks."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.runner = asyncio.Runner()
        self.numbers = itertools.count()
        self._stack = AsyncExitStack()
        self._url = url

    def __enter__(self) -> Stage:
        self.forks = DeliveryForks(self._url)
        self.database: Database = self.run(self._stack.enter_async_context(open_database(self._url)))
        self.client = self.run(self._stack.enter_async_context(make_client()))
        return self

    def __exit__(self, *_error: object) -> None:
        self.run(self._stack.aclose())
        self.runner.close()
        self.forks.close()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(coroutine)

    def world(self) -> Any:
        slug = f"world-{next(self.numbers)}"
        return world(self.kind, slug, self.database, self.client, self.forks)


class Deliveries(RuleBasedStateMachine):
    """A log and a destination."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.do = stage.run
        self._stack = AsyncExitStack()
        self.world: World = self.do(self._stack.enter_async_context(stage.world()))
        self.stand_in = self.world.target.stand_in

    # Events.

    @initialize(sorts=EVENTS)
    def begin(self, sorts: list[Sort]) -> None:
        self.do(self.world.write(sorts))

    @rule(slow=EVENTS, fast=EVENTS, commits=st.booleans(), meanwhile=st.booleans())
    def overtake(self, slow: list[Sort], fast: list[Sort], commits: bool, meanwhile: bool) -> None:
        self.do(self.world.overtake(self.world.ways[0], slow, fast, commits=commits, meanwhile=meanwhile))

    # Processes, while events come and the provider has mishaps.

    def at_work(self, number: int, ready: bool, sorts: list[Sort], mishaps: list[Fault | None]) -> Way:
        """`ready`: somebody resumes it if it was paused, and what waits for another attempt is due."""
        way = self.world.ways[number % len(self.world.ways)]
        if sorts:
            self.do(self.world.write(sorts))
        if ready:
            self.world.clock.move(seconds=61)
            self.do(self.world.resume(way))
        self.stand_in.faults.extend(mishaps)
        return way

    @rule(way=WAYS, ready=READY, sorts=MORE, mishaps=MISHAPS)
    def deliver(self, way: int, ready: bool, sorts: list[Sort], mishaps: list[Fault | None]) -> None:
        self.do(self.at_work(way, ready, sorts, mishaps).reader.run_once())

    @rule(way=WAYS, ready=READY, sorts=MORE, mishaps=MISHAPS)
    def race(self, way: int, ready: bool, sorts: list[Sort], mishaps: list[Fault | None]) -> None:
        self.do(self.world.race(self.at_work(way, ready, sorts, mishaps)))

    @rule(way=WAYS, ready=READY, sorts=MORE, mishaps=MISHAPS, steps=STEPS, gently=st.booleans())
    def cut(
        self,
        way: int,
        ready: bool,
        sorts: list[Sort],
        mishaps: list[Fault | None],
        steps: int,
        gently: bool,
    ) -> None:
        self.do(self.world.cut(self.at_work(way, ready, sorts, mishaps), steps, gently=gently))

    @rule(way=WAYS, ready=READY, sorts=MORE, mishaps=MISHAPS, steps=STEPS)
    def kill(self, way: int, ready: bool, sorts: list[Sort], mishaps: list[Fault | None], steps: int) -> None:
        self.do(self.world.kill(self.at_work(way, ready, sorts, mishaps), steps))

    @rule(way=WAYS, ready=READY, sorts=MORE, mishaps=MISHAPS, steps=STEPS)
    def freeze(
        self, way: int, ready: bool, sorts: list[Sort], mishaps: list[Fault | None], steps: int
    ) -> None:
        self.do(self.world.freeze(self.at_work(way, ready, sorts, mishaps), steps))

    @rule(seconds=st.integers(1, 120))
    def wait(self, seconds: int) -> None:
        self.world.clock.move(seconds=seconds)

    # The provider for longer.

    @rule(fault=FAULTS)
    def break_down(self, fault: Fault | None) -> None:
        self.stand_in.broken = fault

    @rule(size=st.integers(600, 2000))
    def shrink(self, size: int) -> None:
        self.stand_in.largest = size

    @precondition(lambda self: isinstance(self.stand_in, AmplitudeStandIn))
    @rule(
        user=st.sampled_from(USERS),
        mood=st.sampled_from(["throttled", "throttled", "over_quota", "silenced"]),
        first_index_only=st.booleans(),
    )
    def take_against(self, user: str, mood: str, first_index_only: bool) -> None:
        """Amplitude wants to hear nothing of somebody, and meets their events with it."""
        setattr(self.stand_in, mood, {f"{user}-device"})
        self.stand_in.first_index_only = first_index_only
        self.do(self.world.ways[0].reader.run_once())

    @precondition(lambda self: isinstance(self.stand_in, MixpanelStandIn))
    @rule(spelling=st.sampled_from(["insert_id", "$insert_id"]), with_index=st.booleans())
    def answer_otherwise(self, spelling: str, with_index: bool) -> None:
        assert isinstance(self.stand_in, MixpanelStandIn)
        self.stand_in.insert_id_spelling, self.stand_in.with_index = spelling, with_index

    @rule()
    def heal(self) -> None:
        self.world.target.heal()

    # People.

    @rule(way=WAYS)
    def pause(self, way: int) -> None:
        self.do(self.world.pause(self.at_work(way, False, [], [])))

    @rule()
    def revive(self) -> None:
        self.do(self.world.revive())

    @precondition(lambda self: len(self.world.ways) <= REPLAYS)
    @rule(event_types=st.sampled_from([(), ("page_view",), ("purchase",)]), rate=st.integers(3, 30))
    def replay(self, event_types: tuple[str, ...], rate: int) -> None:
        try:
            self.do(self.world.replay(NewReplay(event_types=event_types, events_per_second=rate)))
        except Unprocessable as error:
            assert "nothing to send" in error.detail
        except Conflict as error:
            assert "would count them twice" in error.detail
            assert self.world.target.kind == "ga4"

    # What must be true.

    @invariant()
    def the_sum_closes(self) -> None:
        it = self.world
        found = self.do(overview(it.database, it.project, it.target.kind))
        assert found.pending + found.parked + _ended(found) == len(it.written)

    @invariant()
    def nothing_is_there_twice(self) -> None:
        arrived = self.world.target.arrived()
        assert len(arrived) == len(set(arrived))

    def teardown(self) -> None:
        try:
            self.do(self._end())
        finally:
            self.do(self._stack.aclose())

    async def _end(self) -> None:
        it = self.world
        await it.work_off()
        order = await it.in_order()
        assert sorted(order) == sorted(it.written)
        for way in it.ways[1:]:
            assert way.replay is not None
            view = await it.view(way.replay)
            assert (view.state, view.parked, view.done) == ("done", 0, way.replay.estimated)
        await self._check_events()
        found = await overview(it.database, it.project, it.target.kind)
        self._check_order(order, total(found, "unknown") if it.target.kind == "ga4" else 0)

    async def _check_events(self) -> None:
        it = self.world
        found = await overview(it.database, it.project, it.target.kind)
        assert (found.pending, found.parked) == (0, 0)
        skipped = {n for n, sort in it.written.items() if self._is_skipped(sort)}
        assert total(found, "skipped") == len(skipped)
        letters = await it.dead()
        assert all(letter.reason for letter in letters)
        dead = {it.numbers[str(letter.event_id)] for letter in letters if letter.replay is None}
        assert total(found, "dead") == len(dead)
        arrived = set(it.target.arrived())
        assert arrived <= it.written.keys() - skipped
        missing = it.written.keys() - skipped - dead - arrived
        unknown = total(found, "unknown")
        if it.target.kind == "ga4":
            assert len(missing) <= unknown, "what is missing is counted as unknown"
            return
        assert not missing, "what is not there has a dead letter"
        assert {n for n, sort in it.written.items() if sort.bad} - skipped <= dead
        if isinstance(self.stand_in, AmplitudeStandIn):
            assert unknown == 0
            ids = [event["insert_id"] for event in self.stand_in.stored]
            assert len(ids) == len(set(ids)), "identify events are there once, too"
        else:
            self._check_visits(unknown + len(dead))

    def _check_visits(self, most_missing: int) -> None:
        """Mixpanel does not recognise a repeated `$add`: none may arrive twice, and one that did not arrive shows."""
        assert isinstance(self.stand_in, MixpanelStandIn)
        missing = 0
        for user in USERS:
            own = [sort for sort in self.world.written.values() if sort.user == user]
            sent = sum(sort.counting and not self._is_skipped(sort) for sort in own)
            visits = self.stand_in.profiles.get(user, {}).get("visits", 0)
            assert visits <= sent
            missing += sent - visits
        assert missing <= most_missing

    def _check_order(self, order: list[int], most_overtaken: int) -> None:
        """A person's events arrive in the order of the log: all of those that the same streams carry.

        Where nothing is sent twice, what a process that stood still has begun ends as unknown, and arrives late when it goes on.
        """
        late = self.world.target.late | self.world.target.refused_for_good()
        place = {number: index for index, number in enumerate(order)}
        choices = [way.replay.choice.event_types for way in self.world.ways if way.replay is not None]
        last: dict[tuple[object, ...], int] = {}
        overtaken = 0
        for number in self.world.target.arrived():
            sort = self.world.written[number]
            if number in late or sort.user is None:
                continue
            key = (sort.user, *(not types or sort.event_type in types for types in choices))
            if place[number] < last.get(key, -1):
                overtaken += 1
            last[key] = max(place[number], last.get(key, -1))
        assert overtaken <= most_overtaken

    def _is_skipped(self, sort: Sort) -> bool:
        nobody = sort.user is None and self.world.target.kind != "mixpanel"
        return nobody or sort.event_type == "api_request"


def _ended(found: Any) -> int:
    return sum(total(found, outcome) for outcome in ("delivered", "skipped", "dead", "unknown"))


@pytest.fixture(params=["amplitude", "mixpanel", "ga4"])
def stage(
    request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setattr(http, "TOTAL_SECONDS", PATIENCE)
    monkeypatch.setattr(log, "PATIENCE", PATIENCE)
    with steps_made(), Stage(request.param, database_url) as made:
        yield made


def test_every_event_arrives_once_or_has_ended_with_a_reason(stage: Stage) -> None:
    run_state_machine_as_test(
        lambda: Deliveries(stage),  # type: ignore[arg-type]
        settings=settings(
            max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

"""Rules that change at any time, among faults and crashes: nobody is told what no rules allowed, and the sums close."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.deliver.rules import RuleSet
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Skipped
from analytics_api.outbound.connections import Client
from analytics_api.store.delivery_overview import overviews
from analytics_api.store.engine import Database
from analytics_api.store.log import newest_events
from tests.support.delivering import make_reader
from tests.support.delivery_world import World, act, world
from tests.support.events import make_event, write_events
from tests.support.fault_strategies import FAULTS
from tests.support.providers import Fault
from tests.support.rules import rule_set

SHIFTING = st.fixed_dictionaries(
    {},
    optional={
        "include": st.sampled_from([["page_view"], ["login"], ["*"]]),
        "all_of": st.just([{"path": "event_data.n", "op": ">=", "value": 3}]),
        "consent": st.fixed_dictionaries(
            {"purposes": st.just(["ads"]), "not_stated": st.sampled_from(["skip", "send"])}
        ),
        "sample": st.fixed_dictionaries({"percent": st.sampled_from([30, 60])}),
        "mapping": st.sampled_from(
            [[{"rename_event": "Renamed"}], [{"drop": ["event_data"], "set": {"event_data.by": "rule"}}]]
        ),
    },
)
STEPS = (
    st.tuples(st.just("rules"), SHIFTING),
    st.tuples(st.just("lost"), SHIFTING),
    st.tuples(st.just("write"), st.integers(1, 8)),
    st.tuples(
        st.just("fault"), st.lists(FAULTS.filter(lambda it: it is None or it.kind != "hang"), max_size=4)
    ),
    st.tuples(st.just("run"), st.integers(0, 120)),
)
SEQUENCES = st.lists(st.one_of(*STEPS), min_size=3, max_size=10) | st.lists(
    st.one_of(*STEPS, st.tuples(st.just("abort"))), min_size=3, max_size=10
)


@dataclass
class History:
    """The rules that were in force at some time, and how many there had been when an event was written."""

    rules: list[RuleSet] = field(default_factory=lambda: [rule_set()])
    before: dict[str, int] = field(default_factory=dict)

    def verdicts(self, event: StoredEvent) -> list[StoredEvent | Skipped]:
        """What each of the rules says of an event that were in force since it was written."""
        return [each.apply(event) for each in self.rules[self.before[str(event.event_id)] :]]


async def do(it: World, history: History, action: tuple[Any, ...]) -> None:
    match action:
        case ("rules", declared):
            history.rules.append(rule_set(**declared))
            it.to = replace(it.to, rules=history.rules[-1])
            it.reader = await make_reader(
                it.database, it.project, it.to, it.client, it.clock, owner=uuid.uuid4().hex, batch_size=3
            )
        case ("write", number):
            events = [
                make_event(
                    it.project,
                    ("page_view", "login")[n % 2],
                    user_id=f"user-{n % 5}",
                    event_data={"n": n},
                    context={"consent": {"ads": n % 3 == 0}} if n % 4 else {},
                )
                for n in range(number)
            ]
            history.before |= {str(event.event_id): len(history.rules) - 1 for event in events}
            await write_events(it.database, events)
        case ("lost", declared):
            # An answer is lost, and the rules change before the next attempt.
            await do(it, history, ("write", 4))
            it.stand_in.faults.append(Fault("reset", taken=True))
            await act(it, ("run", 120))
            await do(it, history, ("rules", declared))
        case _:
            await act(it, action)


@pytest.mark.parametrize("kind", ["amplitude", "mixpanel"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=SEQUENCES)
async def test_after_any_sequence(
    kind: str,
    database: Database,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[tuple[Any, ...]],
) -> None:
    note(repr(actions))
    history = History()
    async with world(kind, database, client, monkeypatch) as it:
        await do(it, history, ("write", 8))
        for action in actions:
            await do(it, history, action)
        await it.finish()
        await check(it, history)


async def check(it: World, history: History) -> None:
    """Each event is where some rules, or for want of others those of all the time, have put it; and counted there."""
    async with it.database.acquire() as connection:
        events = await newest_events(connection, it.project.id, 10_000)
        (found,) = await overviews(connection, it.project.id)
    there = it.there()
    skipped: Counter[str] = Counter()
    for event in events:
        sent = str(event.event_id) in there
        verdicts = history.verdicts(event)
        reasons = {each.reason for each in verdicts if isinstance(each, Skipped)}
        allowed = [each for each in verdicts if isinstance(each, StoredEvent)]
        assert allowed or not sent
        assert reasons or sent
        if not allowed and len(reasons) == 1:
            skipped[reasons.pop()] += 1
    total = found.total
    assert (total.difference, total.pending, total.parked, total.dead) == (0, 0, 0, 0)
    assert total.received == len(events)
    assert all(total.skipped[reason] >= number for reason, number in skipped.items())
    # What is at the provider without being held as delivered has been sent by a run that did not live to say so, or its
    # answer was lost and later rules leave it out.
    assert total.delivered <= len(there)
    if not it.crashed:
        assert len(there) - total.delivered <= total.unknown
        assert len(it.stand_in.stored) == len(there)

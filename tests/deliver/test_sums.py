"""The sum closes at any moment, for every hour and type, and a recount in plain Python comes to the same."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.deliver.fates import judge
from analytics_api.outbound import http
from analytics_api.outbound.connections import Client
from analytics_api.store.deliveries import READ
from analytics_api.store.delivery_answers import stored_answers
from analytics_api.store.delivery_fates import events_by_seq, traces
from analytics_api.store.delivery_overview import Overview, overviews
from analytics_api.store.delivery_window import Grain, Window
from analytics_api.store.engine import Database
from tests.support.delivery_world import ACTIONS, World, act, recount, world
from tests.support.providers import MixpanelStandIn


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
        if isinstance(it.stand_in, MixpanelStandIn) or it.replays:
            # An event whose profile update got no answer is there and unknown, and a replay may bring what is unknown.
            assert tally.unknown >= expected[cell].unknown
            expected[cell].delivered -= tally.unknown - expected[cell].unknown
            expected[cell].unknown = tally.unknown
        assert tally == expected[cell], cell
    for grain in (Grain.DAY, Grain.TOTAL):
        assert (await overview(it, grain)).total == found.total
    moments = [event.hour for event in it.written.values()]
    if moments:
        await check_window(it, found, min(moments))
    await check_replays(it)
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


async def check_replays(it: World) -> None:
    """A replay's events are where the replay says, apart from the live ones."""
    query = """
        SELECT coalesce(sum(events), 0)::bigint AS events FROM delivery_counts
        WHERE project_id = $1 AND destination = $2 AND outcome = $3
    """
    for made, _ in it.replays:
        view = await it.bench.view(made)
        (read,) = await it.rows(query, made.key, READ)
        assert read["events"] == view.done + view.parked


async def check_answers(it: World, found: Overview) -> None:
    """What the provider acknowledged is what is held as delivered and the reasons for the difference."""
    async with it.database.acquire() as connection:
        answers = await stored_answers(connection, it.project.id, it.to.name, Window(Grain.HOUR))
    for each in answers.values():
        assert each.acknowledged == (
            each.records + each.repeated + each.dead + each.unknown - each.duplicates - each.uncounted
        )
    held: Counter[int | None] = Counter()
    for (_, replay, _), each in answers.items():
        held[replay] += each.events
    assert held[None] == found.total.delivered
    for made, _ in it.replays:
        assert held[made.id] == (await it.bench.view(made)).counts["delivered", ""]
    acknowledged = sum(each.acknowledged for each in answers.values())
    assert acknowledged <= it.stand_in.acknowledged
    if not it.crashed:
        # What was answered to a process that died is in no table of ours; else only lost answers are missing.
        lost = sum(each.unanswered for each in answers.values())
        assert it.stand_in.acknowledged - acknowledged <= lost
        # A replay may be ahead of a paused stream of live events, which then does not know that they were sent before.
        assert it.replays or sum(each.uncounted for each in answers.values()) == 0


async def check_fates(it: World) -> None:
    """What is said of an event that is there is what became of it, or leaves that open."""
    there, dead, parked = it.there(), await it.dead_seqs(), await it.seqs_in("parked_events")
    async with it.database.acquire() as connection:
        events = await events_by_seq(connection, it.project.id, sorted(it.seqs.values()))
        for trace, event in zip(await traces(connection, it.project.id, events), events, strict=True):
            name, said = str(event.event_id), judge(trace, event, it.to, dated=True)
            reason = it.skipped(it.written[name])
            gone = dead.get(event.seq, it.forgotten.get(name))
            if event.seq > trace.position:
                truth = {"pending"}
            elif event.seq in parked:
                truth = {"parked"}
            elif gone is not None:
                truth = {"discarded", "dead: discarded"} if gone else {"dead"}
            elif reason is not None:
                truth = {"skipped", f"skipped: {reason}"}
            else:
                # What was sent may be held as unknown and be there all the same, see above.
                truth = {"delivered", "unknown"} if name in there else {"unknown"}
            assert truth & {said.state, *said.possible}, (said, truth)
            assert said.state != "open" or len(said.possible) > 1
            assert said.state != "skipped" or said.reason == reason


@pytest.mark.parametrize("kind", ["amplitude", "mixpanel", "webhook"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, min_size=4, max_size=14), counts_repeats=st.booleans())
async def test_the_sum_closes_after_any_sequence(
    kind: str,
    database: Database,
    client: Client,
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
        await check_fates(it)
        await it.finish()
        await check(it)
        await check_fates(it)
        end = (await overview(it, Grain.TOTAL)).total
        assert (end.pending, end.parked) == (0, 0)

"""What became of one event at one destination.

Nothing is kept of an event that went well, so its end is concluded: from the reader's position and the parked and dead events,
from the counts of its type and hour of arrival, and from what delivery itself makes of the event by the rules of now. What all of
these leave open is said to be open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.dry_run import AT_ONCE
from analytics_api.deliver.rendering import render
from analytics_api.deliver.rules import NO_RULES
from analytics_api.deliver.service import Destinations
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, EndState, Skipped, SkipReason
from analytics_api.domain.project import Project
from analytics_api.store.dead_letters import DISCARDED
from analytics_api.store.delivery_fates import End, Trace, events_by_seq, traces
from analytics_api.store.engine import Database


class FateState(StrEnum):
    """What became of an event at a destination."""

    PENDING = "pending"
    PARKED = "parked"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    DEAD = "dead"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"
    BEFORE_START = "before_start"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Judged:
    """A fate, and what it was concluded from."""

    trace: Trace
    state: FateState
    reason: str | None = None
    certain: bool = True
    """False: by the rules of now, which may be others than those that it was passed by."""
    possible: tuple[str, ...] = ()
    """The ends that an open one may have had."""


_WHATEVER_THE_RULES = (SkipReason.SANDBOX, SkipReason.REPETITION)


async def fates_of(
    database: Database, destinations: Destinations, project: Project, seqs: Sequence[int]
) -> list[tuple[StoredEvent, list[Judged]]]:
    """What became of these events at each destination, in the order of the log; those that are not there are left out."""
    await destinations.refresh()
    async with database.look() as connection:
        events = {event.seq: event for event in await events_by_seq(connection, project.id, seqs)}
        found = await traces(connection, project.id, list(events.values()))
    judged: dict[int, list[Judged]] = {seq: [] for seq in events}
    # Since when rules of the settings hold is kept nowhere.
    undated = {each.name for each in destinations.from_settings(project) if each.rules is not NO_RULES}
    for number, trace in enumerate(found, 1):
        destination = destinations.find(project, trace.destination)
        dated = trace.destination not in undated
        judged[trace.seq].append(judge(trace, events[trace.seq], destination, dated=dated))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return [(event, judged[seq]) for seq, event in events.items()]


def judge(trace: Trace, event: StoredEvent, destination: Destination | None, *, dated: bool) -> Judged:
    """The fate of an event at a destination; None: one that cannot be sent to from here.

    `dated`: whether the trace says when the destination's rules were changed.
    """
    kept = _kept(trace)
    if kept is not None:
        return kept
    now: End | None = None
    if destination is not None:
        made = render(destination.provider, destination.rules, event).outcome
        if isinstance(made, Skipped):
            now = (EndState.SKIPPED, made.reason)
        else:
            now = (EndState.DEAD if isinstance(made, Dead) else EndState.DELIVERED, "")
    same = dated and (trace.changed_at is None or trace.changed_at <= event.received_at)
    return _concluded(trace, now, same=same)


def _kept(trace: Trace) -> Judged | None:
    """The fate of an event of which something is kept, or that was not read; None for all others."""
    if trace.death is not None:
        if trace.death.discarded_at is not None:
            return Judged(trace, FateState.DISCARDED, trace.death.discard_reason)
        return Judged(trace, FateState.DEAD, trace.death.reason)
    if trace.wait is not None:
        return Judged(trace, FateState.PARKED, trace.wait.reason)
    if trace.start is not None and trace.seq <= trace.start:
        return Judged(trace, FateState.BEFORE_START)
    if trace.seq > trace.position:
        return Judged(trace, FateState.PENDING)
    return None


def _concluded(trace: Trace, now: End | None, *, same: bool) -> Judged:
    """The fate of an event that was read and of which nothing is kept.

    `now`: what delivery makes of it by the rules of now; None when it cannot be asked. `same`: whether these were the rules
    when it was passed, too.
    """
    # What is still there was not deleted while it waited.
    possible = {end for end in trace.ends if end[1] != SkipReason.GONE}
    likely = {end for end in possible if now is not None and _fits(end, now)}
    if same and likely:
        possible = likely
    if len(possible) == 1:
        return _ended(trace, *possible.pop())
    if len(likely) == 1:
        return _ended(trace, *likely.pop(), certain=False)
    said = {f"{state}: {reason}" if reason else state for state, reason in possible}
    return Judged(trace, FateState.OPEN, certain=False, possible=tuple(sorted(said)))


def _fits(end: End, now: End) -> bool:
    """Whether an event that delivery makes this of can have ended so."""
    state, reason = end
    if reason in _WHATEVER_THE_RULES:
        return True
    if now[0] == EndState.DELIVERED:
        return state != EndState.SKIPPED
    return end == now or state == now[0] == EndState.DEAD


def _ended(trace: Trace, state: str, reason: str, *, certain: bool = True) -> Judged:
    if (state, reason) == (EndState.DEAD, DISCARDED):
        return Judged(trace, FateState.DISCARDED, certain=certain)
    return Judged(trace, FateState(state), reason or None, certain)

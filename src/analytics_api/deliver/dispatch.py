"""Sending a stretch of events: lanes by person, one request in flight in each, and what the answers mean for them.

A person's events are all in one lane and go in the order of the log. When one of them has to wait, the later ones wait
behind it; a dead one releases them. When the destination as a whole fails, the lanes stop after what is in flight.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from analytics_api.deliver.acknowledged import note_answer
from analytics_api.deliver.lanes import Lane, Line, in_turn
from analytics_api.deliver.parcel import ENVELOPE, Behind, Fate, Given, Parcel, RequestKind, RequestSize
from analytics_api.deliver.providers.port import Counted, Payload, Provider, all_delivered
from analytics_api.deliver.rendering import render
from analytics_api.deliver.rules import NO_RULES, RuleSet
from analytics_api.domain.clock import Clock
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import (
    Dead,
    DeadKind,
    Delivered,
    Outcome,
    Paused,
    Refused,
    Resend,
    Retry,
    Skipped,
    SkipReason,
    Throttled,
    TooLarge,
    Unknown,
)
from analytics_api.outbound.connections import Client
from analytics_api.store.deliveries import Answers

logger = logging.getLogger(__name__)

LANES = 8
"""Requests in flight to one destination; Mixpanel recommends 10 to 20 from all senders together."""
PROBE = 10
"""Events of the first request after a failure."""

_DELIVERED = Delivered()
# Not `Skipped | Dead` where it is asked: for each event the union would be made anew.
_NOTHING_TO_SEND = (Skipped, Dead)

Halt = Retry | Unknown | Paused
Mark = Callable[[Sequence[Parcel]], Awaitable[None]]
"""Notes, durably, that a single attempt begins."""
KeptOut = Callable[[Iterable[UUID]], Awaitable[set[UUID]]]
"""Those of some persons who have been erased meanwhile: nothing of them is sent any more."""
Had = Callable[[StoredEvent], bool]
"""Whether the destination may have had an event, by what is stored."""


class Dispatch:
    """Sends parcels once. `halt` tells afterwards why the destination as a whole took no more, if so."""

    def __init__(
        self,
        provider: Provider,
        client: Client,
        size: RequestSize,
        clock: Clock,
        mark: Mark,
        kept_out: KeptOut,
        *,
        stopping: Callable[[], bool],
        lanes: int = LANES,
        rules: RuleSet = NO_RULES,
        had: Had | None = None,
    ) -> None:
        """`had`: which events the provider may have had; of those it is not sent again what it would count twice."""
        self.halt: Halt | None = None
        self.answers = Answers()
        """What the answers of the run came to so far, request by request."""
        self._provider = provider
        self._client = client
        self._size = size
        self._clock = clock
        self._mark = mark
        self._kept_out = kept_out
        self._stopping = stopping
        self._lanes = lanes
        self._rules = rules
        self._had = had
        self._waiting: dict[UUID, int] = {}
        """Persons who wait, and from which event on."""
        self._answered = False

    async def run(self, parcels: Sequence[Parcel], waiting: set[UUID], *, probe: bool) -> None:
        """Send parcels, those of `waiting` persons excepted. With `probe`, one small request goes ahead alone."""
        self._waiting = dict.fromkeys(waiting, 0)
        rest = list(parcels)
        while probe and rest and not self._answered and not self._stopped:
            await self._drain(Lane(Line(rest[:PROBE])))
            rest = rest[PROBE:]
        line = Line(rest)
        # No more lanes than there are full requests: sixty events are one request, not eight.
        lanes = min(self._lanes, -(-len(rest) // self._size.events))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(lanes):
                    group.create_task(self._drain(Lane(line)))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    @property
    def _stopped(self) -> bool:
        return self.halt is not None or self._stopping()

    async def _drain(self, lane: Lane) -> None:
        while lane.first is not None and not self._stopped:
            batch = self._take(lane)
            while batch and not self._stopped:
                parcels, kind = in_turn(batch)
                await self._request(parcels, kind)
                batch = self._still_going(batch)
            lane.settle()
            # Rendering and a provider that answers at once must not keep the event loop for themselves.
            await asyncio.sleep(0)

    def _take(self, lane: Lane) -> list[Parcel]:
        """The next parcels that fit into a request. What is decided without asking the provider is decided here."""
        batch: list[Parcel] = []
        records, size, limit = 0, 0, self._size.bytes_at(self._clock())
        while len(batch) < self._size.events and (parcel := lane.first) is not None:
            if self._waiting and self._is_behind(parcel):
                parcel.fate = Behind()
            elif parcel.payloads is None:
                parcel.fate = self._render(parcel)
            if parcel.fate is None:
                records += len(parcel.payloads or ())
                size += parcel.size
                if batch and (records > self._size.records or size > limit):
                    break
                batch.append(parcel)
            lane.take_first()
        return batch

    def _is_behind(self, parcel: Parcel) -> bool:
        """Whether an earlier event of the same person waits."""
        first = self._waiting.get(parcel.event.person_id)
        return first is not None and parcel.event.seq > first

    def _render(self, parcel: Parcel) -> Fate | None:
        """Give a parcel its payloads; or its fate, when there is nothing to send."""
        window = self._provider.dedupes_for
        if parcel.uncertain_since is not None and window is not None:
            age = self._clock() - parcel.uncertain_since
            if age > window:
                return Given(
                    f"the answer was lost {age.days} days ago, longer than repetitions are recognised"
                )
        uncertain = parcel.uncertain_since is not None
        name = (parcel.sent_as or parcel.event.event_type) if uncertain else None
        made = render(self._provider, self._rules, parcel.event, name)
        parcel.sent_as = made.sent_as
        if isinstance(made.outcome, Skipped) and (uncertain or parcel.single_begun):
            return Given(f"it may have arrived; now it would be left out ({made.outcome.reason})")
        if isinstance(made.outcome, _NOTHING_TO_SEND):
            return made.outcome
        payloads = made.outcome
        if self._had is not None and self._had(parcel.event):
            payloads = [payload for payload in payloads if not payload.once]
        if not payloads:
            return Skipped(SkipReason.REPETITION)
        parcel.hold(payloads)
        return None

    def _still_going(self, batch: list[Parcel]) -> list[Parcel]:
        """The parcels of a batch that have payloads left to send now."""
        going = []
        for parcel in batch:
            if parcel.fate is None and self._is_behind(parcel):
                parcel.fate = Behind()
            if parcel.fate is None:
                going.append(parcel)
        return going

    async def _request(self, parcels: list[Parcel], kind: RequestKind) -> None:
        """One request for the next payloads of the parcels, halved when it turns out to be too much."""
        parcels = await self._begin_single(await self._without_erased(parcels), kind)
        groups = [parcel.next_payloads(kind) for parcel in parcels]
        payloads = [payload for group in groups for payload in group]
        if not payloads:
            return
        outcomes = await self._send(payloads)
        self._answered = True
        note_answer(self.answers, parcels, groups, outcomes)
        if all_delivered(outcomes):
            for parcel, group in zip(parcels, groups, strict=True):
                _arrive(parcel, len(group))
            return
        whole = next((found for found in outcomes if isinstance(found, TooLarge | Refused)), None)
        if whole is None and all(isinstance(found, Resend) for found in outcomes):
            whole = Refused("refused without a reason")
        if whole is not None:
            await self._halve(parcels, kind, whole, sum(len(payload.body) for payload in payloads))
            return
        self._note_halt(outcomes)
        start = 0
        for parcel, group in zip(parcels, groups, strict=True):
            self._apply(parcel, outcomes[start : start + len(group)], once=kind[1])
            start += len(group)

    async def _send(self, payloads: list[Payload]) -> list[Outcome]:
        try:
            outcomes = await self._provider.send(self._client, payloads)
        except Exception as error:
            # A provider's own mistake must neither end the loop nor lose an event.
            logger.exception("provider %s failed while sending", self._provider.name)
            return [Unknown(f"{type(error).__name__}: {error}")] * len(payloads)
        if len(outcomes) != len(payloads):
            return [Unknown("the provider's adapter told nothing of some payloads")] * len(payloads)
        if all_delivered(outcomes):
            return outcomes
        clean = [self._without_secrets(found) for found in outcomes]
        return Counted(clean, outcomes.number) if isinstance(outcomes, Counted) else clean

    def _without_secrets(self, found: Outcome) -> Outcome:
        """Providers quote a wrong key in their answer; it must not come to rest in tables and logs."""
        if isinstance(found, Delivered | Resend):
            return found
        words = found.words
        for secret in self._provider.secrets:
            words = words.replace(secret, "***")
        return found if words == found.words else replace(found, words=words)

    async def _without_erased(self, parcels: list[Parcel]) -> list[Parcel]:
        """Asked right before each request: who erases a person waits for the requests that were asked for earlier."""
        gone = await self._kept_out(parcel.event.person_id for parcel in parcels)
        if not gone:
            return parcels
        for parcel in parcels:
            if parcel.event.person_id in gone:
                parcel.fate, parcel.heard = Skipped(SkipReason.GONE), True
        return [parcel for parcel in parcels if parcel.fate is None]

    async def _begin_single(self, parcels: list[Parcel], kind: RequestKind) -> list[Parcel]:
        """Before an attempt that must not be repeated: leave out those begun in a lost run, and note the others."""
        if not kind[1]:
            return parcels
        for parcel in parcels:
            if parcel.single_begun:
                parcel.fate = Given("the process ended during the only attempt")
                parcel.heard = True
        fresh = [parcel for parcel in parcels if parcel.fate is None]
        unmarked = [parcel for parcel in fresh if not parcel.marked]
        if unmarked:
            await self._mark(unmarked)
            for parcel in unmarked:
                parcel.marked = True
        return fresh

    async def _halve(
        self, parcels: list[Parcel], kind: RequestKind, whole: TooLarge | Refused, size: int
    ) -> None:
        if len(parcels) == 1:
            kind_of_death = DeadKind.TOO_LARGE if isinstance(whole, TooLarge) else DeadKind.REFUSED
            parcels[0].fate = Dead(whole.words, kind_of_death)
            parcels[0].heard = True
            return
        if isinstance(whole, TooLarge):
            self._size.learn(size // 2 if whole.limit is None else whole.limit - ENVELOPE, self._clock())
        middle = len(parcels) // 2
        for half in (parcels[:middle], parcels[middle:]):
            going = self._still_going(half)
            # What is to be sent again of the first half comes before the second.
            while going and not self._stopped:
                await self._request(going, kind)
                going = [parcel for parcel in self._still_going(going) if parcel.next_kind == kind]

    def _note_halt(self, outcomes: Sequence[Outcome]) -> None:
        """Stop when the destination as a whole does not take events: not one of a request came to anything else."""
        paused = next((found for found in outcomes if isinstance(found, Paused)), None)
        if paused is not None:
            self.halt = paused
        elif self.halt is None and all(isinstance(found, Retry | Unknown) for found in outcomes):
            self.halt = next(found for found in outcomes if isinstance(found, Retry | Unknown))

    def _apply(self, parcel: Parcel, outcomes: Sequence[Outcome], *, once: bool) -> None:
        """What the outcomes of a parcel's payloads mean for it: the worst of them counts."""
        for sort in (Paused, Unknown, Retry, Throttled, Dead, Resend):
            worst = next((found for found in outcomes if isinstance(found, sort)), None)
            if worst is not None:
                break
        else:
            _arrive(parcel, len(outcomes))
            return
        if isinstance(worst, Unknown) and (once or self._provider.dedupes_for == timedelta(0)):
            parcel.fate, parcel.heard = Given(worst.words), True
        elif isinstance(worst, Dead):
            parcel.fate, parcel.heard = worst, True
        elif isinstance(worst, Unknown | Throttled) or (isinstance(worst, Retry) and self.halt is None):
            parcel.fate, parcel.heard = worst, True
            person, seq = parcel.event.person_id, parcel.event.seq
            self._waiting[person] = min(seq, self._waiting.get(person, seq))


def _arrive(parcel: Parcel, payloads: int) -> None:
    parcel.arrived += payloads
    if parcel.arrived == len(parcel.payloads or ()):
        parcel.fate, parcel.heard = _DELIVERED, True

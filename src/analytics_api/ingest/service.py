"""Intake as one call: a parsed body and its circumstances go in, a result for each event comes out after the commit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import cast
from weakref import WeakValueDictionary

import msgspec

from analytics_api.access.caller import Caller, Right
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.event import NewEvent
from analytics_api.domain.plan import HeldEvent
from analytics_api.domain.privacy import Refusal, Signal
from analytics_api.domain.times import PUBLIC_REACH, clock_skew
from analytics_api.errors import Unavailable
from analytics_api.ingest.draft import Draft, Reception, Refused, Rejected, Result, Status
from analytics_api.ingest.enrichment.visitors import Enricher, default_enricher
from analytics_api.ingest.lane import KEPT_OUT, Outcome
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.pipeline import draft_event, run_steps
from analytics_api.ingest.plan.desk import PlanDesk
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.writer import Writer
from analytics_api.telemetry import count_events

AT_ONCE = 20
"""Events of a request that are checked in one go."""
SLICE_SECONDS = 0.002
"""After so long of a larger one, everybody else's turn: 500 events take 8 ms or more, for which a chart of a year would wait."""
SHORT_SLICE_SECONDS, PAUSE_SECONDS = 0.001, 0.002
"""The same, and how long the others' turn lasts at least, while figures are being read: each of the five round trips of a dashboard
would wait for a slice."""


@dataclass(slots=True)
class Circumstances:
    """What a request says beside its body."""

    idempotency_key: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    edge_country: str | None = None
    signals: Collection[Signal] = ()
    """What the browser says its user does not want."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much one request may bring, in bytes and events."""

    event_bytes: int = 65_536
    batch_events: int = 5_000
    batch_bytes: int = 5_242_880


NOTHING_KNOWN = Circumstances()


class _Checked:
    """The events of a request, sorted: to be stored, to be held back, and results of those that are neither."""

    __slots__ = ("events", "held", "reception", "results")

    def __init__(self, reception: Reception, number: int) -> None:
        self.reception = reception
        self.results: list[Result | None] = [None] * number
        self.events: list[tuple[int, NewEvent, tuple[str, ...]]] = []
        self.held: list[tuple[int, HeldEvent, tuple[str, ...]]] = []


class Intake:
    """Takes events in."""

    def __init__(
        self,
        writer: Writer,
        limits: IntakeLimits,
        *,
        enabled: bool = True,
        keep_pii: bool = False,
        enricher: Enricher | None = None,
        desk: PlanDesk | None = None,
        privacy: PrivacyDesk | None = None,
        clock: Clock = system_clock,
        others_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """Without a `desk` no tracking plan is applied and no warning counted, without `privacy` no project's policy."""
        self.limits = limits
        self._writer = writer
        self._enabled = enabled
        self._keep_pii = keep_pii
        self._enricher = enricher or default_enricher()
        self._desk = desk
        self._privacy = privacy
        self._clock = clock
        self._others_wait = others_wait
        self._turn = asyncio.Lock()
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """Of each project that has a larger request: it waits for the one turn with one at a time, so nobody waits for all of its."""
        self._settling: set[asyncio.Task[list[Result]]] = set()

    async def take(
        self, body: Body, caller: Caller, circumstances: Circumstances = NOTHING_KNOWN
    ) -> list[Result]:
        """Check, clean and store the events of a body, and take them out of it. Raises Unavailable for all of them."""
        if not self._enabled:
            return _ignored(body)
        reception = self._receive(body, caller, circumstances)
        if self._privacy is not None:
            reception.visitor_salt = await self._privacy.salt(caller.project, reception.received_at)
        checked = _Checked(reception, len(body.events))
        if len(body.events) <= AT_ONCE:
            self._check_all(body.events, checked)
        else:
            # One after another: what is decoded and not counted by the queue yet stays as small as in one go.
            async with self._turns.setdefault(caller.project.id, asyncio.Lock()), self._turn:
                until = 0.0
                for index, raw in enumerate(body.events):
                    if time.perf_counter() >= until:
                        until = await self._leave_turn()
                    self._check(index, raw, checked)
        # What waits now is only what the queue counts: decoded, an event can take fifty times its size.
        body.events.clear()
        return await self._settle(checked)

    async def _leave_turn(self) -> float:
        """Let others do what they wait for. Returns until when the next slice lasts."""
        polite = self._others_wait()
        await asyncio.sleep(PAUSE_SECONDS if polite else 0)
        return time.perf_counter() + (SHORT_SLICE_SECONDS if polite else SLICE_SECONDS)

    def take_now(
        self,
        body: Body,
        caller: Caller,
        circumstances: Circumstances,
        done: Callable[[list[Result] | Exception], None],
    ) -> bool:
        """As `take`, without waiting: `done` is told later, once, of the results or the error. False: only `take` can, and nothing
        has happened.
        """
        if not self._enabled or len(body.events) > AT_ONCE:
            return False
        reception = self._receive(body, caller, circumstances)
        if self._privacy is not None:
            try:
                reception.visitor_salt = self._privacy.known_salt(caller.project, reception.received_at)
            except LookupError:
                return False
        checked = _Checked(reception, len(body.events))
        self._check_all(body.events, checked)
        body.events.clear()
        if not checked.events or checked.held or (self._privacy is not None and self._privacy.owes_consent):
            self._settle_later(checked, done)
            return True

        def written(outcome: list[Outcome] | Unavailable) -> None:
            try:
                found = outcome if isinstance(outcome, Unavailable) else self._finish(checked, outcome)
            except Exception as error:
                # Whoever shares the group with this request is told all the same.
                done(error)
            else:
                done(found)

        self._writer.submit([event for _, event, _ in checked.events], written)
        return True

    def _receive(self, body: Body, caller: Caller, given: Circumstances) -> Reception:
        received_at = self._clock()
        trusted = caller.may(Right.TRUSTED)
        reception = Reception(
            project=caller.project,
            trusted=trusted,
            received_at=received_at,
            skew=clock_skew(received_at, body.sent_at),
            reach=None if trusted else PUBLIC_REACH,
            keep_pii=self._keep_pii,
            idempotency_key=given.idempotency_key,
            ip=given.ip,
            user_agent=given.user_agent,
            edge_country=given.edge_country,
            enricher=self._enricher,
            plan=self._desk.plans.of(caller.project.id) if self._desk is not None else None,
        )
        if self._privacy is not None:
            rules = self._privacy.of(caller.project.id)
            reception.pii = rules.filter
            if given.signals:
                honoured = [signal for signal in rules.policy.signals if signal in given.signals]
                reception.refusal = Refusal(honoured[0].value) if honoured else None
        return reception

    def _check_all(self, raws: Sequence[bytes | msgspec.Raw | str], checked: _Checked) -> None:
        for index, raw in enumerate(raws):
            self._check(index, raw, checked)

    def _settle_later(self, checked: _Checked, done: Callable[[list[Result] | Exception], None]) -> None:
        task = asyncio.create_task(self._settle(checked))
        self._settling.add(task)

        def settled(task: asyncio.Task[list[Result]]) -> None:
            self._settling.discard(task)
            if task.cancelled():
                done(Unavailable("The server is stopping; send the same request again."))
            else:
                error = task.exception()
                done(task.result() if error is None else cast(Exception, error))

        task.add_done_callback(settled)

    async def _settle(self, checked: _Checked) -> list[Result]:
        if self._privacy is not None:
            await self._privacy.keep_consent()
        outcomes = await self._writer.write([event for _, event, _ in checked.events])
        if self._desk is not None:
            for result in await self._desk.hold(checked.held):
                checked.results[result.index] = result
        return self._finish(checked, outcomes)

    def _finish(self, checked: _Checked, outcomes: list[Outcome]) -> list[Result]:
        results, accepted = checked.results, Status.ACCEPTED
        for (index, event, warnings), outcome in zip(checked.events, outcomes, strict=True):
            if outcome is True:
                results[index] = Result(index, event.event_id, accepted, None, warnings)
            elif outcome is False:
                reason = "an event with this id is stored already"
                results[index] = Result(index, event.event_id, Status.DUPLICATE, reason, warnings)
            elif outcome == KEPT_OUT:
                results[index] = Result(index, event.event_id, Status.IGNORED, KEPT_OUT)
                if self._privacy is not None:
                    project = checked.reception.project
                    self._privacy.note_refused(project, Refusal.ERASED, event.event_type)
            else:
                results[index] = Result(index, event.event_id, Status.REJECTED, outcome)
        finished = [result for result in results if result is not None]
        if len(finished) == 1:
            count_events(finished[0].status)
        else:
            for status, number in Counter(result.status for result in finished).items():
                count_events(status, number)
        return finished

    def _check(
        self,
        index: int,
        raw: bytes | msgspec.Raw | str,
        checked: _Checked,
    ) -> None:
        """Take one event into its events or held ones, or its refusal into its results."""
        reception, results = checked.reception, checked.results
        try:
            draft = draft_event(raw, index, self.limits.event_bytes)
            event = run_steps(draft, reception)
        except Refused as error:
            results[index] = Result(index, None, Status.IGNORED, str(error))
            self._note_refused(draft, error, reception)
            return
        except Rejected as error:
            results[index] = Result(index, None, Status.REJECTED, str(error))
            if self._desk is not None:
                self._desk.note_refused(reception.project.id, error)
            return
        if draft.removed and self._privacy is not None:
            self._privacy.note_removed(reception.project, draft.removed)
        if draft.consent is not None and draft.has_person and self._privacy is not None:
            self._privacy.note_consent(reception.project, draft.consent, event.person_id, event.occurred_at)
        warnings = _told(draft) if draft.warnings else ()
        if draft.warnings and self._desk is not None:
            self._desk.note(reception.project.id, draft)
        if draft.held is None:
            checked.events.append((index, event, warnings))
        else:
            checked.held.append((index, HeldEvent(event, draft.held), warnings))

    def _note_refused(self, draft: Draft, error: Refused, reception: Reception) -> None:
        if self._privacy is None:
            return
        self._privacy.note_refused(reception.project, error.refusal, draft.payload.event_type)
        if draft.consent is None or not draft.has_person:
            return
        if draft.person_id is not None and draft.occurred_at is not None:
            self._privacy.note_consent(reception.project, draft.consent, draft.person_id, draft.occurred_at)

    async def write(self, events: Sequence[NewEvent]) -> None:
        """Store events that the server makes itself. Raises Unavailable."""
        if self._enabled:
            await self._writer.write(events)


def _ignored(body: Body) -> list[Result]:
    count_events(Status.IGNORED, len(body.events))
    return [
        Result(index, None, Status.IGNORED, "tracking is switched off") for index in range(len(body.events))
    ]


def _told(draft: Draft) -> tuple[str, ...]:
    return tuple(warning.text for warning in draft.warnings if warning.told)

"""Intake as one call: a parsed body and its circumstances go in, a result for each event comes out after the commit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from analytics_api.access.caller import Caller, Right
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.event import NewEvent
from analytics_api.domain.plan import HeldEvent
from analytics_api.domain.privacy import Refusal, Signal
from analytics_api.domain.times import PUBLIC_REACH, clock_skew
from analytics_api.ingest.draft import Draft, Reception, Refused, Rejected, Result, Status
from analytics_api.ingest.enrichment.visitors import Enricher, default_enricher
from analytics_api.ingest.lane import KEPT_OUT
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.pipeline import draft_event, run_steps
from analytics_api.ingest.plan.desk import PlanDesk
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.writer import Writer
from analytics_api.telemetry import count_events

AT_ONCE = 20
"""Events of a request that are checked in one go."""
SLICE_SECONDS = 0.002
"""After so long of a larger one, everybody else's turn: 500 events take 30 ms, for which a chart of a year would wait."""

_Checked = tuple[int, NewEvent, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much one request may bring, in bytes and events."""

    event_bytes: int = 65_536
    batch_events: int = 5_000
    batch_bytes: int = 5_242_880


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
        self._turn = asyncio.Lock()

    async def take(
        self,
        body: Body,
        caller: Caller,
        *,
        idempotency_key: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        edge_country: str | None = None,
        signals: Collection[Signal] = (),
    ) -> list[Result]:
        """Check, clean and store the events of a body, and take them out of it. Raises Unavailable for all of them.

        `signals`: what the browser says its user does not want.
        """
        received_at = self._clock()
        trusted = caller.may(Right.TRUSTED)
        reception = Reception(
            project=caller.project,
            trusted=trusted,
            received_at=received_at,
            skew=clock_skew(received_at, body.sent_at),
            reach=None if trusted else PUBLIC_REACH,
            keep_pii=self._keep_pii,
            idempotency_key=idempotency_key,
            ip=ip,
            user_agent=user_agent,
            edge_country=edge_country,
            enricher=self._enricher,
            plan=self._desk.plans.of(caller.project.id) if self._desk is not None else None,
        )
        if self._privacy is not None:
            rules = self._privacy.of(caller.project.id)
            reception.pii = rules.filter
            if signals:
                honoured = [signal for signal in rules.policy.signals if signal in signals]
                reception.refusal = Refusal(honoured[0].value) if honoured else None
            reception.visitor_salt = await self._privacy.salt(caller.project, rules, received_at)
        if not self._enabled:
            count_events(Status.IGNORED, len(body.events))
            return [
                Result(index, None, Status.IGNORED, "tracking is switched off")
                for index in range(len(body.events))
            ]
        return await self._store(body.events, reception)

    async def _store(self, raws: list[bytes | msgspec.Raw | str], reception: Reception) -> list[Result]:
        results: list[Result | None] = [None] * len(raws)
        events: list[_Checked] = []
        held: list[tuple[int, HeldEvent, tuple[str, ...]]] = []
        if len(raws) <= AT_ONCE:
            for index, raw in enumerate(raws):
                self._check(index, raw, reception, results, events, held)
        else:
            # One after another: what is decoded and not counted by the queue yet stays as small as in one go.
            async with self._turn:
                pause = time.perf_counter() + SLICE_SECONDS
                for index, raw in enumerate(raws):
                    self._check(index, raw, reception, results, events, held)
                    if time.perf_counter() >= pause:
                        await asyncio.sleep(0)
                        pause = time.perf_counter() + SLICE_SECONDS
        if self._privacy is not None:
            await self._privacy.keep_consent()
        # What waits now is only what the queue counts: decoded, an event can take fifty times its size.
        raws.clear()
        outcomes = await self._writer.write([event for _, event, _ in events])
        for (index, event, warnings), outcome in zip(events, outcomes, strict=True):
            if outcome == KEPT_OUT:
                results[index] = Result(index, event.event_id, Status.IGNORED, KEPT_OUT)
                if self._privacy is not None:
                    self._privacy.note_refused(reception.project, Refusal.ERASED, event.event_type)
            elif isinstance(outcome, str):
                results[index] = Result(index, event.event_id, Status.REJECTED, outcome)
            elif outcome:
                results[index] = Result(index, event.event_id, Status.ACCEPTED, None, warnings)
            else:
                reason = "an event with this id is stored already"
                results[index] = Result(index, event.event_id, Status.DUPLICATE, reason, warnings)
        if self._desk is not None:
            for result in await self._desk.hold(held):
                results[result.index] = result
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
        reception: Reception,
        results: list[Result | None],
        events: list[_Checked],
        held: list[tuple[int, HeldEvent, tuple[str, ...]]],
    ) -> None:
        """Take one event into `events` or `held`, or its refusal into `results`."""
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
            events.append((index, event, warnings))
        else:
            held.append((index, HeldEvent(event, draft.held), warnings))

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


def _told(draft: Draft) -> tuple[str, ...]:
    return tuple(warning.text for warning in draft.warnings if warning.told)

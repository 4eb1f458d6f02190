"""From the fates of parcels to what is written: pure, so that the sum of all events closes by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from analytics_api.deliver.parcel import ENDED, Behind, Given, Parcel
from analytics_api.domain.backoff import backoff
from analytics_api.domain.outcome import (
    Dead,
    Delivered,
    EndState,
    Retry,
    Skipped,
    SkipReason,
    Throttled,
    Unknown,
)
from analytics_api.store.deliveries import (
    READ,
    Answers,
    CountKey,
    DeadEvent,
    KeptPayload,
    ParkedEvent,
    Settlement,
)

TRIED_AGAIN = (Throttled, Retry, Unknown)


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch of events that has been dispatched."""

    parcels: Sequence[Parcel]
    position: int
    """Where the reader is."""
    upto: int
    """Where it will be when everything has been tried; the position itself for parked events."""
    cut_short: datetime | None
    """Set when the destination failed or the process ends: when to go on with what was not tried."""
    now: datetime
    waiting: dict[UUID, datetime] = field(default_factory=dict)
    """Persons whose parked events were waiting before, and until when."""
    keep: int = 0
    """How many payloads stay readable over the API."""
    answers: Answers = field(default_factory=Answers)
    """What the provider's answers came to."""


def settlement_of(work: Work) -> Settlement:
    """What to write. Events that were not tried stay in the log where the position can stay before them."""
    position = _position(work)
    settled = Settlement(
        position,
        progress=any(parcel.moved for parcel in work.parcels),
        keep=work.keep,
        answers=replace(work.answers),
    )
    until = _waits(work)
    # By plain tuples first: a stretch of thousands of events has a handful of different keys.
    passed: Counter[tuple[datetime, str]] = Counter()
    ended: Counter[tuple[datetime, str, str, str]] = Counter()
    for parcel in work.parcels:
        if parcel.marked or (parcel.single_begun and isinstance(parcel.fate, ENDED)):
            settled.begun.append(_key(parcel))
        if not parcel.parked and parcel.event.seq > position:
            settled.answers.repeated += parcel.taken
            continue
        if not parcel.parked:
            passed[parcel.event.received_at, parcel.event.event_type] += 1
        if isinstance(parcel.fate, ENDED):
            ended[_end(settled, parcel)] += 1
        else:
            settled.answers.repeated += parcel.taken
            _park(settled, parcel, work, until)
    for (received_at, event_type), number in passed.items():
        settled.read[CountKey.of(received_at, event_type, READ)] += number
    for key, number in ended.items():
        settled.counts[CountKey.of(*key)] += number
    settled.postponed = {person: moment for person, moment in until.items() if moment > work.now}
    return settled


def note_gone(settled: Settlement, rows: Sequence[ParkedEvent]) -> None:
    """Events that were deleted while they waited."""
    for row in rows:
        settled.counts[CountKey.of(row.received_at, row.event_type, EndState.SKIPPED, SkipReason.GONE)] += 1
        settled.unparked.append((row.person_id, row.seq))


def _key(parcel: Parcel) -> tuple[UUID, int]:
    return parcel.event.person_id, parcel.event.seq


def _position(work: Work) -> int:
    if work.cut_short is None:
        return work.upto
    # Up to the last event that the provider has or may have: it is not read again, and those before it are parked.
    heard = [parcel.event.seq for parcel in work.parcels if parcel.heard and not parcel.parked]
    return max(heard, default=work.position)


def _waits(work: Work) -> dict[UUID, datetime]:
    """Until when the queue of each person waits who has an event that must be tried again."""
    until = dict(work.waiting)
    for parcel in work.parcels:
        if isinstance(parcel.fate, TRIED_AGAIN):
            person = parcel.event.person_id
            moment = _next_attempt(parcel.fate, parcel.attempts, work)
            until[person] = max(moment, until.get(person, moment))
    return until


def _next_attempt(fate: Throttled | Retry | Unknown, attempts: int, work: Work) -> datetime:
    if isinstance(fate, Throttled):
        return work.now + timedelta(seconds=fate.seconds)
    if work.cut_short is not None:
        return work.cut_short
    wait = fate.after if fate.after is not None else backoff(attempts + 1)
    return work.now + timedelta(seconds=max(wait, 0.1))


def _end(settled: Settlement, parcel: Parcel) -> tuple[datetime, str, str, str]:
    """Note how an event ended. Returns what it is counted by, as `CountKey.of` takes it."""
    event, fate = parcel.event, parcel.fate
    if isinstance(fate, Delivered):
        records = len(parcel.payloads or ())
        settled.answers.events += 1
        settled.answers.records += records
        settled.answers.repeated += parcel.taken - records
        if settled.keep:
            settled.kept.extend(
                KeptPayload(event.person_id, event.event_id, event.event_type, payload.body.decode())
                for payload in parcel.payloads or ()
            )
    outcome, reason = EndState.DELIVERED, ""
    if isinstance(fate, Skipped):
        outcome, reason = EndState.SKIPPED, fate.reason.value
    elif isinstance(fate, Given):
        outcome = EndState.UNKNOWN
        settled.answers.unknown += parcel.taken
    elif isinstance(fate, Dead):
        outcome = EndState.DEAD
        settled.answers.dead += parcel.taken
        settled.dead.append(
            DeadEvent(
                event.person_id,
                event.seq,
                event.event_id,
                event.event_type,
                event.occurred_at,
                event.received_at,
                fate.words,
                parcel.attempts + 1,
                fate.kind,
            )
        )
    if parcel.parked:
        settled.unparked.append(_key(parcel))
    return event.received_at, event.event_type, outcome, reason


def _park(settled: Settlement, parcel: Parcel, work: Work, until: dict[UUID, datetime]) -> None:
    event, fate = parcel.event, parcel.fate
    tried = isinstance(fate, TRIED_AGAIN)
    if parcel.parked and not tried:
        # Its row stays as it is; `postponed` moves it with the rest of its person's queue.
        return
    uncertain = isinstance(fate, Unknown)
    settled.parked.append(
        ParkedEvent(
            event.person_id,
            event.seq,
            event.event_type,
            event.occurred_at,
            event.received_at,
            parcel.attempts + 1 if tried else parcel.attempts,
            _reason(parcel),
            until.get(event.person_id, work.cut_short or work.now),
            work.now if uncertain else None,
            parcel.sent_as if uncertain else None,
        )
    )


def _reason(parcel: Parcel) -> str:
    fate = parcel.fate
    if isinstance(fate, TRIED_AGAIN):
        return fate.words
    return "behind" if isinstance(fate, Behind) else "not tried yet"

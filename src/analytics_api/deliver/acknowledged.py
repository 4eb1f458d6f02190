"""What a provider acknowledges, counted request by request, to be compared with what is held as delivered."""

from __future__ import annotations

from collections.abc import Sequence

from analytics_api.deliver.parcel import Parcel
from analytics_api.deliver.providers.port import Counted, Payload, all_delivered
from analytics_api.domain.outcome import Delivered, Outcome, Unknown
from analytics_api.store.deliveries import Answers

_MOST = 1_000_000
"""A provider that says it took more than this from one request says nothing."""


def note_answer(
    answers: Answers,
    parcels: Sequence[Parcel],
    groups: Sequence[Sequence[Payload]],
    outcomes: Sequence[Outcome],
) -> None:
    """Count one request. `groups` are the payloads of each parcel, `outcomes` those of all payloads in turn."""
    taken = before = start = 0
    whole = all_delivered(outcomes)
    for parcel, group in zip(parcels, groups, strict=True):
        arrived = len(group)
        if not whole:
            arrived = sum(isinstance(found, Delivered) for found in outcomes[start : start + len(group)])
        start += len(group)
        parcel.taken += arrived
        taken += arrived
        if parcel.sent_before:
            before += arrived
    answers.requests += 1
    answers.sent += len(outcomes)
    answers.unanswered += 0 if whole else sum(isinstance(found, Unknown) for found in outcomes)
    if not isinstance(outcomes, Counted) or not 0 <= outcomes.number <= _MOST:
        answers.acknowledged += taken
        return
    missing = taken - outcomes.number
    duplicates = min(max(missing, 0), before)
    answers.acknowledged += outcomes.number
    answers.counted += outcomes.number
    answers.duplicates += duplicates
    answers.uncounted += missing - duplicates

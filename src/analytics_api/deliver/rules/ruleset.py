"""Rules, applied: what becomes of an event is a function of the event alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from analytics_api.deliver.rules.conditions import Test, test_of
from analytics_api.deliver.rules.declared import ConsentGate, Rules, Sampling
from analytics_api.deliver.rules.draft import Draft
from analytics_api.deliver.rules.mapping import Step, step_of
from analytics_api.deliver.rules.patterns import matcher
from analytics_api.domain.event import EventType, StoredEvent
from analytics_api.domain.outcome import Skipped, SkipReason

ANY = "*"
_MOST_TYPES = 2_048
"""Event types whose verdict is remembered."""


class RuleSet:
    """The rules of a destination, ready to be applied."""

    def __init__(self, declared: Rules) -> None:
        self.declared = declared
        self._includes = lru_cache(_MOST_TYPES)(_includes(declared.include, declared.exclude))
        self._all_of = [test_of(condition) for condition in declared.all_of]
        self._any_of = [test_of(condition) for condition in declared.any_of]
        self._steps = [step_of(mapping) for mapping in declared.mapping]
        self._by_type_alone = (
            declared.consent is None
            and declared.sample is None
            and not (self._all_of or self._any_of or self._steps)
        )

    def apply(self, event: StoredEvent) -> StoredEvent | Skipped:
        """The event as this destination is to be told of it, with the ids, person and times it has; or why it is not.

        Raises ValueError when the event's JSON cannot be read, which the log does not let happen.
        """
        if not self._includes(event.event_type):
            return Skipped(SkipReason.FILTER)
        if self._by_type_alone:
            return event
        declared, draft = self.declared, Draft(event)
        if not _holds(draft, self._all_of, self._any_of):
            return Skipped(SkipReason.FILTER)
        if declared.consent is not None and not _consents(draft, declared.consent):
            return Skipped(SkipReason.CONSENT)
        if declared.sample is not None and not _is_in(event, declared.sample):
            return Skipped(SkipReason.SAMPLED)
        return self._mapped(draft, self._steps)

    @staticmethod
    def _mapped(draft: Draft, steps: Sequence[Step]) -> StoredEvent:
        for step in steps:
            step(draft)
        return draft.event()


def _includes(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    included, excluded = matcher(include or [ANY]), matcher(exclude)
    asked = matcher([pattern for pattern in include if pattern != ANY])

    def includes(event_type: str) -> bool:
        wanted = asked if event_type == EventType.API_REQUEST else included
        return wanted(event_type) and not excluded(event_type)

    return includes


def _holds(draft: Draft, all_of: Sequence[Test], any_of: Sequence[Test]) -> bool:
    return all(test(draft) for test in all_of) and (not any_of or any(test(draft) for test in any_of))


def _consents(draft: Draft, gate: ConsentGate) -> bool:
    stated: Any = draft.section("context").get("consent")
    if isinstance(stated, dict) and isinstance(stated.get("categoryPreferences"), dict):
        stated = stated["categoryPreferences"]
    given = stated if isinstance(stated, dict) else {}
    return all(_grants(given.get(purpose), gate) for purpose in gate.purposes)


def _grants(answer: object, gate: ConsentGate) -> bool:
    """`granted` is Google's word in consent mode. Whatever else is said is no consent."""
    if answer is None:
        return gate.not_stated == "send"
    return answer is True or answer == "granted"


def _is_in(event: StoredEvent, sampling: Sampling) -> bool:
    """Events of nobody are each by themselves: their person is made of the event's id."""
    place = hashlib.blake2b(event.person_id.bytes + sampling.seed.encode(), digest_size=8).digest()
    return int.from_bytes(place, "big") < sampling.percent / 100 * 2**64


NO_RULES = RuleSet(Rules())
"""All events but the requests to this API, as they are."""

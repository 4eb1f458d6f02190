"""Cohorts: groups of persons by what they did and what they are like; as JSON:

    {"did": [{"event": "login", "at_least": 3, "within_days": 30}, {"event": "payment_completed", "at_most": 0}],
     "are": [{"path": "person.plan", "op": "is", "value": "pro"}]}

All of it must hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analytics_api.domain.filters import PERSON_SECTIONS, AllOf, as_json, conditions, in_words, parse_filters

MOST_RULES = 10
LONGEST_TYPE = 200
MOST_TIMES = 1_000_000
MOST_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Did:
    """How often something was done."""

    event_type: str | None
    """None: any event that makes its person active."""
    filters: AllOf
    at_least: int = 1
    at_most: int | None = None
    within_days: int | None = None
    """Local days that end today; None: ever; how often, as far as events are stored."""

    def in_words(self) -> str:
        """For people: `did login at least 3 times in the last 30 days`."""
        words = f"did {self.event_type or 'any active event'}"
        if self.filters.parts:
            words += f" where {in_words(self.filters)}"
        if self.at_most is None:
            words += f" at least {_times(self.at_least)}"
        elif self.at_least:
            words += f" {self.at_least} to {_times(self.at_most)}"
        else:
            words += f" at most {_times(self.at_most)}"
        return words if self.within_days is None else f"{words} in the last {self.within_days} days"

    def as_json(self) -> dict[str, Any]:
        """What `parse_behaviour` makes the same of."""
        written: dict[str, Any] = {"at_least": self.at_least}
        if self.event_type is not None:
            written["event"] = self.event_type
        if self.filters.parts:
            written["filters"] = as_json(self.filters)
        if self.at_most is not None:
            written["at_most"] = self.at_most
        if self.within_days is not None:
            written["within_days"] = self.within_days
        return written


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Who did all of this and is like that."""

    did: tuple[Did, ...]
    are: AllOf

    def in_words(self) -> str:
        """For people."""
        return " and ".join([*(rule.in_words() for rule in self.did), *filter(None, [in_words(self.are)])])

    def as_json(self) -> dict[str, Any]:
        """What `parse_behaviour` makes the same of."""
        return {"did": [rule.as_json() for rule in self.did], "are": as_json(self.are)}


def parse_behaviour(value: object, where: str = "people") -> Behaviour:
    """From JSON. Raises ValueError whose words begin with the place: `people.did[0].at_least: ...`."""
    if not isinstance(value, dict):
        raise ValueError(f'{where}: write an object such as {{"did": [{{"event": "login"}}]}}')
    _only(value, ("did", "are"), where)
    did, are = value.get("did", []), value.get("are", [])
    if not isinstance(did, list) or len(did) > MOST_RULES:
        raise ValueError(f"{where}.did: give a list of at most {MOST_RULES} rules")
    behaviour = Behaviour(
        tuple(_parse_did(each, f"{where}.did[{number}]") for number, each in enumerate(did)),
        parse_filters(are, f"{where}.are"),
    )
    for condition in conditions(behaviour.are):
        if condition.path.section not in PERSON_SECTIONS:
            raise ValueError(
                f"{where}.are: {condition.path} is of events; begin with person. or first_touch."
            )
    if not behaviour.did and not behaviour.are.parts:
        raise ValueError(f"{where}: say what they did, or what they are like")
    return behaviour


def _parse_did(value: object, where: str) -> Did:
    if not isinstance(value, dict):
        raise ValueError(f'{where}: write an object such as {{"event": "login", "at_least": 3}}')
    _only(value, ("event", "filters", "at_least", "at_most", "within_days"), where)
    event = value.get("event")
    if event is not None and not (
        isinstance(event, str) and event.isprintable() and 0 < len(event) <= LONGEST_TYPE
    ):
        raise ValueError(
            f"{where}.event: an event type is a text of 1 to {LONGEST_TYPE} printable characters"
        )
    at_most = _number(value.get("at_most"), 0, MOST_TIMES, f"{where}.at_most")
    at_least = _number(value.get("at_least"), 0, MOST_TIMES, f"{where}.at_least")
    if at_least is None:
        at_least = 1 if at_most is None else 0
    if (at_least == 0 and at_most is None) or (at_most is not None and at_most < at_least):
        raise ValueError(
            f"{where}: at_least 0 alone asks for nothing, and at_most must not be below at_least"
        )
    within_days = _number(value.get("within_days"), 1, MOST_DAYS, f"{where}.within_days")
    return Did(
        event, parse_filters(value.get("filters", []), f"{where}.filters"), at_least, at_most, within_days
    )


def _times(number: int) -> str:
    return "1 time" if number == 1 else f"{number} times"


def _number(given: object, least: int, most: int, where: str) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise ValueError(f"{where}: give a whole number from {least} to {most}")
    return given


def _only(value: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{where}.{unknown}: is not known here; use {', '.join(known)}")

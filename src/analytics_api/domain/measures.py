"""What a project's own metric measures: events or persons counted, a property summed up, or one of these / another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from analytics_api.domain.filters import (
    EVERY_EVENT,
    AllOf,
    Path,
    as_json,
    asks_person,
    in_words,
    parse_filters,
)

MOST_TYPES = 100
LONGEST_TYPE = 200


class Of(StrEnum):
    """How a bucket's events become one number."""

    EVENTS = "events"
    PERSONS = "persons"
    """Distinct persons; events of nobody are left out."""
    SUM = "sum"
    AVERAGE = "average"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    PERCENTILE = "percentile"
    """The smallest value that at least so many percent of the values do not exceed (nearest rank)."""


COUNTS = (Of.EVENTS, Of.PERSONS)
ADDITIVE = (Of.EVENTS, Of.PERSONS, Of.SUM)
"""Those that are 0 without events; the others are null."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a bucket's events."""

    of: Of
    events: tuple[str, ...] = ()
    """Event types; all when there are none."""
    filters: AllOf = EVERY_EVENT
    path: Path | None = None
    """The numbers that are summed up or looked at."""
    percentile: Decimal | None = None

    def holds(self, other: Measure) -> bool:
        """Whether all that the other one counts is counted here, too, as far as their definitions say so."""
        return (
            self.of is other.of
            and self.of in COUNTS
            and (not self.events or (bool(other.events) and set(other.events) <= set(self.events)))
            and set(self.filters.parts) <= set(other.filters.parts)
        )

    @property
    def concerns_persons(self) -> bool:
        """Whether it matters who is who."""
        return self.of is Of.PERSONS or asks_person(self.filters)

    def in_words(self) -> str:
        """For people: `Distinct persons with file_uploaded where event_data.type is wav`."""
        which = " or ".join(self.events) or "any event"
        words = {
            Of.EVENTS: f"Events {which}" if self.events else "Events of any type",
            Of.PERSONS: f"Distinct persons with {which}",
            Of.PERCENTILE: f"Percentile {float(self.percentile or 0):g} of {self.path} over {which}",
        }.get(self.of, f"{self.of.value.capitalize()} of {self.path} over {which}")
        return f"{words} where {in_words(self.filters)}" if self.filters.parts else words


@dataclass(frozen=True, slots=True)
class Ratio:
    """One number / another."""

    numerator: Measure
    denominator: Measure

    @property
    def is_proportion(self) -> bool:
        """Whether the numerator is a part of the denominator."""
        return self.denominator.holds(self.numerator)

    @property
    def concerns_persons(self) -> bool:
        """Whether it matters who is who."""
        return self.numerator.concerns_persons or self.denominator.concerns_persons

    def in_words(self) -> str:
        """For people."""
        bottom = self.denominator.in_words()
        return f"{self.numerator.in_words()} / {bottom[:1].lower()}{bottom[1:]}"


Measured = Measure | Ratio


def parse_measured(value: object, where: str = "measure") -> Measured:
    """From JSON. Raises ValueError whose words begin with the place: `measure.numerator.of: ...`."""
    if isinstance(value, Mapping) and ("numerator" in value or "denominator" in value):
        _only(value, ("numerator", "denominator"), where)
        return Ratio(
            _parse(value.get("numerator"), f"{where}.numerator"),
            _parse(value.get("denominator"), f"{where}.denominator"),
        )
    return _parse(value, where)


def measured_json(measured: Measured) -> dict[str, Any]:
    """What `parse_measured` makes the same of. Equal ones give equal JSON."""
    if isinstance(measured, Ratio):
        return {
            "numerator": measured_json(measured.numerator),
            "denominator": measured_json(measured.denominator),
        }
    written: dict[str, Any] = {"of": measured.of.value, "events": list(measured.events)}
    if measured.path is not None:
        written["property"] = str(measured.path)
    if measured.percentile is not None:
        written["percentile"] = float(measured.percentile)
    if measured.filters.parts:
        written["filters"] = as_json(measured.filters)
    return written


def _only(value: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{where}.{unknown}: is not known here; use {', '.join(known)}")


def _parse(value: object, where: str) -> Measure:
    if not isinstance(value, Mapping):
        raise ValueError(
            f'{where}: write an object such as {{"of": "events", "events": ["file_uploaded"]}}, or one with numerator and denominator'
        )
    _only(value, ("of", "events", "filters", "property", "percentile"), where)
    if value.get("of") not in list(Of):
        raise ValueError(f"{where}.of: use one of {', '.join(Of)}")
    of = Of(value["of"])
    return Measure(
        of,
        _events(value.get("events", []), f"{where}.events"),
        parse_filters(value.get("filters", []), f"{where}.filters"),
        _property(of, value.get("property"), f"{where}.property"),
        _percentile(of, value.get("percentile"), f"{where}.percentile"),
    )


def _events(given: object, where: str) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) > MOST_TYPES:
        raise ValueError(f"{where}: give a list of at most {MOST_TYPES} event types; an empty one means all")
    for name in given:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_TYPE:
            raise ValueError(f"{where}: an event type is a text of 1 to {LONGEST_TYPE} printable characters")
    return tuple(sorted(set(given)))


def _property(of: Of, given: object, where: str) -> Path | None:
    if of in COUNTS:
        if given is not None:
            raise ValueError(f"{where}: leave it out; {of} are counted")
        return None
    try:
        return Path.parse(given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _percentile(of: Of, given: object, where: str) -> Decimal | None:
    if of is not Of.PERCENTILE:
        if given is not None:
            raise ValueError(f"{where}: leave it out; only percentile takes one")
        return None
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal) or not 0 < given <= 100:
        raise ValueError(f"{where}: give a number above 0, up to 100, as in 95")
    return Decimal(str(given))

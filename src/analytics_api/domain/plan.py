"""The words of a tracking plan: what a project expects of its events, and what is found when one is different."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from analytics_api.domain.event import NewEvent


class PlanMode(StrEnum):
    """What happens to an event that breaks the plan."""

    OBSERVE = "observe"
    """It is accepted and a warning is counted."""
    REJECT = "reject"
    QUARANTINE = "quarantine"
    """It is kept aside, uncounted and undelivered, until it is released or discarded."""


class UnknownTypes(StrEnum):
    """What happens to an event whose type the plan does not have."""

    SAME = "same"
    """The same as to one that breaks its schema."""
    ALLOW = "allow"
    """It is accepted without a word to its sender, and counted among the warnings."""


class WarningKind(StrEnum):
    """What intake found odd about events."""

    UNKNOWN_TYPE = "unknown_type"
    SCHEMA = "schema"
    UNKNOWN_FIELD = "unknown_field"
    PERSONAL_DATA = "personal_data"
    TIME_CLAMPED = "time_clamped"
    SOURCE = "source"
    MONEY = "money"
    REJECTED = "rejected"
    OTHER = "other"
    """Stands for further warnings that a project has no more room for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as planned. `path` names a field, without the places in lists: `event_data.items[].price`."""

    kind: WarningKind
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedType:
    """What is expected of an event type. `schema` is a JSON Schema (draft 2020-12) of `event_data`."""

    schema: dict[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event for quarantine, and why it is held."""

    event: NewEvent
    finding: Finding

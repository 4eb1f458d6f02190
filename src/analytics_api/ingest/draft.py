"""What the pipeline works on: one event on its way, and the circumstances of the request that brought it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from analytics_api.domain.plan import Finding, WarningKind
from analytics_api.domain.privacy import Refusal
from analytics_api.domain.project import Project
from analytics_api.ingest.enrichment.visitors import Enricher, default_enricher
from analytics_api.ingest.payloads import EventPayload
from analytics_api.ingest.plan.plans import Plan
from analytics_api.ingest.privacy.filter import DEFAULT_FILTER, PersonalDataFilter, Removal


class Status(StrEnum):
    """What became of an event that was sent."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


class Rejected(Exception):
    """This event cannot be taken; the text says which field and how to mend it."""


class Refused(Rejected):
    """Nothing is wrong with this event, and it is not stored: its person does not want it."""

    def __init__(self, words: str, refusal: Refusal) -> None:
        super().__init__(words)
        self.refusal = refusal


class Warned(NamedTuple):
    """Something odd about an event that is taken all the same."""

    kind: WarningKind
    path: str
    text: str
    told: bool = True
    """Whether its sender is told; counted it is always."""


@dataclass(slots=True)
class Reception:
    """The circumstances of a request. Like Result not to be changed, and not frozen: that would cost 2 µs a request."""

    project: Project
    trusted: bool
    """Whether the sender may be believed about money and old times (server key)."""
    received_at: datetime
    skew: timedelta
    reach: timedelta | None
    keep_pii: bool
    idempotency_key: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    edge_country: str | None = None
    """Country of the client as a trusted proxy states it."""
    enricher: Enricher = field(default_factory=default_enricher)
    plan: Plan | None = None
    pii: PersonalDataFilter = DEFAULT_FILTER
    """That of the project."""
    refusal: Refusal | None = None
    """Why nothing of the request is stored: a signal of the browser that the project honours."""
    visitor_salt: bytes | None = None
    """For ids of visitors who send none; None where the project makes none."""


@dataclass(slots=True)
class Draft:
    """An event on its way through the pipeline."""

    index: int
    payload: EventPayload
    size: int
    event_data: dict[str, Any]
    context: dict[str, Any]
    user_properties: dict[str, Any] | None
    event_json: bytes = b""
    """`event_data` as it is stored."""
    context_json: bytes = b""
    """`context` as it is stored."""
    properties_json: bytes = b""
    """`user_properties` as they were sent."""
    event_id: UUID | None = None
    keyed: bool = True
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    person_id: UUID | None = None
    has_person: bool = False
    occurred_at: datetime | None = None
    revenue: Decimal | None = None
    currency: str | None = None
    is_bot: bool = False
    warnings: list[Warned] = field(default_factory=list)
    removed: list[Removal] = field(default_factory=list)
    """Personal data that did not get in."""
    consent: str | None = None
    """JSON of `context.consent`, to be kept as proof."""
    held: Finding | None = None
    """Why it goes into quarantine instead of the log."""

    def warn(self, kind: WarningKind, path: str, text: str) -> None:
        """Note a warning for the sender and the list of warnings."""
        self.warnings.append(Warned(kind, path, text))


@dataclass(slots=True)
class Result:
    """The answer for one event. Not to be changed; not frozen, because that makes each one cost 1 µs more."""

    index: int
    event_id: UUID | None
    status: Status
    reason: str | None = None
    warnings: tuple[str, ...] = ()

"""One event on its way to one destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from analytics_api.deliver.providers.port import Limits, Payload
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, Delivered, Retry, Skipped, Throttled, Unknown


@dataclass(frozen=True, slots=True)
class Behind:
    """It waits because an earlier event of the same person does."""


@dataclass(frozen=True, slots=True)
class Given:
    """It may or may not have arrived, and it is not sent again: the provider could not tell a repetition."""

    words: str


Fate = Delivered | Skipped | Dead | Given | Throttled | Retry | Unknown | Behind
"""What has become of a parcel: one of the first four ends its way, with any other it is parked."""

ENDED = (Delivered, Skipped, Dead, Given)

RequestKind = tuple[str, bool]
"""What the payloads of one request have in common: the endpoint, and whether they may be sent only once."""


def kind_of(payload: Payload) -> RequestKind:
    """The kind of request that a payload goes into."""
    return payload.endpoint, payload.once


@dataclass(slots=True)
class Parcel:
    """An event, its payloads and how far they have come in this run."""

    event: StoredEvent
    parked: bool = False
    """Whether it comes from the parked events."""
    attempts: int = 0
    """Before this run."""
    uncertain_since: datetime | None = None
    """Since when it may already be at the provider."""
    sent_as: str | None = None
    """The event type that it is, or may already have been, sent under."""
    single_begun: bool = False
    """A single attempt began in an earlier run that did not live to tell its end."""
    payloads: list[Payload] | None = None
    """None until rendered."""
    size: int = 0
    """Bytes of all payloads with the commas between them."""
    only_kind: RequestKind | None = None
    """The kind of request that all payloads go into; None when they go into several."""
    arrived: int = 0
    """How many of the payloads the provider has."""
    sent_before: bool = False
    """Whether the provider may have records of it from an earlier run."""
    taken: int = 0
    """How many records the provider has acknowledged in this run, those sent again included."""
    fate: Fate | None = None
    heard: bool = False
    """Whether the fate is the provider's verdict; one made here is made again when the event is read again."""
    marked: bool = False
    """Whether a single attempt was begun in this run."""

    def hold(self, payloads: list[Payload]) -> None:
        """Take the payloads that the event was rendered to."""
        self.payloads = payloads
        if len(payloads) == 1:
            self.only_kind, self.size = kind_of(payloads[0]), len(payloads[0].body) + 1
            return
        kinds = {kind_of(payload) for payload in payloads}
        self.only_kind = kinds.pop() if len(kinds) == 1 else None
        self.size = sum(len(payload.body) + 1 for payload in payloads)

    @property
    def rest(self) -> list[Payload]:
        """The payloads that have not arrived."""
        return (self.payloads or [])[self.arrived :]

    @property
    def next_kind(self) -> RequestKind:
        """The kind of request that the next payload goes into."""
        return kind_of(self.rest[0])

    def next_payloads(self, kind: RequestKind) -> list[Payload]:
        """The payloads that go together into the next request."""
        if self.only_kind == kind:
            return self.rest if self.arrived else self.payloads or []
        return list(takewhile(lambda payload: kind_of(payload) == kind, self.rest))

    @property
    def moved(self) -> bool:
        """Whether the provider has settled it."""
        return self.heard and isinstance(self.fate, ENDED)


LEARNED_FOR = timedelta(hours=1)
ENVELOPE = 1_000
"""Bytes left free for what is around the records: key, options, brackets."""


class RequestSize:
    """How much goes into a request: the operator's number of events, the provider's limits, and what it has refused."""

    def __init__(self, events: int, limits: Limits) -> None:
        self.events = events
        self.records = limits.records
        self._size = limits.size - ENVELOPE
        self._learned: tuple[int, datetime] | None = None

    def learn(self, size: int, now: datetime) -> None:
        """The provider has refused a request as too large: send at most `size` bytes for an hour."""
        self._learned = (max(size, 1), now + LEARNED_FOR)

    def bytes_at(self, now: datetime) -> int:
        """Bytes that a request may have."""
        if self._learned is None or now >= self._learned[1]:
            return self._size
        return min(self._learned[0], self._size)

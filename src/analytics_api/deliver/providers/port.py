"""The port: what the delivery of events asks of a provider, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from analytics_api.domain.erasure import Deletion, PersonIds
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, Delivered, Outcome, Skipped
from analytics_api.outbound.connections import Client


@dataclass(slots=True)
class Payload:
    """One record for a provider: the same bytes in every attempt.

    Not to be changed; not frozen, because that makes each one cost a microsecond more.
    """

    endpoint: str
    """Where it goes, in the provider's words. Payloads of one request share it."""
    body: bytes
    """One JSON object."""
    person: tuple[str, ...] = ()
    """The ids under which the provider knows the person, to read who is throttled."""
    once: bool = False
    """Whether a second arrival would count twice: after a lost answer it is not sent again."""
    order: str = ""
    """Payloads of one person that share this word arrive in the order of the log; others may overtake them."""


Rendered = list[Payload] | Skipped | Dead


class Counted(list[Outcome]):
    """The outcomes of a request whose answer also says how many of its records were taken."""

    def __init__(self, outcomes: Iterable[Outcome], number: int) -> None:
        super().__init__(outcomes)
        self.number = number


def counted(outcomes: list[Outcome], number: object) -> list[Outcome]:
    """The outcomes with the number that an answer holds, if it holds one."""
    return Counted(outcomes, number) if type(number) is int else outcomes


def all_delivered(outcomes: Iterable[Outcome]) -> bool:
    """Whether the provider took everything, as it nearly always does; told faster than outcome by outcome."""
    return {*map(type, outcomes)} == {Delivered}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold."""

    records: int
    size: int
    """Bytes of the uncompressed JSON."""


class Provider(Protocol):
    """One destination's provider. Holds its own credentials and address; keeps nothing about events."""

    name: str
    limits: Limits
    dedupes_for: timedelta | None
    """How long a second arrival is recognised; zero: never; None: for ever."""
    secrets: tuple[str, ...]
    """Texts that must not show in what is stored or logged."""
    keep: int
    """How many of the last payloads stay readable over the API; 0 for a real provider."""

    def render(self, event: StoredEvent) -> Rendered:
        """The payloads of an event, in the order in which they must arrive. Pure: a second call gives the same bytes."""
        ...

    async def send(self, client: Client, payloads: Sequence[Payload]) -> list[Outcome]:
        """One attempt with one request; an outcome for each payload. Payloads share an endpoint.

        Counted, where the answer holds a number, so that it can be compared with what is held as delivered.
        Raises nothing but cancellation: what goes wrong on the network is an outcome, too.
        """
        ...


@runtime_checkable
class Deletes(Protocol):
    """A provider with a call that deletes a person, whose credentials may or may not be set."""

    async def delete_person(self, client: Client, ids: PersonIds) -> Deletion:
        """Ask for it. WAITING: it was not taken and is asked for again; IMPOSSIBLE says why."""
        ...

    async def deletion_state(self, client: Client, ids: PersonIds, tracking: Sequence[str]) -> Deletion:
        """How far it is."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """A provider that can be asked whether it would take what it is sent, without storing anything."""

    async def check(self, client: Client) -> list[str]:
        """What the other side finds wrong, in its words; nothing when all is well or it could not be asked."""
        ...

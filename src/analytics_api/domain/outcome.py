"""What an attempt to deliver can come to: a closed set of outcomes, read from a provider's answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SkipReason(StrEnum):
    """Why an event is not for a destination."""

    FILTER = "filter"
    """The destination's rules leave this type of event out."""
    CONSENT = "consent"
    """The event does not carry the consent that the destination's rules ask for."""
    SAMPLED = "sampled"
    """Its person is not in the sample that the destination gets."""
    NO_PERSON = "no_person"
    """The destination takes only events of somebody."""
    SANDBOX = "sandbox"
    """Sandbox mode is on: nothing leaves this machine."""
    EMPTY = "empty"
    """The event says nothing that the destination could hold, such as `$identify` without properties."""
    REPETITION = "repetition"
    """A replay leaves out what the destination would count twice."""
    FORWARDED = "forwarded"
    """The page has handed it to the provider itself."""
    GONE = "gone"
    """The event was deleted (retention, erasure) while it waited."""


class EndState(StrEnum):
    """What finally became of an event at a destination; counted once each."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"
    DEAD = "dead"
    UNKNOWN = "unknown"


class DeadKind(StrEnum):
    """What a dead event died of."""

    REFUSED = "refused"
    """The provider does not take it."""
    FORM = "form"
    """It cannot be put into the provider's form, so it was not sent."""
    TOO_LARGE = "too_large"
    """The provider finds it too large, alone in a request."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The provider has it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """It is not for this destination."""

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Dead:
    """The provider refuses it for good; `words` are the provider's, or ours where we refuse in its place."""

    words: str
    kind: DeadKind = DeadKind.REFUSED


@dataclass(frozen=True, slots=True)
class Retry:
    """Surely not taken, and it may be tried again: after `after` seconds, or with backoff when that is None."""

    words: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost or unreadable: it may have been taken. Same bytes again, if the provider deduplicates."""

    words: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Resend:
    """Not taken only because of others in the same request: send again at once, without them."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Not taken: the provider wants to hear nothing of this person for some seconds. Others may flow."""

    seconds: float
    words: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request was too large: halve it. `limit` is the number of bytes, where the answer names it."""

    words: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was refused without a word on which event is to blame: halve it until that one stands alone."""

    words: str


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing can be delivered until somebody mends the configuration, such as bad credentials."""

    words: str


Outcome = Delivered | Dead | Retry | Unknown | Resend | Throttled | TooLarge | Refused | Paused
"""What a provider's answer says about one payload."""

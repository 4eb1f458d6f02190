"""The words of erasure, anonymisation and export. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """What is done with the data of a person, or with chosen events."""

    ERASE = "erase"
    ANONYMISE = "anonymise"
    """Events stay and are nobody's in particular: ids, user properties and all but coarse context go."""


class JobState(StrEnum):
    """Whether somebody has to do something."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class Stage(StrEnum):
    """How far a job is. Each stage may be begun again after a crash, and ends as if it had been begun once."""

    SUPPRESS = "suppress"
    """Nothing of the person comes in any more, and nothing goes out."""
    WAIT = "wait"
    """Readers end the chunks that they had claimed before."""
    DELETE = "delete"
    RECOUNT = "recount"
    """Rollups of days that are not sealed."""
    PROVIDERS = "providers"
    """The deletion APIs of the destinations, followed to the end of their jobs."""
    REPORT = "report"


class DeletionState(StrEnum):
    """How far the deletion at one destination is."""

    WAITING = "waiting"
    """Not asked for yet, or the request failed and is made again."""
    REQUESTED = "requested"
    """The provider has a job for it."""
    DONE = "done"
    FAILED = "failed"
    """The provider says so for good; a human must look."""
    IMPOSSIBLE = "impossible"
    """The provider has no such call, or none for these ids, or its credentials are not set."""

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (DeletionState.WAITING, DeletionState.REQUESTED)


@dataclass(frozen=True, slots=True)
class PersonIds:
    """The ids under which events of a person were sent, and so the providers know them."""

    user_ids: tuple[str, ...]
    anonymous_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of a request to delete at a provider."""

    state: DeletionState
    tracking: tuple[str, ...] = ()
    """The provider's job ids."""
    words: str = ""
    """The provider's own, or why it cannot be done."""

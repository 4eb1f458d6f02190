"""What a job is about: a person, or chosen events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from analytics_api.store.erasure import Scope
from analytics_api.store.event_choice import EventChoice


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, by the id that was given, or a choice of events. Kept with the job for as long as it is needed."""

    user_id: str | None = None
    anonymous_id: str | None = None
    choice: EventChoice | None = None
    upto: int = 0
    """The last sequence number that is chosen from."""
    persons: tuple[UUID, ...] = ()
    """Everybody who counts as the person, as events were sent for them."""
    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()
    """Under which ids the providers know them."""
    secret: str | None = None
    """Of an anonymisation: new ids are made with it, and it is destroyed with this."""
    keep_out: bool = True
    """Whether an erased person is kept out for good."""
    propagate: bool = True
    """Whether the destinations are asked to delete the person, too."""

    @property
    def is_person(self) -> bool:
        """Whether it is about a person."""
        return self.choice is None

    @property
    def scope(self) -> Scope:
        """The events."""
        return Scope(frozenset(self.persons), self.choice, self.upto or 2**63 - 1)

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the job."""
        return {
            "user_id": self.user_id,
            "anonymous_id": self.anonymous_id,
            "choice": None if self.choice is None else json.loads(self.choice.to_json()),
            "upto": self.upto,
            "persons": [str(person) for person in self.persons],
            "user_ids": list(self.user_ids),
            "anonymous_ids": list(self.anonymous_ids),
            "secret": self.secret,
            "keep_out": self.keep_out,
            "propagate": self.propagate,
        }

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        choice = held["choice"]
        return cls(
            **{
                **held,
                "choice": None if choice is None else EventChoice.from_json(json.dumps(choice)),
                "persons": tuple(map(UUID, held["persons"])),
                "user_ids": tuple(held["user_ids"]),
                "anonymous_ids": tuple(held["anonymous_ids"]),
            }
        )

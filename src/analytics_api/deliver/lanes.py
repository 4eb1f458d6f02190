"""Who sends which of a stretch of events, and when: a person's events never in two lanes, and in the order of the log."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from analytics_api.deliver.parcel import Parcel, RequestKind


class Line:
    """What no lane has taken yet. A lane that is free takes what comes next, so that requests are full and a slow answer holds
    up nobody but the persons whose events it is about.
    """

    def __init__(self, parcels: Iterable[Parcel]) -> None:
        self.waiting = deque(parcels)
        self.homes: dict[UUID, Lane] = {}
        """Which lane has events of a person at the moment: it gets the later ones, too."""


class Lane:
    """One request in flight at a time."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._own: deque[Parcel] = deque()
        self._persons: list[UUID] = []

    @property
    def first(self) -> Parcel | None:
        """The parcel whose turn it is, until it is taken; None when nothing is left."""
        line = self._line
        while not self._own and line.waiting:
            parcel = line.waiting.popleft()
            person = parcel.event.person_id
            home = line.homes.setdefault(person, self)
            if home is self:
                self._persons.append(person)
            home._own.append(parcel)
        return self._own[0] if self._own else None

    def take_first(self) -> None:
        """Take it out of the lane."""
        self._own.popleft()

    def settle(self) -> None:
        """Say that all that was taken is settled: the persons' next events may take any lane."""
        if not self._own:
            for person in self._persons:
                self._line.homes.pop(person, None)
            self._persons.clear()


def in_turn(batch: Sequence[Parcel]) -> tuple[list[Parcel], RequestKind]:
    """The next request: of the kind that takes most of the batch, without payloads that would overtake an earlier one.

    So profiles follow their events in one request each.
    """
    only = batch[0].only_kind
    if only is not None and all(parcel.only_kind == only for parcel in batch):
        return list(batch), only
    kinds = Counter(parcel.next_kind for parcel in batch)
    for kind, _ in kinds.most_common():
        left: set[tuple[UUID, str]] = set()
        chosen = []
        for parcel in batch:
            person, going = parcel.event.person_id, parcel.next_payloads(kind)
            if any((person, payload.order) in left for payload in going):
                going = []
            if going:
                chosen.append(parcel)
            left.update((person, payload.order) for payload in parcel.rest[len(going) :])
        if chosen:
            return chosen, kind
    raise ValueError("a request of nothing")

"""Which ids are one person: links between two ids, and who is who by all of them.

Everything here depends on the set of links only, never on the order in which they became known, so that merges that
come late, twice or in circles lead to the same persons.

- An anonymous id belongs to one known person. Claimed by several, it goes to the one that a server key names, then to
  the earliest claim.
- Two known persons become one only on the word of a server key; what is undone stays undone until it is said again later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from analytics_api.domain.event import EventType
from analytics_api.domain.identity import uuid5

ALIAS_FIELDS = ("alias", "from_user_id", "from_anonymous_id")
"""Fields of the event data of `$alias` and `$unalias`; one of them names the id that joins the event's own.

`alias` may be either kind of id.
"""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """What was said about one id joining another, as extremes of time, so that no order of arrival matters."""

    person_id: UUID
    """Who joins."""
    other_id: UUID
    """The known person joined."""
    known: bool
    """Whether both are known persons."""
    claimed_at: datetime | None = None
    """First claim with a public key."""
    trusted_at: datetime | None = None
    """First claim with a server key."""
    joined_at: datetime | None = None
    """Last `$alias` with a server key."""
    undone_at: datetime | None = None
    """Last `$unalias`."""

    @property
    def holds(self) -> bool:
        """Whether it stands: said, and not undone since."""
        if self.undone_at is not None:
            return self.joined_at is not None and self.joined_at > self.undone_at
        if self.known:
            return self.joined_at is not None
        return self.claimed_at is not None or self.trusted_at is not None


def combined(one: Link, other: Link) -> Link:
    """What two links between the same persons say together."""
    return replace(
        one,
        claimed_at=_pick(min, one.claimed_at, other.claimed_at),
        trusted_at=_pick(min, one.trusted_at, other.trusted_at),
        joined_at=_pick(max, one.joined_at, other.joined_at),
        undone_at=_pick(max, one.undone_at, other.undone_at),
    )


def _pick(best: Callable[[list[datetime]], datetime], *times: datetime | None) -> datetime | None:
    given = [time for time in times if time is not None]
    return best(given) if given else None


def home(links: Iterable[Link]) -> UUID | None:
    """The known person that an anonymous id belongs to by all links that start from it; None when there is none."""
    standing = [link for link in links if link.holds]
    if not standing:
        return None
    return min(
        standing,
        key=lambda link: (
            link.trusted_at is None,
            link.trusted_at or link.claimed_at or _NEVER,
            link.other_id,
        ),
    ).other_id


def heads(links: Iterable[Link]) -> dict[UUID, UUID]:
    """For every known person named by links between known persons: the one that stands for its group.

    That is the one who joined nobody; of several, or in a circle, the one with the smallest id.
    """
    neighbours: dict[UUID, set[UUID]] = defaultdict(set)
    joining: set[UUID] = set()
    for link in links:
        one, other = neighbours[link.person_id], neighbours[link.other_id]
        if link.holds:
            one.add(link.other_id)
            other.add(link.person_id)
            joining.add(link.person_id)
    found: dict[UUID, UUID] = {}
    for person in neighbours:
        if person not in found:
            group = _reachable(person, neighbours)
            head = min(group - joining or group)
            found.update(dict.fromkeys(group, head))
    return found


def _reachable(start: UUID, neighbours: Mapping[UUID, Collection[UUID]]) -> set[UUID]:
    group, waiting = {start}, [start]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other not in group:
                group.add(other)
                waiting.append(other)
    return group


def links_of(
    namespace: UUID,
    event_type: str,
    user_id: str | None,
    anonymous_id: str | None,
    event_data: Mapping[str, Any],
    *,
    trusted: bool,
    occurred_at: datetime,
) -> list[Link]:
    """What an `$identify`, `$alias` or `$unalias` says about ids. Empty when it says nothing that counts."""
    user = None if user_id is None else uuid5(namespace, "u:" + user_id)
    device = None if anonymous_id is None else uuid5(namespace, "a:" + anonymous_id)
    claim: dict[str, Any] = {"trusted_at" if trusted else "claimed_at": occurred_at}
    undo = event_type == EventType.UNALIAS
    links: list[Link] = []
    if user is not None and device is not None and not undo:
        links.append(Link(device, user, False, **claim))
    if event_type == EventType.IDENTIFY or (undo and not trusted):
        return links
    known, anonymous = _named(namespace, event_data)
    if user is None:
        # Said by the device itself before its user is known: the alias is the new user id.
        if device is not None and known is not None and not undo:
            links.append(Link(device, known, False, **claim))
        return links
    said = {"undone_at": occurred_at} if undo else {**claim, "joined_at": occurred_at if trusted else None}
    if anonymous is not None:
        links.append(Link(anonymous, user, False, **said))
    if known is not None and known != user and trusted:
        links.append(Link(known, user, True, **said))
        if undo:
            links.append(Link(user, known, True, **said))
    return links


def _named(namespace: UUID, event_data: Mapping[str, Any]) -> tuple[UUID | None, UUID | None]:
    """The known person and the anonymous id that the event data may mean."""
    either, user, device = (_text(event_data.get(field)) for field in ALIAS_FIELDS)
    user, device = user or either, device or either
    return (
        None if user is None else uuid5(namespace, "u:" + user),
        None if device is None else uuid5(namespace, "a:" + device),
    )


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None

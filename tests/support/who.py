"""Who is who by what events say, found out slowly and plainly: the oracle for merges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from analytics_api.domain.event import NewEvent
from analytics_api.domain.identity import person_of
from analytics_api.domain.project import Project

Pair = tuple[str, str]


class Claims:
    """All that was said, as plain lists."""

    def __init__(self, project: Project, events: Sequence[NewEvent]) -> None:
        self._project = project
        self.devices: dict[Pair, list[tuple[bool, datetime, bool]]] = {}
        """Device and user: claims as (public, time, whether an explicit word of a server)."""
        self.device_undos: dict[Pair, list[datetime]] = {}
        self.merges: dict[Pair, list[datetime]] = {}
        """Who joins whom."""
        self.undos: dict[Pair, list[datetime]] = {}
        for event in events:
            if event.event_type in ("$identify", "$alias", "$unalias"):
                self._hear(event)

    def _hear(self, event: NewEvent) -> None:
        data = json.loads(event.event_data)
        user, device, at = event.user_id, event.anonymous_id, event.occurred_at
        alias = event.event_type == "$alias"
        if user and device and event.event_type != "$unalias":
            self.devices.setdefault((device, user), []).append((not event.trusted, at, False))
        either = data.get("alias")
        other_user, other_device = data.get("from_user_id") or either, data.get("from_anonymous_id") or either
        if alias and not user and device and other_user:
            self.devices.setdefault((device, other_user), []).append((not event.trusted, at, False))
        if alias and user and other_device:
            self.devices.setdefault((other_device, user), []).append((not event.trusted, at, event.trusted))
        if not (user and event.trusted):
            return
        if alias and other_user and other_user != user:
            self.merges.setdefault((other_user, user), []).append(at)
        if event.event_type == "$unalias":
            if other_device:
                self.device_undos.setdefault((other_device, user), []).append(at)
            if other_user:
                self.undos.setdefault((other_user, user), []).append(at)
                self.undos.setdefault((user, other_user), []).append(at)

    def owner(self, device: str) -> str | None:
        """Whose device it is: what a server says before what a page says, then the earliest, then the smallest id."""
        found = []
        for (claimed, user), claims in self.devices.items():
            undone = self.device_undos.get((claimed, user))
            if claimed != device:
                continue
            if undone and not any(explicit and at > max(undone) for _, at, explicit in claims):
                continue
            found.append((*min(claim[:2] for claim in claims), self.person(user), user))
        return min(found)[3] if found else None

    def person(self, user: str) -> UUID:
        """A known person's id."""
        return person_of(self._project.namespace, user, None, self._project.namespace)[0]

    def standing(self) -> list[Pair]:
        """Merges that were not undone since."""
        return [
            pair
            for pair, times in self.merges.items()
            if not self.undos.get(pair) or max(times) > max(self.undos[pair])
        ]


def who_is_who(project: Project, events: Sequence[NewEvent]) -> dict[UUID, UUID]:
    """Persons, as they were sent, who are another person; each with that one."""
    claims = Claims(project, events)
    merges = claims.standing()
    joining = {user for user, _ in claims.standing()}
    users = {user for event in events for user in [event.user_id] if user}
    users |= {user for pair in claims.merges for user in pair} | {user for _, user in claims.devices}
    groups = [{user} for user in users]
    for one, other in merges:
        together = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in together] + [set().union(*together)]

    who: dict[UUID, UUID] = {}
    for group in groups:
        head = min(map(claims.person, group - joining or group))
        who |= {claims.person(user): head for user in group}
    for device in {device for device, _ in claims.devices}:
        owner = claims.owner(device)
        if owner is not None:
            who[person_of(project.namespace, None, device, project.namespace)[0]] = who[claims.person(owner)]
    return {person: other for person, other in who.items() if person != other}

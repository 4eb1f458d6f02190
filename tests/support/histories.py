"""Random histories of a project for analyses: few kinds of events, few moments, merges, bots and nobodies among them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.support.events import make_event
from tests.support.figures import record
from tests.support.who import who_is_who

KINDS = ["page_view", "feature_used", "signup_completed", "payment_completed", "api_request"]
PLANS = ["free", "pro", None]


@dataclass(frozen=True)
class Seen:
    """An event as it must count."""

    person: UUID | None
    """The canonical person; None when it names nobody."""
    time: datetime
    seq: int
    kind: str
    data: dict[str, Any]
    is_bot: bool
    automatic: bool

    @property
    def active(self) -> bool:
        return self.kind not in INACTIVE_EVENT_TYPES and not self.automatic

    def day(self, zone: ZoneInfo) -> Any:
        return self.time.astimezone(zone).date()


def make_history(project: Project, seed: int, *, around: datetime, events: int = 150) -> list[NewEvent]:
    """Events of a few users and devices within three weeks of a moment; whole hours, so that many are at the same time."""
    chance = random.Random(seed)
    made = []
    for _ in range(events):
        moment = around + timedelta(hours=chance.choice([*range(-30, 30), *range(-240, 240)]))
        user = chance.choice(["ada", "bob", "cleo", "dan", None, None])
        device = chance.choice(["d1", "d2", "d3", None])
        kind = chance.choices([*KINDS, "$identify", "$alias"], [6, 4, 3, 3, 2, 1, 1])[0]
        data: dict[str, Any] = {"plan": chance.choice(PLANS), "path": chance.choice(["/", "/a", "/b"])}
        if kind == "$identify" and not (user and device):
            kind = "page_view"
        if kind == "$alias":
            user, device, data = "ada", None, {"from_user_id": chance.choice(["bob", "cleo"])}
        made.append(
            make_event(
                project,
                kind,
                user_id=user,
                anonymous_id=device,
                occurred_at=moment,
                event_data=data,
                is_bot=chance.random() < 0.1,
                context={"automatic": True} if chance.random() < 0.1 else None,
                revenue=chance.choice(["5", "10"]) if kind == "payment_completed" else None,
            )
        )
    return made


async def record_history(database: Database, project: Project, events: list[NewEvent]) -> list[Seen]:
    """Store and count a history; what must come of it, in the order of the log."""
    await record(database, events)
    rows = await database.pool.fetch("SELECT event_id, seq FROM events WHERE project_id = $1", project.id)
    places = {row["event_id"]: row["seq"] for row in rows}
    who = who_is_who(project, events)
    return [
        Seen(
            who.get(event.person_id, event.person_id) if event.has_person else None,
            event.occurred_at.astimezone(UTC),
            places[event.event_id],
            event.event_type,
            json.loads(event.event_data),
            event.is_bot,
            "automatic" in json.loads(event.context),
        )
        for event in events
    ]

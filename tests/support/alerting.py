"""Alerts for tests: a receiver of their messages, and one project with its clock, destinations and channels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from analytics_api.alert import administration
from analytics_api.alert.administration import NewChannel
from analytics_api.alert.mailer import Mailer
from analytics_api.alert.service import Alerts
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import make_client
from analytics_api.store import readers
from analytics_api.store.alert_rules import RuleBody, list_rules
from analytics_api.store.alerts import StoredAlert, current_alerts, past_alerts
from analytics_api.store.deliveries import reader_name
from analytics_api.store.engine import Database
from tests.support.delivering import MovableClock
from tests.support.destinations import BOX
from tests.support.figures import LATE_DAYS
from tests.support.providers.server import JSON, Received, Reply, strict_json
from tests.support.providers.webhook import WebhookStandIn

JOBS = {"close-days": timedelta(hours=3), "retention": timedelta(hours=50)}


class AlertReceiver(WebhookStandIn):
    """`POST /hook` takes signed alerts, `POST /slack` what Slack's incoming webhooks take."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[JSON] = []
        """Signed messages, each id once, in the order of their first arrival."""
        self.texts: list[str] = []
        """What was posted to Slack."""

    def handle(self, request: Received) -> Reply:
        body = strict_json(request.body)
        if request.path == "/slack":
            if set(body) != {"text"} or not isinstance(body["text"], str):
                return Reply(400, "invalid_payload")
            self.texts.append(body["text"])
            return Reply(200, "ok")
        if not self._is_signed(request):
            return Reply(401, {"error": "Invalid signature"})
        name = request.headers["webhook-id"]
        if name in self.ids:
            self.repeated[name] += 1
        else:
            self.ids.append(name)
            self.alerts.append(body)
        return Reply(200, {})

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kind and subject of every message: `("firing", "destination:a")`."""
        return [(each["type"].removeprefix("alert."), each["data"]["subject"]) for each in self.alerts]


@dataclass
class World:
    """A project, its alerts and the clock of both."""

    database: Database
    project: Project
    clock: MovableClock
    alerts: Alerts
    others: list[Alerts] = field(default_factory=list)

    def another(self, mailer: Mailer | None = None, *, muted: bool = False) -> Alerts:
        """Alerts of another process, whose requests may go anywhere."""
        made = make_alerts(self.database, self.clock, mailer, muted=muted)
        self.others.append(made)
        return made

    async def rule(self, kind: str, parameters: Mapping[str, Any] | None = None, **given: Any) -> int:
        """Add a rule that tells at once, unless it is given otherwise. Its number."""
        body = RuleBody(
            **{
                "name": f"{kind} {len(given)}{json.dumps(parameters)}",
                "hold_seconds": 0,
                "clear_seconds": 0,
                **given,
            },
            kind=kind,
            parameters=dict(parameters or {}),
        )
        added = await administration.add_rule(self.database, self.project, body, JOBS, self.clock())
        return added.id

    async def channel(self, kind: str = "webhook", name: str = "hook", **options: str) -> int:
        """Add a channel. Its number."""
        new = NewChannel(kind, name, options)
        added = await administration.add_channel(
            self.database, BOX, self.project, new, self.clock(), mail_is_set=True
        )
        return added.id

    async def hook(self, receiver: AlertReceiver, name: str = "hook") -> int:
        """Add a signed webhook to a receiver. Its number."""
        return await self.channel(name=name, url=f"{receiver.url}/hook", secret=receiver.secret)

    async def destination(self, name: str, *, position: int = 0) -> None:
        """A destination that nobody delivers to."""
        async with self.database.acquire() as connection:
            await readers.ensure_reader(
                connection, self.project.id, reader_name(name), position, self.clock()
            )

    async def pause(self, name: str, reason: str = "HTTP 401: no such key") -> None:
        async with self.database.acquire() as connection:
            await readers.pause_by_hand(connection, self.project.id, reader_name(name), reason, self.clock())

    async def resume(self, name: str) -> None:
        async with self.database.acquire() as connection:
            await readers.resume(connection, self.project.id, reader_name(name), self.clock())

    async def round(self, **later: float) -> dict[str, int]:
        """Let time pass, a minute if it is not said, and evaluate. What people are to be told."""
        self.clock.move(**(later or {"minutes": 1}))
        return {notice.value: number for notice, number in (await self.alerts.evaluate()).items()}

    async def current(self) -> dict[str, StoredAlert]:
        """What is not over, by subject; of one rule only."""
        async with self.database.acquire() as connection:
            return {each.alert.subject: each for each in await current_alerts(connection, self.project.id)}

    async def past(self) -> list[StoredAlert]:
        async with self.database.acquire() as connection:
            return await past_alerts(connection, self.project.id, before=None, limit=1000)

    async def without_defaults(self) -> None:
        """Take away the rules that every project begins with."""
        await self.alerts.evaluate()
        async with self.database.acquire() as connection:
            rules = await list_rules(connection, self.project.id)
        for rule in rules:
            await administration.remove_rule(self.database, self.project, rule.id, self.clock())

    async def outbox(self) -> list[Any]:
        """All notifications, in order."""
        async with self.database.acquire() as connection:
            return await connection.fetch("SELECT * FROM alert_notifications ORDER BY id")

    async def close(self) -> None:
        for each in (self.alerts, *self.others):
            await each.close()


def make_alerts(
    database: Database, clock: MovableClock, mailer: Mailer | None = None, *, muted: bool = False
) -> Alerts:
    """Alerts of one process, whose requests may go anywhere."""
    return Alerts(
        database, BOX, make_client(), mailer, jobs=JOBS, late_days=LATE_DAYS, muted=muted, clock=clock
    )

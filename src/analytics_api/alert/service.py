"""Alerts of one process: what the scheduler, the API and the command line work with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import httpx

from analytics_api.alert.administration import no_channel, open_channel
from analytics_api.alert.channels.port import Failed, Message, Outlets
from analytics_api.alert.defaults import DEFAULTS
from analytics_api.alert.evaluation import evaluate
from analytics_api.alert.mailer import Mailer
from analytics_api.alert.notifier import Notifier, attempt
from analytics_api.domain.alert import Notice
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError
from analytics_api.store.alert_channels import find_channel
from analytics_api.store.alert_rules import add_defaults, enabled_rules
from analytics_api.store.engine import Database
from analytics_api.store.projects import list_projects
from analytics_api.store.secret_box import SecretBox

SANDBOX = "sandbox mode is on: nothing leaves this machine"


class Alerts:
    """Evaluates rules and sends what people are told. Made by the composition roots, closed with `close`."""

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        client: httpx.AsyncClient,
        mailer: Mailer | None,
        *,
        jobs: Mapping[str, timedelta],
        late_days: int,
        muted: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        """`client` belongs to this object. `jobs`: how long each periodic job may go without a success.

        `late_days`: after which figures are final.
        """
        self.jobs = jobs
        self.box = box
        self.mail_is_set = mailer is not None
        self._database = database
        self._late_days = late_days
        self._muted = muted
        self._clock = clock
        self._outlets = Outlets(client, mailer)
        self._notifier = Notifier(database, box, self._outlets, muted=muted, clock=clock)

    async def evaluate(self) -> dict[Notice, int]:
        """One round over all rules of all projects. To be run by one process at a time; two at once tell nothing twice."""
        now = self._clock()
        async with self._database.acquire() as connection:
            await add_defaults(connection, DEFAULTS, now)
            rules = await enabled_rules(connection)
        async with self._database.read() as session:
            projects = {project.id: project for project in await list_projects(session)}
        return await evaluate(self._database, projects, rules, now, self.jobs, self._late_days)

    async def start_due(self) -> None:
        """Begin to send what waits; returns at once."""
        await self._notifier.start_due()

    async def send(self) -> None:
        """Send what waits, and wait for it."""
        await self._notifier.run_once()

    async def test(self, project: Project, channel_id: int) -> str | None:
        """Send a test message over a channel, now and once. What went wrong, or None. Raises NotFound."""
        async with self._database.acquire() as connection:
            channel = await find_channel(connection, project.id, channel_id)
        if channel is None:
            raise no_channel(project, channel_id)
        if self._muted:
            return SANDBOX
        try:
            opened = open_channel(channel, self.box)
        except ConfigurationError as error:
            return error.detail
        facts = {
            "alert_id": 0,
            "project": project.slug,
            "rule_id": 0,
            "rule": "Test message",
            "kind": "test",
            "subject": f"channel:{channel.body.name}",
            "value": None,
            "text": "Alerts of this project reach this channel.",
            "started_at": None,
            "ended_at": None,
        }
        failed: Failed | None = await attempt(
            opened, Message(uuid4(), Notice.TEST, self._clock(), facts), self._outlets
        )
        return None if failed is None else failed.words

    async def close(self) -> None:
        """Stop sending and close connections."""
        await self._notifier.close()
        await self._outlets.client.aclose()

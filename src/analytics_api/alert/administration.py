"""Adding, changing and removing rules and channels: what the API and the command line do, and the same errors."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from pydantic import ValidationError

from analytics_api.alert.channels.port import Channel
from analytics_api.alert.channels.registry import CHANNELS
from analytics_api.alert.evaluation import end_alerts
from analytics_api.alert.kinds import KINDS
from analytics_api.domain.metrics import METRICS_BY_NAME
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError, NotFound, Unprocessable, wording
from analytics_api.store import alert_channels, alert_rules
from analytics_api.store.alert_channels import ChannelBody, StoredChannel
from analytics_api.store.alert_rules import RuleBody, StoredRule
from analytics_api.store.custom_metrics import is_custom_metric
from analytics_api.store.engine import Database
from analytics_api.store.secret_box import SecretBox

MOST_RULES = 500
MOST_CHANNELS = 50
_LONGEST_NAME = 100
_LONGEST_VALUE = 2_000
_LONGEST_TIME = 30 * 86_400


async def add_rule(
    database: Database, project: Project, body: RuleBody, jobs: Mapping[str, timedelta], now: datetime
) -> StoredRule:
    """Add a rule. Raises Unprocessable naming the field, and Conflict when the name is taken."""
    async with database.acquire() as connection, connection.transaction():
        checked = await _checked_rule(connection, project, body, jobs)
        if len(await alert_rules.list_rules(connection, project.id)) >= MOST_RULES:
            raise Unprocessable(f"A project has at most {MOST_RULES} rules; remove one first.")
        return await alert_rules.insert_rule(connection, project.id, checked, now)


async def change_rule(
    database: Database,
    project: Project,
    rule_id: int,
    changes: Mapping[str, Any],
    jobs: Mapping[str, timedelta],
    now: datetime,
) -> StoredRule:
    """Change fields of a RuleBody, all but `kind`. A rule that is switched off ends its alerts.

    Raises NotFound, Unprocessable and Conflict.
    """
    async with database.acquire() as connection, connection.transaction():
        before = await _rule(connection, project, rule_id)
        body = await _checked_rule(connection, project, replace(before.body, **changes), jobs)
        if before.body.enabled and not body.enabled:
            await end_alerts(connection, project, before, "The rule was switched off.", now)
        return await alert_rules.update_rule(connection, rule_id, body, now)


async def remove_rule(database: Database, project: Project, rule_id: int, now: datetime) -> None:
    """Remove a rule and end its alerts, which stay as history. Raises NotFound."""
    async with database.acquire() as connection, connection.transaction():
        rule = await _rule(connection, project, rule_id)
        await end_alerts(connection, project, rule, "The rule was removed.", now)
        await alert_rules.delete_rule(connection, rule_id)


async def _rule(connection: asyncpg.Connection, project: Project, rule_id: int) -> StoredRule:
    rule = await alert_rules.find_rule(connection, project.id, rule_id, lock=True)
    if rule is None:
        raise NotFound(f"Project {project.slug} has no alert rule {rule_id}.")
    return rule


async def _checked_rule(
    connection: asyncpg.Connection, project: Project, body: RuleBody, jobs: Mapping[str, timedelta]
) -> RuleBody:
    """The rule with all of its parameters, defaults included."""
    _check_name(body.name)
    kind = KINDS.get(body.kind)
    if kind is None:
        raise Unprocessable(f"kind: {_unknown(body.kind, KINDS)}")
    try:
        parameters = kind.parameters.model_validate(body.parameters).model_dump(mode="json")
    except ValidationError as error:
        raise Unprocessable(_sentence(error, kind.parameters.model_fields)) from None
    for name, value in parameters.items():
        if isinstance(value, str) and not value.isprintable():
            raise Unprocessable(f"parameters.{name}: use printable characters.")
        if isinstance(value, float) and not math.isfinite(value):
            raise Unprocessable(f"parameters.{name}: use a finite number.")
    if parameters.get("job") is not None and parameters["job"] not in jobs:
        raise Unprocessable(f"parameters.job: {_unknown(parameters['job'], jobs)}")
    if "metric" in parameters:
        await _check_metric(connection, project, parameters["metric"], parameters["period"])
    for name in ("hold_seconds", "clear_seconds"):
        if not 0 <= getattr(body, name) <= _LONGEST_TIME:
            raise Unprocessable(f"{name}: use 0 to {_LONGEST_TIME}.")
    if body.remind_hours is not None and not 1 <= body.remind_hours <= 8_760:
        raise Unprocessable("remind_hours: use 1 to 8760, or null for no reminders.")
    if body.channel_ids is not None:
        there = {channel.id for channel in await alert_channels.list_channels(connection, project.id)}
        for number in body.channel_ids:
            if number not in there:
                raise Unprocessable(f"channel_ids: project {project.slug} has no channel {number}.")
    return replace(body, parameters=parameters)


async def _check_metric(
    connection: asyncpg.Connection, project: Project, name: str, period: str | None
) -> None:
    """Raises Unprocessable when there is no such metric, of the product or the project's own."""
    metric = METRICS_BY_NAME.get(name)
    if metric is None and not await is_custom_metric(connection, project.id, name):
        raise Unprocessable(f"parameters.metric: {name!r} is not known; GET /metrics/definitions lists all.")
    if metric is not None and period not in (None, metric.period):
        raise Unprocessable(
            f"parameters.period: {name} is {metric.period}; leave it out, or define a metric of your own."
        )


def _sentence(error: ValidationError, known: Iterable[str]) -> str:
    first = error.errors()[0]
    field = ".".join(("parameters", *map(str, first["loc"])))
    if not first["loc"]:
        return f"{field}: {wording(first)}."
    if first["type"] == "extra_forbidden":
        return f"{field}: {_unknown(str(first['loc'][-1]), known)}"
    return f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}."


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a channel is to be. `options` hold secrets and places alike."""

    kind: str
    name: str
    options: Mapping[str, str]


async def add_channel(
    database: Database, box: SecretBox, project: Project, new: NewChannel, now: datetime, *, mail_is_set: bool
) -> StoredChannel:
    """Add a channel. Raises Unprocessable naming the field, and Conflict when the name is taken."""
    body = _checked_channel(box, project, new, mail_is_set=mail_is_set)
    async with database.acquire() as connection:
        if len(await alert_channels.list_channels(connection, project.id)) >= MOST_CHANNELS:
            raise Unprocessable(f"A project has at most {MOST_CHANNELS} channels; remove one first.")
        return await alert_channels.insert_channel(connection, project.id, body, now)


async def replace_channel(
    database: Database,
    box: SecretBox,
    project: Project,
    channel_id: int,
    new: NewChannel,
    now: datetime,
    *,
    mail_is_set: bool,
) -> StoredChannel:
    """Put another channel in its place, secrets included: what waits goes there at once.

    Raises NotFound, Unprocessable and Conflict.
    """
    body = _checked_channel(box, project, new, mail_is_set=mail_is_set)
    async with database.acquire() as connection:
        stored = await alert_channels.update_channel(connection, project.id, channel_id, body, now)
    if stored is None:
        raise no_channel(project, channel_id)
    return stored


async def remove_channel(database: Database, project: Project, channel_id: int, now: datetime) -> None:
    """Remove a channel; what waits for it is not sent. Raises NotFound."""
    async with database.acquire() as connection:
        if not await alert_channels.delete_channel(connection, project.id, channel_id, now):
            raise no_channel(project, channel_id)


def no_channel(project: Project, channel_id: int) -> NotFound:
    """There is no such channel."""
    return NotFound(f"Project {project.slug} has no alert channel {channel_id}.")


def open_channel(channel: StoredChannel, box: SecretBox) -> Channel:
    """A channel that can be sent over. Raises ConfigurationError when its secrets cannot be opened here."""
    body = channel.body
    kind = CHANNELS.get(body.kind)
    if kind is None:
        raise ConfigurationError(f"kind {body.kind!r} is not known to this version")
    secrets = {} if body.secrets is None else box.open(body.secrets, _place(channel.project_id, body.kind))
    return kind.make({**body.options, **secrets})


def _checked_channel(box: SecretBox, project: Project, new: NewChannel, *, mail_is_set: bool) -> ChannelBody:
    _check_name(new.name)
    kind = CHANNELS.get(new.kind)
    if kind is None:
        raise Unprocessable(f"kind: {_unknown(new.kind, CHANNELS)}")
    if new.kind == "email" and not mail_is_set:
        raise Unprocessable(
            "kind: e-mail needs a mail server: set ANALYTICS__SMTP_HOST and ANALYTICS__SMTP_FROM."
        )
    known = (*kind.plain, *kind.secret)
    for name, value in new.options.items():
        if name not in known:
            raise Unprocessable(f"options.{name}: {_unknown(name, known)}")
        if len(value) > _LONGEST_VALUE or not value.isprintable():
            raise Unprocessable(f"options.{name}: use up to {_LONGEST_VALUE} printable characters.")
    secrets = {name: value for name, value in new.options.items() if name in kind.secret}
    try:
        kind.make(new.options)
        sealed = box.seal(secrets, _place(project.id, new.kind)) if secrets else None
    except ConfigurationError as error:
        raise Unprocessable(f"options: {error.detail}") from None
    plain = {name: value for name, value in new.options.items() if name not in secrets}
    return ChannelBody(new.name, new.kind, plain, sealed, sorted(secrets))


def _place(project_id: int, kind: str) -> str:
    """What the secrets of a channel are bound to."""
    return f"alert channel {project_id}/{kind}"


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Unprocessable(f"name: use 1 to {_LONGEST_NAME} printable characters.")


def _unknown(given: str, known: Iterable[str]) -> str:
    choices = list(known)
    close = difflib.get_close_matches(given, choices, n=1)
    hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(choices)}."
    return f"{given!r} is not known; {hint}"

"""`analytics-api alerts`: what fires, the rules and the channels."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from analytics_api.alert import administration
from analytics_api.alert.administration import NewChannel
from analytics_api.alert.channels.registry import CHANNELS
from analytics_api.alert.kinds import KINDS
from analytics_api.alert.service import Alerts
from analytics_api.commands.context import ProjectOption, asked_secrets, opened, parse_pairs, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import NotFound
from analytics_api.settings import load_settings
from analytics_api.store.alert_channels import list_channels
from analytics_api.store.alert_outbox import outbox_counts
from analytics_api.store.alert_rules import RuleBody, list_rules
from analytics_api.store.alerts import StoredAlert, acknowledge, current_alerts, past_alerts
from analytics_api.store.engine import Database
from analytics_api.store.projects import DEFAULT, get_project
from analytics_api.worker import make_alerts

app = typer.Typer(help="What fires, and who is told.", no_args_is_help=True)
rules_app = typer.Typer(help="What is watched.", no_args_is_help=True)
channels_app = typer.Typer(help="Where people are told.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.add_typer(channels_app, name="channels")

RuleNumber = Annotated[int, typer.Argument(help="Number of the rule, as `alerts rules list` shows it.")]
ChannelNumber = Annotated[
    int, typer.Argument(help="Number of the channel, as `alerts channels list` shows it.")
]


@asynccontextmanager
async def _opened(slug: str) -> AsyncIterator[tuple[Database, Project, Alerts]]:
    settings = load_settings()
    async with opened(settings) as database:
        async with database.read() as session:
            project = await get_project(session, slug)
        alerts = make_alerts(settings, database)
        try:
            yield database, project, alerts
        finally:
            await alerts.close()


@app.command("list")
def list_alerts(
    project: ProjectOption = DEFAULT,
    history: Annotated[int, typer.Option(min=0, max=1000, help="How many that are over to show, too.")] = 0,
) -> None:
    """What fires and what is about to: number, state, since when, subject, text."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _), database.acquire() as connection:
            found = await current_alerts(connection, owner.id)
            if history:
                found += await past_alerts(connection, owner.id, before=None, limit=history)
        for item in found:
            typer.echo(_line(item))
        if not found:
            typer.echo(f"Nothing is firing in project {project}.")

    run_command(run())


def _line(item: StoredAlert) -> str:
    alert = item.alert
    since = (alert.started_at or alert.since).isoformat(timespec="seconds")
    known = "\tacknowledged" if alert.acknowledged_at and not alert.ended_at else ""
    return f"{item.id}\t{alert.state}\t{since}\t{alert.subject}\t{alert.text}{known}"


@app.command("acknowledge")
def acknowledge_alert(
    alert_id: Annotated[int, typer.Argument(help="Number of the alert, as `alerts list` shows it.")],
    project: ProjectOption = DEFAULT,
) -> None:
    """Say that you know of an alert: no more reminders of it."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _), database.acquire() as connection:
            if await acknowledge(connection, owner.id, alert_id, system_clock()) is None:
                raise NotFound(f"Project {project} has no alert {alert_id} that is firing.")

    run_command(run())
    typer.echo(f"Alert {alert_id} is acknowledged.")


@rules_app.command("list")
def list_all_rules(project: ProjectOption = DEFAULT) -> None:
    """The rules of a project: number, name, kind, state, parameters."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _), database.acquire() as connection:
            for rule in await list_rules(connection, owner.id):
                state = "on" if rule.body.enabled else "off"
                if rule.last_error is not None:
                    state = f"cannot be evaluated: {rule.last_error}"
                given = " ".join(f"{k}={v}" for k, v in rule.body.parameters.items() if v is not None)
                typer.echo(f"{rule.id}\t{rule.body.name}\t{rule.body.kind}\t{state}\t{given}")

    run_command(run())


@rules_app.command("add")
def add_rule(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    name: Annotated[str, typer.Option(help="Its name in the project.")],
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter of the kind: minutes=30. May be repeated.")
    ] = None,
    hold: Annotated[int, typer.Option(min=0, help="Seconds that it must hold until the alert fires.")] = 0,
    clear: Annotated[int, typer.Option(min=0, help="Seconds that it must not hold until it is over.")] = 120,
    remind: Annotated[int, typer.Option(min=0, help="Hours between two reminders; 0: none.")] = 24,
    channel: Annotated[
        list[int] | None,
        typer.Option(help="Number of a channel. May be repeated.", show_default="all, also later ones"),
    ] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Add a rule; it is evaluated within a minute."""
    body = RuleBody(
        name,
        kind,
        {key: _value(text) for key, text in parse_pairs("--parameter", parameter or []).items()},
        hold_seconds=hold,
        clear_seconds=clear,
        remind_hours=remind or None,
        channel_ids=channel or None,
    )

    async def run() -> int:
        async with _opened(project) as (database, owner, alerts):
            return (await administration.add_rule(database, owner, body, alerts.jobs, system_clock())).id

    typer.echo(f"Rule {run_command(run())} ({name}) of project {project} is there.")


def _value(text: str) -> Any:
    """A number where it is one, else text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _switch(rule_id: int, project: str, *, enabled: bool) -> None:
    async def run() -> None:
        async with _opened(project) as (database, owner, alerts):
            await administration.change_rule(
                database, owner, rule_id, {"enabled": enabled}, alerts.jobs, system_clock()
            )

    run_command(run())
    typer.echo(f"Rule {rule_id} of project {project} is {'on' if enabled else 'off'}.")


@rules_app.command("enable")
def enable_rule(rule_id: RuleNumber, project: ProjectOption = DEFAULT) -> None:
    """Switch a rule on."""
    _switch(rule_id, project, enabled=True)


@rules_app.command("disable")
def disable_rule(rule_id: RuleNumber, project: ProjectOption = DEFAULT) -> None:
    """Switch a rule off; its alerts are over."""
    _switch(rule_id, project, enabled=False)


@rules_app.command("remove")
def remove_rule(rule_id: RuleNumber, project: ProjectOption = DEFAULT) -> None:
    """Remove a rule; its alerts are over and stay in the history."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _):
            await administration.remove_rule(database, owner, rule_id, system_clock())

    run_command(run())
    typer.echo(f"Rule {rule_id} of project {project} is gone.")


@channels_app.command("list")
def list_all_channels(project: ProjectOption = DEFAULT) -> None:
    """The channels of a project: number, name, kind, how it goes, options that are no secrets."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _), database.acquire() as connection:
            counts = await outbox_counts(connection, owner.id)
            for channel in await list_channels(connection, owner.id):
                waiting = counts.get(channel.id, {}).get("waiting", 0)
                state = f"fails: {channel.last_error}" if channel.failures else "ok"
                shown = " ".join(f"{k}={v}" for k, v in sorted(channel.body.options.items()))
                body = channel.body
                typer.echo(f"{channel.id}\t{body.name}\t{body.kind}\t{state}\t{waiting} waiting\t{shown}")

    run_command(run())


@channels_app.command("add")
def add_channel(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(CHANNELS)}.")],
    name: Annotated[str, typer.Option(help="Its name in the project.")],
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the kind: to=me@example.org. May be repeated.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of an option that is asked for, or read from standard input, a line each. May be repeated."
        ),
    ] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Add a channel: webhook (url, secret), slack (url) or email (to). Its secrets cannot be read again."""
    options = {**parse_pairs("--option", option or []), **asked_secrets(secret or [])}

    async def run() -> int:
        async with _opened(project) as (database, owner, alerts):
            channel = await administration.add_channel(
                database,
                alerts.box,
                owner,
                NewChannel(kind, name, options),
                system_clock(),
                mail_is_set=alerts.mail_is_set,
            )
            return channel.id

    number = run_command(run())
    typer.echo(f"Channel {number} ({name}) is there. Try it: analytics-api alerts channels test {number}")


@channels_app.command("remove")
def remove_channel(channel_id: ChannelNumber, project: ProjectOption = DEFAULT) -> None:
    """Remove a channel; what waits for it is not sent."""

    async def run() -> None:
        async with _opened(project) as (database, owner, _):
            await administration.remove_channel(database, owner, channel_id, system_clock())

    run_command(run())
    typer.echo(f"Channel {channel_id} of project {project} is gone.")


@channels_app.command("test")
def try_channel(channel_id: ChannelNumber, project: ProjectOption = DEFAULT) -> None:
    """Send a test message now; exit code 1 when it is not taken."""

    async def run() -> str | None:
        async with _opened(project) as (_, owner, alerts):
            return await alerts.test(owner, channel_id)

    error = run_command(run())
    if error is not None:
        typer.echo(f"analytics-api: not sent: {error}", err=True)
        raise typer.Exit(1)
    typer.echo("The test message was taken.")

"""/alerts: what fires and what was, the rules and the channels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query, Request, Response

from analytics_api.access.dependencies import AdminCaller, DatabaseOf, EditCaller, ReadCaller
from analytics_api.alert import administration
from analytics_api.alert.administration import NewChannel
from analytics_api.alert.channels.registry import CHANNELS
from analytics_api.alert.kinds import KINDS
from analytics_api.alert.schemas import (
    AddRule,
    AlertItem,
    AlertOverview,
    ChangeRule,
    ChannelInfo,
    ChannelList,
    KindInfo,
    RuleInfo,
    RuleList,
    SetChannel,
    TestResult,
)
from analytics_api.alert.service import Alerts
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store.alert_channels import StoredChannel, list_channels
from analytics_api.store.alert_outbox import outbox_counts
from analytics_api.store.alert_rules import RuleBody, StoredRule, list_rules
from analytics_api.store.alerts import StoredAlert, acknowledge, current_alerts, past_alerts

router = Routes(prefix="/alerts", tags=["alerts"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
BigNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _alerts(request: Request) -> Alerts:
    alerts: Alerts = request.app.state.services.alerts
    return alerts


@router.get("", summary="What fires, and what was", response_model=AlertOverview)
async def overview(
    caller: ReadCaller,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items of the history.")] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> AlertOverview:
    """Alerts that are not over, and a page of those that are. Also where no channel is set."""
    project = caller.project
    async with database.look() as connection:
        current = await current_alerts(connection, project.id)
        past = await past_alerts(connection, project.id, before=before, limit=limit + 1)
        rules = [rule for rule in await list_rules(connection, project.id) if rule.body.enabled]
    evaluated = [rule.evaluated_at for rule in rules]
    return AlertOverview(
        project=project.slug,
        evaluated_at=None if None in evaluated else min((at for at in evaluated if at), default=None),
        current=[_alert(item) for item in current],
        history=[_alert(item) for item in past[:limit]],
        next=past[limit - 1].id if len(past) > limit else None,
    )


@router.post("/{alert_id}/acknowledge", summary="Say that you know of an alert", response_model=AlertItem)
async def acknowledge_alert(alert_id: BigNumber, caller: EditCaller, database: DatabaseOf) -> AlertItem:
    """No more reminders of it; its end is told all the same."""
    async with database.acquire() as connection:
        found = await acknowledge(connection, caller.project.id, alert_id, datetime.now(UTC))
    if found is None:
        raise NotFound(f"Project {caller.project.slug} has no alert {alert_id} that is firing.")
    return _alert(found)


@router.get("/rules", summary="Alert rules", response_model=RuleList)
async def list_all_rules(caller: ReadCaller, database: DatabaseOf) -> RuleList:
    """The rules of the project, and the kinds of rules that there are with their parameters."""
    async with database.look() as connection:
        rules = await list_rules(connection, caller.project.id)
    kinds = [
        KindInfo(
            kind=name,
            description=kind.description,
            unit=kind.unit,
            parameters=kind.parameters.model_json_schema(),
        )
        for name, kind in KINDS.items()
    ]
    return RuleList(project=caller.project.slug, kinds=kinds, rules=[_rule(rule) for rule in rules])


@router.post("/rules", summary="Add an alert rule", status_code=201, response_model=RuleInfo)
async def add_rule(body: AddRule, request: Request, caller: EditCaller, database: DatabaseOf) -> RuleInfo:
    """It is evaluated within a minute."""
    rule = await administration.add_rule(
        database, caller.project, RuleBody(**body.model_dump()), _alerts(request).jobs, datetime.now(UTC)
    )
    return _rule(rule)


@router.patch("/rules/{rule_id}", summary="Change an alert rule", response_model=RuleInfo)
async def change_rule(
    rule_id: Number, body: ChangeRule, request: Request, caller: EditCaller, database: DatabaseOf
) -> RuleInfo:
    """Also switch it on or off; its alerts are over when it is off."""
    changes = body.model_dump(exclude_unset=True)
    rule = await administration.change_rule(
        database, caller.project, rule_id, changes, _alerts(request).jobs, datetime.now(UTC)
    )
    return _rule(rule)


@router.delete("/rules/{rule_id}", summary="Remove an alert rule", status_code=204)
async def remove_rule(rule_id: Number, caller: EditCaller, database: DatabaseOf) -> Response:
    """Its alerts end and stay in the history."""
    await administration.remove_rule(database, caller.project, rule_id, datetime.now(UTC))
    return Response(status_code=204)


@router.get("/channels", summary="Alert channels", response_model=ChannelList)
async def list_all_channels(caller: AdminCaller, database: DatabaseOf) -> ChannelList:
    """Where people are told, and how that goes. Secrets are never shown."""
    async with database.look() as connection:
        channels = await list_channels(connection, caller.project.id)
        counts = await outbox_counts(connection, caller.project.id)
    return ChannelList(
        project=caller.project.slug,
        kinds={name: [*kind.plain, *kind.secret] for name, kind in CHANNELS.items()},
        channels=[_channel(channel, counts.get(channel.id)) for channel in channels],
    )


@router.post("/channels", summary="Add an alert channel", status_code=201, response_model=ChannelInfo)
async def add_channel(
    body: SetChannel, request: Request, caller: AdminCaller, database: DatabaseOf
) -> ChannelInfo:
    """It gets what happens from then on. Secrets cannot be read again."""
    alerts = _alerts(request)
    channel = await administration.add_channel(
        database,
        alerts.box,
        caller.project,
        NewChannel(body.kind, body.name, body.options),
        datetime.now(UTC),
        mail_is_set=alerts.mail_is_set,
    )
    return _channel(channel)


@router.put("/channels/{channel_id}", summary="Replace an alert channel", response_model=ChannelInfo)
async def replace_channel(
    channel_id: Number, body: SetChannel, request: Request, caller: AdminCaller, database: DatabaseOf
) -> ChannelInfo:
    """Everything is given again, secrets included. What waits is sent to the new place at once."""
    alerts = _alerts(request)
    channel = await administration.replace_channel(
        database,
        alerts.box,
        caller.project,
        channel_id,
        NewChannel(body.kind, body.name, body.options),
        datetime.now(UTC),
        mail_is_set=alerts.mail_is_set,
    )
    async with database.acquire() as connection:
        counts = await outbox_counts(connection, caller.project.id)
    return _channel(channel, counts.get(channel.id))


@router.delete("/channels/{channel_id}", summary="Remove an alert channel", status_code=204)
async def remove_channel(channel_id: Number, caller: AdminCaller, database: DatabaseOf) -> Response:
    """Rules that name it name it no more; what waits for it is not sent."""
    await administration.remove_channel(database, caller.project, channel_id, datetime.now(UTC))
    return Response(status_code=204)


@router.post("/channels/{channel_id}/test", summary="Send a test message", response_model=TestResult)
async def try_channel(channel_id: Number, request: Request, caller: AdminCaller) -> TestResult:
    """Now and once; the answer says what the other side said."""
    error = await _alerts(request).test(caller.project, channel_id)
    return TestResult(sent=error is None, error=error)


def _alert(item: StoredAlert) -> AlertItem:
    alert = item.alert
    return AlertItem(
        id=item.id,
        rule_id=item.rule_id,
        rule=item.rule_name,
        kind=item.kind,
        subject=alert.subject,
        state=alert.state,
        value=alert.value,
        text=alert.text,
        since=alert.since,
        started_at=alert.started_at,
        acknowledged_at=alert.acknowledged_at,
        ended_at=alert.ended_at,
    )


def _rule(rule: StoredRule) -> RuleInfo:
    body = rule.body
    return RuleInfo(
        id=rule.id,
        name=body.name,
        kind=body.kind,
        parameters=body.parameters,
        hold_seconds=body.hold_seconds,
        clear_seconds=body.clear_seconds,
        remind_hours=body.remind_hours,
        channel_ids=body.channel_ids,
        enabled=body.enabled,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
        evaluated_at=rule.evaluated_at,
        last_error=rule.last_error,
    )


def _channel(channel: StoredChannel, counts: dict[str, int] | None = None) -> ChannelInfo:
    counts = counts or {}
    return ChannelInfo(
        id=channel.id,
        name=channel.body.name,
        kind=channel.body.kind,
        options=channel.body.options,
        secrets_set=channel.body.secret_names,
        waiting=counts.get("waiting", 0),
        failed=counts.get("failed", 0),
        failures=channel.failures,
        retry_at=channel.retry_at,
        last_error=channel.last_error,
        last_error_at=channel.last_error_at,
        last_sent_at=channel.last_sent_at,
        created_at=channel.created_at,
        updated_at=channel.updated_at,
    )

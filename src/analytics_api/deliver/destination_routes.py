"""/destinations: where a project's events go, added and changed while everything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
from fastapi import Request, Response

from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.deliver import administration
from analytics_api.deliver.administration import NewDestination
from analytics_api.deliver.destination import Destination
from analytics_api.deliver.destination_schemas import (
    AddDestination,
    ChangeDestination,
    DestinationInfo,
    DestinationList,
)
from analytics_api.deliver.dry_run import dry_run
from analytics_api.deliver.dry_run_schemas import DryRunReport, TryRules
from analytics_api.deliver.providers.registry import known_providers
from analytics_api.deliver.report import DeliveryState
from analytics_api.deliver.rules import NO_RULES, RuleSet
from analytics_api.deliver.service import SANDBOX, Destinations
from analytics_api.domain.project import Project
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store.deliveries import ReaderState, reader_state
from analytics_api.store.destination_rules import StoredRules, stored_rules
from analytics_api.store.destinations import StoredDestination, stored_destinations
from analytics_api.store.secret_box import SecretBox

router = Routes(prefix="/destinations", tags=["delivery"])


def _destinations(request: Request) -> Destinations:
    destinations: Destinations = request.app.state.services.destinations
    return destinations


def _box(request: Request) -> SecretBox:
    box: SecretBox = request.app.state.services.box
    return box


def settings_of(destinations: Destinations, project: Project) -> Mapping[str, str]:
    """Names that the settings use in a project, and where they are set."""
    return {
        each.name: f"ANALYTICS__{each.provider.name.upper()}_..."
        for each in destinations.from_settings(project)
    }


def rules_in_settings(destinations: Destinations, project: Project) -> Mapping[str, bool]:
    """Names that the settings use in a project, and whether the settings say their rules, too."""
    return {each.name: each.rules is not NO_RULES for each in destinations.from_settings(project)}


@router.get("", summary="Where the events go", response_model=DestinationList)
async def list_destinations(request: Request, caller: AdminCaller, database: DatabaseOf) -> DestinationList:
    """All destinations of the project, those of the settings included. Secrets are never shown."""
    destinations = _destinations(request)
    await destinations.refresh()
    async with database.look() as connection:
        items = await _all(connection, destinations, caller.project)
    kinds = [kind for kind in known_providers() if kind != SANDBOX]
    return DestinationList(project=caller.project.slug, kinds=kinds, destinations=items)


@router.post("", summary="Add a destination", status_code=201, response_model=DestinationInfo)
async def add_destination(
    body: AddDestination, request: Request, caller: AdminCaller, database: DatabaseOf
) -> DestinationInfo:
    """It gets events within seconds, from the start that is asked for. Secrets cannot be read again."""
    destinations = _destinations(request)
    row = await administration.add(
        database,
        _box(request),
        caller.project,
        NewDestination(body.kind, body.options, body.name, body.start, body.rules),
        datetime.now(UTC),
        taken=settings_of(destinations, caller.project),
        client=destinations.client_of_added,
    )
    return await _one(request, database, caller.project, row.name)


@router.patch("/{name}", summary="Change, pause or resume a destination", response_model=DestinationInfo)
async def change_destination(
    name: str, body: ChangeDestination, request: Request, caller: AdminCaller, database: DatabaseOf
) -> DestinationInfo:
    """Running processes take over within seconds. One that was paused for its credentials goes on with new ones."""
    now = datetime.now(UTC)
    destinations = _destinations(request)
    if body.rules is not None:
        # First, so that nothing goes to a new address under the old rules.
        settings = rules_in_settings(destinations, caller.project)
        async with database.acquire() as connection:
            await administration.change_rules(
                connection, caller.project, name, body.rules, now, settings=settings
            )
    if body.options is not None:
        client = destinations.client_of_added
        await administration.change(
            database, _box(request), caller.project, name, body.options, now, client=client
        )
    async with database.acquire() as connection:
        if body.state == "paused":
            await administration.pause(connection, caller.project, name, now)
        elif body.state == "running":
            await administration.resume(connection, caller.project, name, now)
    return await _one(request, database, caller.project, name)


@router.delete("/{name}", summary="Remove a destination", status_code=204)
async def remove_destination(
    name: str, request: Request, caller: AdminCaller, database: DatabaseOf
) -> Response:
    """Its backlog, counts and dead letters go with it; the events stay in the log."""
    taken = settings_of(_destinations(request), caller.project)
    async with database.acquire() as connection:
        await administration.remove(connection, caller.project, name, taken=taken)
    await _destinations(request).refresh()
    return Response(status_code=204)


@router.post("/{name}/dry-run", summary="Try rules on stored events", response_model=DryRunReport)
async def try_rules(
    name: str, body: TryRules, request: Request, caller: AdminCaller, database: DatabaseOf
) -> DryRunReport:
    """What the destination would be sent of the newest events. Nothing is sent and nothing is changed."""
    destinations = _destinations(request)
    await destinations.refresh()
    destination = destinations.get(caller.project, name)
    rules = destination.rules if body.rules is None else RuleSet(body.rules)
    tried = await dry_run(database, caller.project, destination, rules, body.limit, body.event_type)
    return DryRunReport.of(destination, rules, tried)


async def _one(request: Request, database: DatabaseOf, project: Project, name: str) -> DestinationInfo:
    destinations = _destinations(request)
    await destinations.refresh()
    async with database.acquire() as connection:
        for item in await _all(connection, destinations, project):
            if item.name == name:
                return item
    raise NotFound(f"Project {project.slug} has no destination {name!r}.")


async def _all(
    connection: asyncpg.Connection, destinations: Destinations, project: Project
) -> list[DestinationInfo]:
    named = {each.name: each for each in destinations.from_settings(project)}
    stored: dict[str, StoredDestination | None] = dict.fromkeys(named)
    for row in await stored_destinations(connection, project.id):
        stored.setdefault(row.name, row)
    rules = await stored_rules(connection, project.id)
    return [
        _info(
            name,
            held,
            named.get(name),
            rules.get((project.id, name)),
            await reader_state(connection, project.id, name),
            destinations.problem(project, name),
            muted=destinations.is_muted(name),
        )
        for name, held in sorted(stored.items())
    ]


def _info(
    name: str,
    row: StoredDestination | None,
    named: Destination | None,
    rules: StoredRules | None,
    reader: ReaderState | None,
    problem: str | None,
    *,
    muted: bool,
) -> DestinationInfo:
    return DestinationInfo(
        name=name,
        kind=row.kind if row is not None else named.provider.name if named is not None else "",
        origin="settings" if row is None else "api",
        options={} if row is None else row.options,
        secrets_set=[] if row is None else row.secret_names,
        start=None if row is None else row.start,
        state=_state(reader, problem, muted=muted),
        reason=problem or (reader.reason if reader is not None else None),
        **_rules(named, rules),
        created_at=None if row is None else row.created_at,
        updated_at=None if row is None else row.updated_at,
    )


def _rules(named: Destination | None, stored: StoredRules | None) -> dict[str, Any]:
    """The rules as they were declared, those of the settings first."""
    if named is not None and named.rules is not NO_RULES:
        return {
            "rules": json.loads(named.rules.declared.text()),
            "rules_version": 0,
            "rules_changed_at": None,
        }
    return {
        "rules": {} if stored is None else json.loads(stored.rules),
        "rules_version": 0 if stored is None else stored.version,
        "rules_changed_at": None if stored is None else stored.changed_at,
    }


def _state(reader: ReaderState | None, problem: str | None, *, muted: bool) -> DeliveryState:
    if problem is not None or reader is None:
        return DeliveryState.UNCONFIGURED
    if reader.paused:
        return DeliveryState.PAUSED
    if muted:
        return DeliveryState.SANDBOX
    waits = reader.retry_at is not None and reader.retry_at > datetime.now(UTC)
    return DeliveryState.WAITING if waits else DeliveryState.RUNNING

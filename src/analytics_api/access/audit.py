"""Puts every administrative call into the audit log: before it is made, and how it ended before it is answered.

So there is no act without an entry. Routes do nothing for it; the dependency that asks for their right does.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request

from analytics_api.access.caller import Caller, Right
from analytics_api.access.withheld import plain, without_secrets
from analytics_api.domain.clock import system_clock
from analytics_api.store.audit import Act, Facts, Outcome, end, record, snapshot
from analytics_api.store.engine import Database
from analytics_api.telemetry import request_id

logger = logging.getLogger(__name__)

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNRECORDED = ("/process-events", "/dry-run", "/tracking-plan/check")
"""Calls that change nothing that somebody decides."""

MOST_BYTES = 20_000
"""Of what was there before or after."""
_NOISE = frozenset(
    {"project_id", "version", "updated_at", "claim", "claimed_until", "evaluated_at", "choice", "view"}
)


@dataclass(frozen=True, slots=True)
class _Row:
    """What a call changes: the row of `table` whose `column` has the value of the path's `parameter`."""

    table: str
    column: str | None = None
    parameter: str = ""


_ROWS = {
    "/alerts/rules/{rule_id}": _Row("alert_rules", "id", "rule_id"),
    "/alerts/channels/{channel_id}": _Row("alert_channels", "id", "channel_id"),
    "/destinations/{name}": _Row("destinations", "name", "name"),
    "/deliveries/replays/{replay_id}": _Row("replays", "id", "replay_id"),
    "/tracking-plan": _Row("tracking_plans"),
    "/tracking-plan/event-types/{event_type}": _Row("plan_event_types", "event_type", "event_type"),
    "/keys/{key_id}": _Row("api_keys", "id", "key_id"),
    "/keys/{key_id}/rotate": _Row("api_keys", "id", "key_id"),
    "/cohorts/{cohort_id}": _Row("cohorts", "id", "cohort_id"),
    "/members/{user_id}": _Row("memberships", "user_id", "user_id"),
    "/shares/{share_id}": _Row("shares", "id", "share_id"),
    "/invitations/{invitation_id}": _Row("invitations", "id", "invitation_id"),
}


def is_recorded(request: Request, right: Right, caller: Caller) -> bool:
    """Whether a call is an administrative act: a change that asks for more than sending, or is made by a person."""
    if request.method in _SAFE_METHODS or request.scope["route"].path.endswith(_UNRECORDED):
        return False
    return right in (Right.EDIT, Right.ADMIN) or (right is Right.TRUSTED and caller.role is not None)


@asynccontextmanager
async def recorded(request: Request, database: Database, caller: Caller) -> AsyncIterator[None]:
    """Around a call: an entry before it, its end after it. Raises what the call raises."""
    template = _template(request)
    row = _ROWS.get(template)
    key = plain(str(request.path_params.get(row.parameter, ""))) if row is not None else ""
    async with database.write() as connection:
        before = await _look(connection, row, caller, key)
        act = Act(
            actor=caller.name,
            action=f"{request.method} {template}",
            project_id=caller.project.id,
            target=key or None,
            before=before,
            after=await _given(request),
            request_id=request_id.get(),
        )
        number = await record(connection, act, system_clock(), None)
    try:
        yield
    except BaseException:
        async with database.write() as connection:
            await end(connection, number, Outcome.FAILED)
        raise
    async with database.write() as connection:
        await end(connection, number, Outcome.DONE, await _look(connection, row, caller, key))


def _template(request: Request) -> str:
    """The route's path without prefix and without converters: `/members/{user_id}`."""
    path: str = re.sub(r":\w+}", "}", request.scope["route"].path)
    return path.removeprefix("/api/v1/analytics")


async def _look(connection: Any, row: _Row | None, caller: Caller, key: str) -> Facts | None:
    if row is None:
        return None
    found = await snapshot(connection, row.table, caller.project.id, row.column, key, _NOISE)
    return None if found is None else _bounded(found)


async def _given(request: Request) -> Facts | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return _bounded(without_secrets(body)) if isinstance(body, dict) else None


def _bounded(facts: Facts) -> Facts:
    text = orjson.dumps(facts, default=str)
    if len(text) > MOST_BYTES:
        return {"omitted": f"{len(text)} bytes"}
    plain: Facts = orjson.loads(text)
    return plain

"""One round over all rules: look, decide, and write the alert's state and the outbox in one transaction."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from analytics_api.alert.kinds import KINDS
from analytics_api.alert.rule_kind import OpenFigures, Scene
from analytics_api.domain.alert import Alert, AlertState, Finding, Notice, step
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError
from analytics_api.store import alerts as store
from analytics_api.store.alert_rules import StoredRule, find_rule, note_rule_error, touch_rules
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.metrics.answer import Figures

logger = logging.getLogger(__name__)

LOOK_TIMEOUT_MS = 10_000
"""For one statement of a rule: one that takes longer must not hold up the others."""


class RuleFailed(Exception):
    """A rule cannot be evaluated; the text says why."""


def figures_of(database: Database, project: Project, now: datetime, late_days: int) -> OpenFigures:
    """Opens the figures of a project as they are now, with the time limit of a rule's statements."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Figures]:
        try:
            async with database.read() as connection:
                await connection.execute(text(f"SET LOCAL statement_timeout = {LOOK_TIMEOUT_MS}"))
                yield await Figures.of(connection, project, now, late_days)
        except DBAPIError as error:
            # The driver's own error, as the other kinds of rules meet it.
            raise (error.orig and (error.orig.__cause__ or error.orig)) or error from None

    return opened


async def look(
    connection: asyncpg.Connection,
    rule: StoredRule,
    now: datetime,
    jobs: Mapping[str, timedelta],
    figures: OpenFigures,
) -> dict[str, Finding]:
    """What a rule finds wrong, by subject. Raises RuleFailed; errors of a database that is away go through."""
    kind = KINDS.get(rule.body.kind)
    if kind is None:
        raise RuleFailed(f"kind {rule.body.kind!r} is not known to this version")
    try:
        parameters = kind.parameters.model_validate(rule.body.parameters)
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {LOOK_TIMEOUT_MS}")
            found = await kind.find(
                Scene(connection, rule.project_id, now, rule.created_at, jobs, figures), parameters
            )
    except ValidationError as error:
        raise RuleFailed(
            f"its parameters are not those of this version: {error.errors()[0]['msg']}"
        ) from None
    except asyncpg.QueryCanceledError:
        raise RuleFailed(f"it took longer than {LOOK_TIMEOUT_MS // 1000} s") from None
    except AnalyticsError as error:
        raise RuleFailed(error.detail) from None
    except AWAY:
        raise
    except Exception as error:
        logger.exception("alert rule %s failed", rule.id)
        raise RuleFailed(f"{type(error).__name__}: {error}") from error
    return {finding.subject: finding for finding in found}


async def settle(
    connection: asyncpg.Connection,
    project: Project,
    rule: StoredRule,
    findings: Mapping[str, Finding],
    now: datetime,
) -> list[Notice]:
    """Take findings over, and put what people are to be told into the outbox, all or nothing.

    Findings of a rule that was changed or evaluated by another process since it was read are left out.
    """
    async with connection.transaction():
        current = await find_rule(connection, rule.project_id, rule.id, lock=True)
        if current is None or current.updated_at != rule.updated_at:
            return []
        if current.evaluated_at is not None and current.evaluated_at >= now:
            return []
        before = await store.open_alerts(connection, rule.id)
        notices = []
        for subject in sorted({*before, *findings}):
            notice = await _settle_one(
                connection, project, rule, before.get(subject), findings.get(subject), now
            )
            if notice is not None:
                notices.append(notice)
        await touch_rules(connection, [rule.id], now)
    return notices


async def _settle_one(
    connection: asyncpg.Connection,
    project: Project,
    rule: StoredRule,
    before: store.StoredAlert | None,
    finding: Finding | None,
    now: datetime,
) -> Notice | None:
    after, notice = step(before.alert if before else None, finding, now, rule.body.timing)
    if before is None:
        number = await store.insert_alert(connection, rule, after) if after is not None else None
    else:
        number = before.id
        await _keep(connection, before, after)
    if notice is not None and number is not None and after is not None:
        await store.tell(connection, project, rule, number, after, notice, now)
        level = logging.INFO if notice is Notice.RESOLVED else logging.WARNING
        logger.log(level, "alert %s of project %s (%s): %s", number, project.slug, notice.value, after.text)
    return notice


async def _keep(connection: asyncpg.Connection, before: store.StoredAlert, after: Alert | None) -> None:
    if after is None:
        await store.delete_alert(connection, before.id)
    elif after != before.alert:
        await store.update_alert(connection, before.id, after)


async def end_alerts(
    connection: asyncpg.Connection, project: Project, rule: StoredRule, why: str, now: datetime
) -> None:
    """End all alerts of a rule that watches no more, in the caller's transaction, and tell those who know of them."""
    for held in (await store.open_alerts(connection, rule.id)).values():
        if held.alert.state is AlertState.PENDING:
            await store.delete_alert(connection, held.id)
            continue
        ended = held.alert.ended(now, why)
        await store.update_alert(connection, held.id, ended)
        await store.tell(connection, project, rule, held.id, ended, Notice.RESOLVED, now)


async def evaluate(
    database: Database,
    projects: Mapping[int, Project],
    rules: list[StoredRule],
    now: datetime,
    jobs: Mapping[str, timedelta],
    late_days: int,
) -> dict[Notice, int]:
    """Evaluate rules one after another; one that fails is noted and changes no alert. Returns what people are told."""
    told: dict[Notice, int] = {}
    quiet = []
    async with database.acquire() as connection:
        burning = await store.rules_with_alerts(connection)
        for rule in rules:
            try:
                project = projects[rule.project_id]
                findings = await look(
                    connection, rule, now, jobs, figures_of(database, project, now, late_days)
                )
            except RuleFailed as error:
                logger.warning("alert rule %s (%s) cannot be evaluated: %s", rule.id, rule.body.name, error)
                await note_rule_error(connection, rule.id, str(error))
                continue
            if not findings and rule.id not in burning:
                # Nearly all rules nearly always: one statement for all of them.
                quiet.append(rule.id)
                continue
            for notice in await settle(connection, project, rule, findings, now):
                told[notice] = told.get(notice, 0) + 1
        await touch_rules(connection, quiet, now)
    return told

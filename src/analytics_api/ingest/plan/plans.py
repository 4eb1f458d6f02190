"""The tracking plans of all projects, compiled and in memory, so that intake finds one by a look-up."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.domain.plan import Finding, PlanMode, UnknownTypes, WarningKind
from analytics_api.errors import Unprocessable
from analytics_api.ingest.plan.schema import EventSchema
from analytics_api.store.engine import Database
from analytics_api.store.plans import StoredPlan, find_plan, plan_versions
from analytics_api.store.ticker import Ticker

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 2.0
"""How long other processes may go on with the plan before a change."""

_UNKNOWN = Finding(WarningKind.UNKNOWN_TYPE, "event_type", "event_type is not in the tracking plan")


@dataclass(frozen=True, slots=True)
class Plan:
    """A project's plan. A type whose schema is None is known and not checked."""

    mode: PlanMode
    unknown_types: UnknownTypes
    types: Mapping[str, EventSchema | None]
    version: int = 0

    def check(self, event_type: str, data: dict[str, Any]) -> tuple[Finding, ...]:
        """What is not as planned about an event with this `event_data`; nothing for nearly every event."""
        try:
            schema = self.types[event_type]
        except KeyError:
            return () if event_type in SYSTEM_TYPES else (_UNKNOWN,)
        return schema.findings(data) if schema is not None else ()

    def allows(self, findings: tuple[Finding, ...]) -> bool:
        """Whether an event with these findings is accepted."""
        return not findings or self.mode is PlanMode.OBSERVE or self.admits_unknown(findings)

    def admits_unknown(self, findings: tuple[Finding, ...]) -> bool:
        """Whether all that is found is a type that the plan does not have, and the plan lets such events pass."""
        return self.unknown_types is UnknownTypes.ALLOW and findings[0].kind is WarningKind.UNKNOWN_TYPE


class Plans:
    """Keeps the plans of all projects fresh."""

    def __init__(self, database: Database, *, seconds: float = REFRESH_SECONDS) -> None:
        self._database = database
        self._plans: dict[int, Plan] = {}
        self._texts: dict[int, Mapping[str, str]] = {}
        self._ticker = Ticker("tracking-plans", seconds, self.refresh)
        self.of = self._plans.get
        """The plan of a project by its id, or None."""

    async def start(self) -> None:
        """Read all plans, then keep looking for changes."""
        await self.refresh()
        self._ticker.start()

    async def stop(self) -> None:
        """Look no more."""
        await self._ticker.stop()

    async def refresh(self) -> None:
        """Read the plans that have changed."""
        async with self._database.acquire() as connection:
            versions = await plan_versions(connection)
            for project_id, version in versions.items():
                known = self._plans.get(project_id)
                if known is not None and known.version >= version:
                    continue
                stored = await find_plan(connection, project_id)
                # Another refresh of this process may have been faster.
                known = self._plans.get(project_id)
                if stored is not None and (known is None or known.version < stored.version):
                    self._plans[project_id] = self._compiled(project_id, stored)

    def _compiled(self, project_id: int, stored: StoredPlan) -> Plan:
        known, texts = self._plans.get(project_id), self._texts.get(project_id, {})
        types: dict[str, EventSchema | None] = {}
        for name, planned in stored.types.items():
            if known is not None and texts.get(name) == planned.schema:
                types[name] = known.types[name]
            else:
                types[name] = _compile(project_id, name, planned.schema)
        self._texts[project_id] = {name: planned.schema for name, planned in stored.types.items()}
        return Plan(stored.mode, stored.unknown_types, types, stored.version)


def _compile(project_id: int, event_type: str, text: str) -> EventSchema | None:
    try:
        return EventSchema(orjson.loads(text))
    except Unprocessable as error:
        # Checked when it was registered, so another version of the library sees it otherwise. Events must not suffer.
        logger.error(
            "project %s: the schema of %r is no longer understood and not applied: %s",
            project_id,
            event_type,
            error.detail,
        )
        return None

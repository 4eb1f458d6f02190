"""What a destination would be sent of the newest events, by its rules or by others. Nothing is sent and nothing is written."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.providers.port import Payload
from analytics_api.deliver.rendering import Made, render
from analytics_api.deliver.rules import RuleSet
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, Skipped
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.log import newest_events

AT_ONCE = 50
"""Events rendered before other requests have their turn; they take a few milliseconds."""
MASK = "***"


@dataclass(frozen=True, slots=True)
class Tried:
    """An event and what would become of it."""

    event: StoredEvent
    made: Made
    payloads: list[tuple[str, Any]]
    """Endpoint and JSON object, without secrets."""

    @property
    def outcome(self) -> Literal["send", "skip", "dead"]:
        """Whether it would be sent, and if not, whether the provider would refuse it."""
        match self.made.outcome:
            case Skipped():
                return "skip"
            case Dead():
                return "dead"
        return "send"

    @property
    def reason(self) -> str | None:
        """Why it would not be sent."""
        match self.made.outcome:
            case Skipped(reason):
                return reason.value
            case Dead(words):
                return words
        return None


async def dry_run(
    database: Database,
    project: Project,
    destination: Destination,
    rules: RuleSet,
    limit: int,
    event_type: str | None = None,
) -> list[Tried]:
    """Try rules on the newest events of a project, or of one type; the newest first."""
    async with database.look() as connection:
        events = await newest_events(connection, project.id, limit, event_type)
    tried = []
    for number, event in enumerate(events, 1):
        tried.append(try_one(destination, rules, event))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return tried


def try_one(destination: Destination, rules: RuleSet, event: StoredEvent) -> Tried:
    """What would become of an event."""
    provider = destination.provider
    made = render(provider, rules, event)
    payloads: list[Payload] = made.outcome if isinstance(made.outcome, list) else []
    return Tried(
        event,
        made,
        [
            (_masked(payload.endpoint, provider.secrets), _masked(json.loads(payload.body), provider.secrets))
            for payload in payloads
        ],
    )


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {_masked(name, secrets): _masked(inner, secrets) for name, inner in value.items()}
    return [_masked(inner, secrets) for inner in value] if isinstance(value, list) else value

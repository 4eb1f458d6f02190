"""What a kind of alert rules is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from pydantic import BaseModel, ConfigDict

from analytics_api.domain.alert import Finding
from analytics_api.store.metrics.answer import Figures

OpenFigures = Callable[[], AbstractAsyncContextManager[Figures]]
"""Opens the figures of a rule's project at the moment of its evaluation."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule is evaluated in."""

    connection: asyncpg.Connection
    """In a read-only transaction with a time limit."""
    project_id: int
    now: datetime
    watched_since: datetime
    """When the rule was made."""
    jobs: Mapping[str, timedelta]
    """Periodic jobs, and how long each may go without a success."""
    figures: OpenFigures


class Parameters(BaseModel):
    """Of a rule; each kind has its own."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class RuleKind:
    """An entry of the registry."""

    description: str
    unit: str | None
    """Of the value that is shown with an alert; None when there is none."""
    parameters: type[Parameters]
    find: Callable[[Scene, Any], Awaitable[list[Finding]]]
    """Takes parameters of that type."""

"""The port behind which channels are: a message goes out once, or the words why not come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import httpx

from analytics_api.alert.mailer import Mailer
from analytics_api.domain.alert import Notice
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.http import Answer, post


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told."""

    id: UUID
    """The same at every attempt."""
    notice: Notice
    at: datetime
    """When it was decided, not when it is sent."""
    facts: Mapping[str, Any]
    """alert_id, project, rule_id, rule, kind, subject, value, text, started_at, ended_at."""

    @property
    def title(self) -> str:
        """One line: `Firing: Destination paused (project shop)`."""
        return f"{self.notice.value.capitalize()}: {self.facts['rule']} (project {self.facts['project']})"


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that failed, with words why."""

    words: str
    after: float | None = None
    """Seconds that the other side asks to wait."""
    refused: bool = False
    """The other side does not want this very message; others may go through."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """What channels send with."""

    client: httpx.AsyncClient
    """Guarded against addresses inside the operator's network."""
    mailer: Mailer | None
    """None when no mail server is set."""


class Channel(Protocol):
    """A channel of one kind, with its options."""

    async def send(self, message: Message, outlets: Outlets) -> Failed | None:
        """One attempt, bounded in time. None: the other side has taken it."""


async def post_message(
    client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Failed | None:
    """POST a JSON body; any 2xx means taken."""
    answer = await post(client, url, body, headers=headers)
    if not isinstance(answer, Answer):
        return Failed(answer.words)
    if 200 <= answer.status < 300:
        return None
    return Failed(answer.words(), answer.retry_after(), refused=answer.status in (400, 413, 422))


def required(options: Mapping[str, str], name: str) -> str:
    """The value of an option. Raises ConfigurationError when it is missing or empty."""
    value = options.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is missing.")
    return value

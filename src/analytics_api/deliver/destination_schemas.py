"""What the calls about destinations take and give, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analytics_api.deliver.administration import NOW
from analytics_api.deliver.report import DeliveryState
from analytics_api.deliver.rules import Rules


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": values})


class DestinationInfo(BaseModel):
    """A destination as it is configured. Secrets are never shown, only that they are set."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "warehouse",
                "kind": "webhook",
                "origin": "api",
                "options": {"url": "https://example.org/events"},
                "secrets_set": ["secret"],
                "start": "beginning",
                "state": "running",
                "reason": None,
                "rules": {"exclude": ["debug_*"]},
                "rules_version": 2,
                "rules_changed_at": "2026-03-10T12:30:00Z",
                "created_at": "2026-03-10T12:00:00Z",
                "updated_at": "2026-03-10T12:00:00Z",
            }
        }
    )

    name: str
    kind: str
    origin: Literal["settings", "api"] = Field(description="Where it is configured.")
    options: dict[str, str] = Field(description="Those that are no secrets; empty for one of the settings.")
    secrets_set: list[str] = Field(description="Names of the secrets that are stored.")
    start: str | None = Field(description="What was asked for when it was added.")
    state: DeliveryState
    reason: str | None = Field(description="Why it is paused or cannot be used.")
    rules: dict[str, Any] = Field(description="As they were declared; empty: none.")
    rules_version: int = Field(
        description="Raised by every change of the rules; 0: never changed, or those of the settings."
    )
    rules_changed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


class DestinationList(BaseModel):
    """The destinations of a project."""

    project: str
    kinds: list[str] = Field(description="What can be added.")
    destinations: list[DestinationInfo]


class AddDestination(BaseModel):
    """A destination to add."""

    model_config = _example(
        kind="webhook",
        name="warehouse",
        options={"url": "https://example.org/events", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        start="now",
    )

    kind: str = Field(description="`amplitude`, `mixpanel`, `webhook`, ...; `kinds` of the list names all.")
    name: str = Field("", description="Its own name in this project; the kind's when left out.")
    options: dict[str, str] = Field(
        default_factory=dict, description="Credentials and address. Secrets are stored encrypted."
    )
    start: str = Field(
        NOW,
        description="`now`, `beginning`, or a date or time (ISO 8601): events that arrived from then on.",
    )
    rules: Rules | None = Field(None, description="Which events it gets, and in which words.")


class ChangeDestination(BaseModel):
    """What to change."""

    model_config = _example(options={"url": "https://example.org/new", "secret": "a-new-secret-of-mine"})

    options: dict[str, str | None] | None = Field(
        None,
        description="Options to set; null takes one away; others stay. A new url wants the secrets again.",
    )
    rules: Rules | None = Field(None, description="In place of those that are there; `{}`: none.")
    state: Literal["running", "paused"] | None = None

    @model_validator(mode="after")
    def _something(self) -> ChangeDestination:
        if self.options is None and self.rules is None and self.state is None:
            raise ValueError("name options, rules or state")
        return self

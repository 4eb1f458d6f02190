"""What the calls about alerts take and give, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analytics_api.domain.alert import AlertState


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": values})


def _strict(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": values})


class AlertItem(BaseModel):
    """An alert of one subject of a rule."""

    model_config = _example(
        id=7,
        rule_id=1,
        rule="Destination paused",
        kind="destination_paused",
        subject="destination:amplitude",
        state="firing",
        value=None,
        text="Destination amplitude is paused: HTTP 401: Invalid API key",
        since="2026-03-10T12:00:00Z",
        started_at="2026-03-10T12:00:00Z",
        acknowledged_at=None,
        ended_at=None,
    )

    id: int
    rule_id: int
    rule: str = Field(description="The rule's name when the alert began.")
    kind: str
    subject: str = Field(
        description="What is wrong: `destination:NAME`, `reader:NAME`, `event_type:NAME`, `job:NAME`."
    )
    state: AlertState
    value: float | None = Field(description="The last figure, in the unit of the rule's kind.")
    text: str
    since: datetime = Field(description="When the condition was first found.")
    started_at: datetime | None = Field(description="When it fired; null while it is pending.")
    acknowledged_at: datetime | None
    ended_at: datetime | None


class AlertOverview(BaseModel):
    """What fires, what is about to, and what was."""

    project: str
    evaluated_at: datetime | None = Field(
        description="When all rules had last been looked at; minutes ago means that no worker runs."
    )
    current: list[AlertItem] = Field(description="Firing ones first, then pending ones.")
    history: list[AlertItem] = Field(description="Those that are over, the youngest first.")
    next: int | None = Field(description="For the next page of the history; null on the last.")


class KindInfo(BaseModel):
    """A kind of rules."""

    kind: str
    description: str
    unit: str | None = Field(description="Of the value of its alerts.")
    parameters: dict[str, Any] = Field(description="JSON Schema of its parameters.")


class RuleInfo(BaseModel):
    """An alert rule."""

    model_config = _example(
        id=2,
        name="No signups",
        kind="missing_event_type",
        parameters={"event_type": "signup_completed", "minutes": 180},
        hold_seconds=0,
        clear_seconds=120,
        remind_hours=24,
        channel_ids=None,
        enabled=True,
        created_at="2026-03-10T12:00:00Z",
        updated_at="2026-03-10T12:00:00Z",
        evaluated_at="2026-03-10T12:01:00Z",
        last_error=None,
    )

    id: int
    name: str
    kind: str
    parameters: dict[str, Any]
    hold_seconds: int
    clear_seconds: int
    remind_hours: int | None
    channel_ids: list[int] | None
    enabled: bool
    created_at: datetime
    updated_at: datetime
    evaluated_at: datetime | None
    last_error: str | None = Field(description="Why it could not be evaluated; its alerts stay as they are.")


class RuleList(BaseModel):
    """The rules of a project."""

    project: str
    kinds: list[KindInfo]
    rules: list[RuleInfo]


_HOLD = Field(
    0, ge=0, le=2_592_000, description="Seconds that the condition must hold until the alert fires."
)
_CLEAR = Field(
    120,
    ge=0,
    le=2_592_000,
    description="Seconds that it must not hold until the alert is over; against flapping.",
)
_REMIND = Field(24, ge=1, le=8_760, description="Hours between two reminders; null: none.")
_CHANNELS = Field(
    None,
    max_length=100,
    description="Numbers of channels; null: all of the project, also later ones; []: none.",
)


class AddRule(BaseModel):
    """A rule to add."""

    model_config = _strict(
        name="No signups",
        kind="missing_event_type",
        parameters={"event_type": "signup_completed", "minutes": 180},
    )

    name: str
    kind: str = Field(description="`kinds` of the list names all.")
    parameters: dict[str, Any] = Field(default_factory=dict)
    hold_seconds: int = _HOLD
    clear_seconds: int = _CLEAR
    remind_hours: int | None = _REMIND
    channel_ids: list[int] | None = _CHANNELS
    enabled: bool = True


class ChangeRule(BaseModel):
    """What to change of a rule; what is left out stays. `parameters` are replaced as a whole."""

    model_config = _strict(parameters={"event_type": "signup_completed", "minutes": 60}, remind_hours=None)

    name: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    hold_seconds: int = _HOLD
    clear_seconds: int = _CLEAR
    remind_hours: int | None = _REMIND
    channel_ids: list[int] | None = _CHANNELS
    enabled: bool = True

    @model_validator(mode="after")
    def _something(self) -> ChangeRule:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class ChannelInfo(BaseModel):
    """An alert channel. Secrets are never shown, only that they are set."""

    model_config = _example(
        id=1,
        name="on call",
        kind="webhook",
        options={"url": "https://example.org/alerts"},
        secrets_set=["secret"],
        waiting=0,
        failed=0,
        failures=0,
        retry_at=None,
        last_error=None,
        last_error_at=None,
        last_sent_at="2026-03-10T12:00:05Z",
        created_at="2026-03-10T11:00:00Z",
        updated_at="2026-03-10T11:00:00Z",
    )

    id: int
    name: str
    kind: str
    options: dict[str, str] = Field(description="Those that are no secrets.")
    secrets_set: list[str] = Field(description="Names of the secrets that are stored.")
    waiting: int = Field(description="Notifications that are still to be sent.")
    failed: int = Field(description="Notifications that were given up.")
    failures: int = Field(description="Failed attempts since the last one that succeeded.")
    retry_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    last_sent_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ChannelList(BaseModel):
    """The channels of a project."""

    project: str
    kinds: dict[str, list[str]] = Field(description="What can be added, and the options that it takes.")
    channels: list[ChannelInfo]


class SetChannel(BaseModel):
    """A channel to add, or to put in the place of another."""

    model_config = _strict(
        name="on call",
        kind="webhook",
        options={"url": "https://example.org/alerts", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    )

    name: str
    kind: str = Field(description="`webhook`, `slack` or `email`.")
    options: dict[str, str] = Field(
        description="webhook: `url`, `secret`; slack: `url`; email: `to`, comma between addresses."
    )


class TestResult(BaseModel):
    """Whether a test message was taken."""

    model_config = _example(sent=False, error="HTTP 404: no_service")

    sent: bool
    error: str | None = Field(description="In the words of the other side.")

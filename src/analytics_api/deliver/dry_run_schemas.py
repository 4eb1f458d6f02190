"""What a dry run takes and gives, as OpenAPI shows it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from analytics_api.deliver.destination import Destination
from analytics_api.deliver.dry_run import Tried
from analytics_api.deliver.rules import Rules, RuleSet

USUAL, MOST = 100, 1_000


class TryRules(BaseModel):
    """Which rules to try on which events."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"rules": {"include": ["signup_*"]}, "limit": 20, "event_type": "signup_completed"}
        },
    )

    rules: Rules | None = Field(None, description="Left out: those of the destination; `{}`: none.")
    limit: int = Field(USUAL, ge=1, le=MOST, description="Newest events to look at.")
    event_type: str | None = Field(None, min_length=1, max_length=200, description="Only of this event type.")


class WouldBeSent(BaseModel):
    """A record for the provider."""

    endpoint: str = Field(description="Where it goes, in the provider's words.")
    body: dict[str, Any] = Field(description="Secrets show as `***`.")


class TriedEvent(BaseModel):
    """A stored event and what would become of it."""

    event_id: UUID
    event_type: str = Field(description="As it is stored.")
    occurred_at: datetime
    outcome: Literal["send", "skip", "dead"]
    reason: str | None = Field(
        description="Why it is skipped: `filter`, `consent`, `sampled`, `no_person`, ...; or why it is dead."
    )
    sent_as: str | None = Field(description="The event type that it is sent under.")
    payloads: list[WouldBeSent] = Field(description="In the order in which they are sent.")


class DryRunReport(BaseModel):
    """What the destination would be sent of the newest events; checked = send + dead + the sum of skip."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "destination": "mixpanel",
                "kind": "mixpanel",
                "rules": {"consent": {"purposes": ["analytics"]}},
                "checked": 2,
                "send": 1,
                "skip": {"consent": 1},
                "dead": 0,
                "events": [
                    {
                        "event_id": "018f3f4e-0000-7000-8000-000000000002",
                        "event_type": "signup_completed",
                        "occurred_at": "2026-03-10T12:00:00Z",
                        "outcome": "send",
                        "reason": None,
                        "sent_as": "Signed Up",
                        "payloads": [
                            {
                                "endpoint": "import",
                                "body": {
                                    "event": "Signed Up",
                                    "properties": {
                                        "token": "***",
                                        "distinct_id": "ada",
                                        "time": 1773144000000,
                                        "$insert_id": "018f3f4e-0000-7000-8000-000000000002",
                                        "tier": "pro",
                                    },
                                },
                            }
                        ],
                    },
                    {
                        "event_id": "018f3f4e-0000-7000-8000-000000000001",
                        "event_type": "page_view",
                        "occurred_at": "2026-03-10T11:59:58Z",
                        "outcome": "skip",
                        "reason": "consent",
                        "sent_as": None,
                        "payloads": [],
                    },
                ],
            }
        }
    )

    destination: str
    kind: str
    rules: dict[str, Any] = Field(description="Those that were tried.")
    checked: int
    send: int
    skip: dict[str, int] = Field(description="By reason.")
    dead: int = Field(description="The provider would refuse them, so they would be dead letters.")
    events: list[TriedEvent] = Field(description="The newest first.")

    @classmethod
    def of(cls, destination: Destination, rules: RuleSet, tried: list[Tried]) -> DryRunReport:
        """From what was tried."""
        outcomes = [each.outcome for each in tried]
        return cls(
            destination=destination.name,
            kind=destination.provider.name,
            rules=json.loads(rules.declared.text()),
            checked=len(tried),
            send=outcomes.count("send"),
            skip=dict(Counter(str(each.reason) for each in tried if each.outcome == "skip")),
            dead=outcomes.count("dead"),
            events=[_event(each) for each in tried],
        )


def _event(tried: Tried) -> TriedEvent:
    return TriedEvent(
        event_id=tried.event.event_id,
        event_type=tried.event.event_type,
        occurred_at=tried.event.occurred_at,
        outcome=tried.outcome,
        reason=tried.reason,
        sent_as=tried.made.sent_as if tried.outcome == "send" else None,
        payloads=[WouldBeSent(endpoint=endpoint, body=body) for endpoint, body in tried.payloads],
    )

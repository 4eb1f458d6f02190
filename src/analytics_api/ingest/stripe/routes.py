"""POST /webhooks/stripe. Stripe's signature is the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Header, Query, Request
from pydantic import BaseModel, Field

from analytics_api.access.authenticator import Authenticator
from analytics_api.access.caller import Caller, Right
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.errors import BadRequest, NotFound, Unprocessable
from analytics_api.ingest.draft import Result, Status
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.service import Intake
from analytics_api.ingest.stripe.mapping import known_type, translate
from analytics_api.ingest.stripe.reading import Unreadable
from analytics_api.ingest.stripe.signature import check_signature
from analytics_api.routes import Routes
from analytics_api.store.projects import DEFAULT
from analytics_api.telemetry import count_webhook

PATH = "/webhooks/stripe"

router = Routes(tags=["money"])


@dataclass(frozen=True, slots=True)
class StripeRules:
    """What the composition root knows: the secrets of each project's endpoints, by its slug."""

    secrets: Mapping[str, tuple[str, ...]]
    clock: Clock = system_clock


class Taken(BaseModel):
    """What became of a webhook."""

    outcome: str = Field(
        description="accepted, duplicate (known already), ignored (means nothing here), or quarantined (by the tracking plan)."
    )
    events: list[str] = Field(
        description="Types of the events that it became.", examples=[["payment_completed"]]
    )


@router.post(
    PATH,
    summary="Take a webhook of Stripe's",
    response_model=Taken,
    openapi_extra={
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "example": {"id": "evt_1", "type": "invoice.paid", "created": 1767225600, "data": {}},
                }
            },
        },
    },
)
async def take_webhook(
    request: Request,
    project: Annotated[str, Query(description="Whose ledger it is for, by its slug.")] = DEFAULT,
    stripe_signature: Annotated[str | None, Header(description="`t=...,v1=...`, as Stripe sends it.")] = None,
) -> Taken:
    """Payments and subscriptions become events, durable before the answer. Types that mean nothing here are acknowledged."""
    rules: StripeRules = request.app.state.stripe
    secrets = rules.secrets.get(project)
    if secrets is None:
        raise NotFound(
            f"project {project!r} takes no webhooks of Stripe's: set ANALYTICS__STRIPE_WEBHOOK_SECRETS."
        )
    body = await request.body()
    check_signature(stripe_signature, body, secrets, rules.clock())
    authenticator: Authenticator = request.app.state.authenticator
    caller = Caller(await authenticator.project(project), frozenset({Right.SEND, Right.TRUSTED}), "stripe")
    request.state.caller = caller
    webhook = _decoded(body)
    kind = str(webhook.get("type"))
    kind = kind if known_type(kind) else "other"
    try:
        events = translate(webhook)
    except Unreadable as error:
        count_webhook("stripe", kind, "refused")
        raise Unprocessable(f"{kind}: {error}.") from None
    if not events:
        count_webhook("stripe", kind, Status.IGNORED)
        return Taken(outcome=Status.IGNORED, events=[])
    intake: Intake = request.app.state.intake
    results = await intake.take(Body([orjson.dumps(event) for event in events], single=False), caller)
    outcome = _outcome(results)
    count_webhook("stripe", kind, outcome)
    if outcome == Status.REJECTED:
        reasons = [result.reason for result in results if result.status is Status.REJECTED]
        raise Unprocessable(f"{kind}: {'; '.join(filter(None, reasons))}.")
    return Taken(outcome=outcome, events=[event["event_type"] for event in events])


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        webhook = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if not isinstance(webhook, dict):
        raise BadRequest("The body is no JSON object.")
    return webhook


def _outcome(results: list[Result]) -> Status:
    """The worst of what became of the events, so that Stripe sends a webhook again of which anything was refused."""
    found = {result.status for result in results}
    order = (Status.REJECTED, Status.QUARANTINED, Status.IGNORED, Status.ACCEPTED, Status.DUPLICATE)
    return next(status for status in order if status in found)

"""Consent over HTTP: what was said of a person, and statements that come from elsewhere, such as a form."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import AdminCaller, DatabaseOf, TrustedSender
from analytics_api.domain.clock import system_clock
from analytics_api.domain.identity import person_of
from analytics_api.errors import Unprocessable
from analytics_api.privacy.erasure_schemas import Id, Instant
from analytics_api.routes import Routes
from analytics_api.store.consent import ConsentChange, Statement, consent_of, keep_consent
from analytics_api.store.erasure import person_group

router = Routes(tags=["privacy"])

LONGEST = 2_000


class _Forgetful(Protocol):
    """The intake's desk."""

    def forget_consent(self, person: UUID) -> None:
        """Something else was said of a person than it knows."""


class ConsentBody(BaseModel):
    """What a person has agreed to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "user_id": "user-42",
                "consent": {"analytics": True, "destinations": {"amplitude": False}},
            }
        },
    )

    user_id: Id | None = None
    anonymous_id: Id | None = None
    consent: dict[str, Any] | bool = Field(description="As in `context.consent` of events.")
    changed_at: Instant | None = Field(None, description="When it was said; now by default.")


class ConsentItem(BaseModel):
    """What was said of the person's consent."""

    changed_at: datetime
    consent: Any
    source: str = Field(description="`event`, or the caller who stated it.")
    received_at: datetime


class ConsentList(BaseModel):
    """The proof, the newest first."""

    project: str
    changes: list[ConsentItem]
    next: str | None = Field(description="`after` of the next page.")


@router.get("/privacy/consent", summary="What was said of a person's consent")
async def read_consent(
    caller: AdminCaller,
    database: DatabaseOf,
    user_id: Annotated[Id | None, Query()] = None,
    anonymous_id: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=100, description="`next` of the page before.")] = None,
) -> ConsentList:
    """Each change with its time, of all ids that count as the person."""
    if (user_id is None) == (anonymous_id is None):
        raise Unprocessable("Say exactly one of user_id and anonymous_id.")
    behind = None if after is None else _place(after)
    async with database.look() as connection:
        group = await person_group(connection, caller.project, user_id, anonymous_id)
        found = await consent_of(connection, caller.project.id, sorted(group), limit + 1, behind)
    return ConsentList(
        project=caller.project.slug,
        changes=[
            ConsentItem(
                changed_at=one.changed_at,
                consent=one.consent,
                source=one.source,
                received_at=one.received_at,
            )
            for one in found[:limit]
        ],
        next=_cursor(found[limit - 1]) if len(found) > limit else None,
    )


def _cursor(change: ConsentChange) -> str:
    return f"{change.changed_at.isoformat()},{change.person_id}"


def _place(cursor: str) -> tuple[datetime, UUID]:
    moment, _, person = cursor.partition(",")
    with suppress(ValueError):
        place = datetime.fromisoformat(moment), UUID(person)
        if place[0].tzinfo is not None:
            return place
    raise Unprocessable("after: give the next of the page before.")


@router.post("/privacy/consent", summary="State a person's consent", status_code=204)
async def state_consent(
    body: ConsentBody, request: Request, caller: TrustedSender, database: DatabaseOf
) -> None:
    """Kept as proof. What is done with an event is decided by its own `context.consent`."""
    if (body.user_id is None) == (body.anonymous_id is None):
        raise Unprocessable("Say exactly one of user_id and anonymous_id.")
    text = json.dumps(body.consent, sort_keys=True)
    if len(text) > LONGEST or "\\u0000" in text:
        raise Unprocessable(f"consent: send at most {LONGEST} bytes without NUL characters.")
    namespace, now = caller.project.namespace, system_clock()
    person, _ = person_of(namespace, body.user_id, body.anonymous_id, namespace)
    changed_at = now if body.changed_at is None else min(body.changed_at.astimezone(UTC), now)
    async with database.acquire() as connection:
        statement = Statement(person, changed_at, caller.project.id, text, caller.name, now)
        await keep_consent(connection, [statement])
    desk: _Forgetful = request.app.state.privacy
    desk.forget_consent(person)

"""GET /audit: who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.routes import Routes
from analytics_api.store.audit import entries

router = Routes(tags=["logins"])


class AuditItem(BaseModel):
    """One act."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 42,
                "at": "2026-03-10T12:00:00Z",
                "actor": "user:1",
                "username": "ada@example.com",
                "action": "PATCH /members/{user_id}",
                "target": "2",
                "before": {"user_id": 2, "role": "viewer", "created_at": "2026-03-01T09:00:00Z"},
                "after": {"user_id": 2, "role": "editor", "created_at": "2026-03-01T09:00:00Z"},
                "request_id": "0d5c4f...",
                "outcome": "done",
            }
        }
    )

    id: int
    at: datetime
    actor: str = Field(
        description="`user:N`, `admin:N` (a key's kind and number), `local`, or `command line`."
    )
    username: str | None = Field(description="The name of the user, while there is one.")
    action: str
    target: str | None = Field(description="The number or name of what it was done to.")
    before: dict[str, Any] | None = Field(
        description="What was there; secrets and personal data are left out."
    )
    after: dict[str, Any] | None = Field(description="What is there now, or what was given.")
    request_id: str | None
    outcome: Literal["done", "failed"] | None = Field(
        description="Null while it goes on, and for ever if the process was killed in it: look whether it was done."
    )


class AuditPage(BaseModel):
    """Acts, newest first."""

    project: str
    entries: list[AuditItem]
    next: int | None = Field(description="`before` of the next page.")


@router.get("/audit", summary="Who did what", response_model=AuditPage)
async def audit(
    caller: AdminCaller,
    database: DatabaseOf,
    actor: Annotated[
        str | None, Query(max_length=254, pattern=r"^[^\x00]*$", description="As `actor` or `username` says.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> AuditPage:
    """Administrative acts in the project; for an owner of every project also logins and commands. Nothing is ever removed."""
    async with database.read() as connection:
        found = await entries(
            connection,
            caller.project.id,
            also_general=caller.everywhere,
            actor=actor,
            before=before,
            limit=limit + 1,
        )
    return AuditPage(
        project=caller.project.slug,
        entries=[
            AuditItem(**{name: getattr(one, name) for name in AuditItem.model_fields})
            for one in found[:limit]
        ],
        next=found[limit - 1].id if len(found) > limit else None,
    )

"""/keys: API keys of a project, made, followed by others, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store.keys import ApiKey, add_key, key_state, list_keys, revoke_key, rotate_key

router = Routes(prefix="/keys", tags=["keys"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class KeyInfo(BaseModel):
    """What is known of a key; never the key itself."""

    id: int
    kind: KeyKind
    name: str
    prefix: str = Field(description="Its first characters.")
    state: Literal["active", "expired", "revoked"]
    events_per_second: int | None = Field(description="A limit of its own; 0: none; null: that of its kind.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To about half a minute.")
    revoked_at: datetime | None


class KeyList(BaseModel):
    """The keys of a project, oldest first."""

    project: str
    keys: list[KeyInfo]
    next: int | None = Field(description="`after` of the next page.")


class NewKey(KeyInfo):
    """With the key, which cannot be read again."""

    key: str


class MakeKey(BaseModel):
    """What a new key is for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": "read", "name": "wall display", "expires_days": 365}},
    )

    kind: KeyKind
    name: str = Field("", max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    expires_days: int | None = Field(None, ge=1, le=36_500)
    events_per_second: int | None = Field(
        None, ge=0, le=2**31 - 1, description="How fast it may send; 0: as it likes."
    )


class RotateKey(BaseModel):
    """How long both keys are valid."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"overlap_hours": 24}})

    overlap_hours: int = Field(24, ge=0, le=8760)


@router.get("", summary="API keys", response_model=KeyList)
async def list_all(
    caller: AdminCaller,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before.")] = 0,
) -> KeyList:
    """Without their secrets."""
    async with database.read() as connection:
        found = await list_keys(connection, caller.project.id, after=after, limit=limit + 1)
    now = system_clock()
    return KeyList(
        project=caller.project.slug,
        keys=[_info(key, now) for key in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.post("", summary="Make an API key", status_code=201, response_model=NewKey)
async def make(body: MakeKey, caller: AdminCaller, database: DatabaseOf) -> NewKey:
    """The key is in the answer and nowhere else."""
    now = system_clock()
    async with database.write() as connection:
        key, made = await add_key(
            connection,
            caller.project.id,
            body.kind,
            name=body.name,
            expires_at=now + timedelta(days=body.expires_days) if body.expires_days is not None else None,
            events_per_second=body.events_per_second,
            now=now,
        )
    return NewKey(**_info(made, now).model_dump(), key=key)


@router.post("/{key_id}/rotate", summary="Replace an API key", status_code=201, response_model=NewKey)
async def rotate(key_id: Number, body: RotateKey, caller: AdminCaller, database: DatabaseOf) -> NewKey:
    """A new key of the same kind, name, limit and duration; the former one stays valid for a time, so that nothing stands still."""
    now = system_clock()
    async with database.write() as connection:
        made = await rotate_key(
            connection, caller.project.id, key_id, overlap=timedelta(hours=body.overlap_hours), now=now
        )
    if made is None:
        raise _missing(key_id)
    return NewKey(**_info(made[1], now).model_dump(), key=made[0])


@router.delete("/{key_id}", summary="End an API key", status_code=204)
async def revoke(key_id: Number, caller: AdminCaller, database: DatabaseOf) -> Response:
    """Every process refuses it within 5 seconds."""
    async with database.write() as connection:
        if not await revoke_key(connection, caller.project.id, key_id, system_clock()):
            raise _missing(key_id)
    return Response(status_code=204)


def _missing(key_id: int) -> NotFound:
    return NotFound(f"The project has no active key {key_id}.")


def _info(key: ApiKey, now: datetime) -> KeyInfo:
    return KeyInfo(
        id=key.id,
        kind=key.kind,
        name=key.name,
        prefix=key.prefix,
        state=key_state(key, now),
        events_per_second=key.events_per_second,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )

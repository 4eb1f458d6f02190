"""POST /track-share, /downloads and /uploads: flat bodies, which become events like any other."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Header, Request
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.caller import Caller
from analytics_api.access.dependencies import Sender
from analytics_api.errors import Unprocessable
from analytics_api.ingest.answers import answer
from analytics_api.ingest.draft import Status
from analytics_api.ingest.enrichment.addresses import client_address, edge_country
from analytics_api.ingest.front import LONGEST_IDEMPOTENCY_KEY, IntakeFront
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.service import Circumstances
from analytics_api.ingest.steps.text import LONGEST_ID
from analytics_api.routes import Routes

router = Routes(tags=["events"])

_NO_NUL = r"^[^\x00]*$"
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=_NO_NUL)]
Text = Annotated[str, Field(max_length=1024, pattern=_NO_NUL)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_IDEMPOTENCY_KEY,
        description="The same key again is the same event: counted once.",
    ),
]
_TAKEN: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Stored.",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "accepted": 1,
                    "duplicates": 0,
                    "rejected": 0,
                    "ignored": 0,
                    "quarantined": 0,
                    "results": [
                        {"index": 0, "event_id": "0197c1de-7f6c-7d8a-b7bb-0a1f4b1e5a10", "status": "accepted"}
                    ],
                },
            }
        },
    }
}


class Share(BaseModel):
    """Something was shared."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "session_id": "b1946ac9",
                    "user_id": "user123",
                    "share_type": "whatsapp",
                    "share_data": {"link": "https://cloudface-ai.com/s/abc123"},
                    "recipient_count": 5,
                }
            ]
        },
    )

    share_type: Annotated[str, Field(min_length=1, max_length=50, pattern=_NO_NUL)] = Field(
        description="Over which channel: whatsapp, email, qr, link, or another word."
    )
    session_id: Id | None = Field(None, description="Without a user it stands for the person, too.")
    user_id: Id | None = None
    share_data: dict[str, Any] = Field(default_factory=dict, description="What was shared.")
    recipient_count: int = Field(1, ge=0, le=1_000_000)
    event_id: Id | None = Field(None, description="Makes a repeated call harmless.")

    def event(self) -> dict[str, Any]:
        """As the intake takes it."""
        data = {
            **self.share_data,
            "channel": self.share_type.strip().lower(),
            "recipient_count": self.recipient_count,
        }
        return {
            "event_type": "share",
            "event_data": data,
            "user_id": self.user_id,
            "anonymous_id": self.session_id,
            "session_id": self.session_id,
            "event_id": self.event_id,
        }


class Download(BaseModel):
    """Something was downloaded, or was not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "session_id": "20260320-120000",
                    "user_hash": "5f4dcc3b5aa765d6",
                    "track_name": "Evanescence",
                    "format": "FLAC",
                    "version": "Instrumental",
                    "platform": "macOS",
                    "python_version": "3.12.4",
                    "success": True,
                }
            ]
        },
    )

    track_name: Annotated[str, Field(min_length=1, max_length=255, pattern=_NO_NUL)]
    success: bool = True
    session_id: Id | None = None
    user_hash: Id | None = Field(None, description="Of the machine, without anything of the person.")
    format: Text | None = Field(None, description="As in FLAC, ALAC.")
    version: Text | None = Field(None, description="As in Original, Instrumental, Both.")
    platform: Text | None = Field(None, description="As in macOS, Windows, Linux.")
    python_version: Text | None = None
    timestamp: str | int | float | None = Field(
        None, description="ISO 8601 or milliseconds since 1970; default: now."
    )
    event_id: Id | None = Field(None, description="Makes a repeated call harmless.")

    def event(self) -> dict[str, Any]:
        """As the intake takes it."""
        named = ("track_name", "format", "version", "platform", "python_version", "success")
        return {
            "event_type": "download",
            "event_data": self.model_dump(include=set(named), exclude_none=True),
            "anonymous_id": self.user_hash or self.session_id,
            "session_id": self.session_id,
            "timestamp": self.timestamp,
            "event_id": self.event_id,
        }


class Upload(BaseModel):
    """A file was uploaded; what it is called stays with the sender of the call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"session_id": "b1946ac9", "file_name": "my song.wav", "size": 40_000_000, "type": "wav"}
            ]
        },
    )

    file_name: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Kept as a keyed hash only, so that the same name is the same file."
    )
    size: int | None = Field(None, ge=0, le=2**53, description="Bytes.")
    type: Annotated[str, Field(max_length=100, pattern=_NO_NUL)] | None = Field(
        None, description="Default: the name's ending."
    )
    session_id: Id | None = None
    user_id: Id | None = None
    event_id: Id | None = Field(None, description="Makes a repeated call harmless.")

    def event(self, namespace: UUID) -> dict[str, Any]:
        """As the intake takes it. `namespace`: the project's, which is the key of the hash."""
        _, dot, ending = self.file_name.rpartition(".")
        ending = ending.lower() if dot and ending.isalnum() and len(ending) <= 10 else ""
        digest = hmac.new(namespace.bytes, self.file_name.encode(), hashlib.sha256).hexdigest()[:16]
        data = {"file": digest, "size": self.size, "type": (self.type or ending).lower() or None}
        return {
            "event_type": "file_uploaded",
            "event_data": {name: value for name, value in data.items() if value is not None},
            "user_id": self.user_id,
            "anonymous_id": self.session_id,
            "session_id": self.session_id,
            "event_id": self.event_id,
        }


@router.post("/uploads", status_code=202, summary="A file was uploaded", responses=_TAKEN)
async def uploads(
    upload: Upload, request: Request, caller: Sender, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Becomes an event `file_uploaded` with `size`, `type` and a hash of the name. 202 when it is stored."""
    return await _take(upload.event(caller.project.namespace), request, caller, idempotency_key)


@router.post("/track-share", status_code=202, summary="Something was shared", responses=_TAKEN)
async def track_share(
    share: Share, request: Request, caller: Sender, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Becomes an event `share` with `channel` and `recipient_count`. 202 when it is stored."""
    return await _take(share.event(), request, caller, idempotency_key)


@router.post("/evremixes/analytics", status_code=202, include_in_schema=False)
@router.post("/downloads", status_code=202, summary="Something was downloaded", responses=_TAKEN)
async def downloads(
    download: Download, request: Request, caller: Sender, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Becomes an event `download` of the person `user_hash`. 202 when it is stored."""
    return await _take(download.event(), request, caller, idempotency_key)


async def _take(event: dict[str, Any], request: Request, caller: Caller, key: str | None) -> dict[str, Any]:
    front: IntakeFront = request.app.front
    peer = request.client.host if request.client else None
    lines = request.scope["headers"]
    # Not orjson, which raises for what intake refuses by name: numbers without bounds, halves of surrogate pairs.
    raw = json.dumps({name: value for name, value in event.items() if value is not None}).encode()
    body = Body([raw], single=True)
    results = await front.intake.take(
        body,
        caller,
        Circumstances(
            idempotency_key=key,
            ip=client_address(peer, lines, front.proxies),
            user_agent=request.headers.get("user-agent"),
            edge_country=edge_country(peer, lines, front.proxies),
        ),
    )
    if results[0].status is Status.REJECTED:
        raise Unprocessable(f"The event was not taken: {results[0].reason}.")
    found: dict[str, Any] = orjson.loads(orjson.dumps(answer(results), default=str))
    return found

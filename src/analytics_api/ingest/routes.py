"""POST /events. A plain Starlette route: FastAPI's own machinery would cost more than the event (about 120 µs a request)."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from analytics_api.access.authenticator import Authenticator, header_key, require
from analytics_api.access.caller import Right
from analytics_api.errors import BadRequest, PayloadTooLarge, Unprocessable
from analytics_api.ingest.draft import Result, Status
from analytics_api.ingest.payloads import parse_body, unpack
from analytics_api.ingest.service import Intake

PATH = "/events"
LONGEST_IDEMPOTENCY_KEY = 255

router = APIRouter()


async def receive_events(request: Request) -> Response:
    """Take one event, an array or an envelope; answer after the commit."""
    intake: Intake = request.app.state.intake
    authenticator: Authenticator = request.app.state.authenticator
    project = request.query_params.get("project")
    if header_key(request) is not None:
        # A wrong key is told so before its body is read.
        require(await authenticator.caller(request, project=project), Right.SEND)
    raw = await _read(request, intake.limits.batch_bytes)
    plain = unpack(raw, request.headers.get("content-encoding"), intake.limits.batch_bytes)
    body = parse_body(plain, request.headers.get("content-type"))
    caller = await authenticator.caller(request, key=body.key, project=project)
    request.state.caller = caller
    require(caller, Right.SEND)
    results = await intake.take(
        body,
        caller,
        idempotency_key=_idempotency_key(request),
        ip=request.client.host if request.client else None,
        user_agent=request.headers.get("user-agent"),
    )
    if body.single and results[0].status is Status.REJECTED:
        raise Unprocessable(f"The event was not taken: {results[0].reason}.")
    return Response(orjson.dumps(answer(results)), 202, media_type="application/json")


router.add_route(PATH, receive_events, methods=["POST"], name="receive_events", include_in_schema=False)


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise PayloadTooLarge(f"The body has {declared} bytes; the limit is {limit}: send smaller batches.")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise PayloadTooLarge(f"The body is larger than {limit} bytes: send smaller batches.")
            parts.append(part)
    except ClientDisconnect:
        raise BadRequest("The client hung up before the body was complete.") from None
    return b"".join(parts)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_IDEMPOTENCY_KEY:
        raise BadRequest(f"Idempotency-Key must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters.")
    return key


def answer(results: list[Result]) -> dict[str, Any]:
    """The body of the 202."""
    counts = dict.fromkeys(Status, 0)
    listed: list[dict[str, Any]] = []
    for result in results:
        counts[result.status] += 1
        entry: dict[str, Any] = {"index": result.index}
        if result.event_id is not None:
            entry["event_id"] = result.event_id
        entry["status"] = result.status
        if result.reason is not None:
            entry["reason"] = result.reason
        if result.warnings:
            entry["warnings"] = result.warnings
        listed.append(entry)
    return {
        "accepted": counts[Status.ACCEPTED],
        "duplicates": counts[Status.DUPLICATE],
        "rejected": counts[Status.REJECTED],
        "ignored": counts[Status.IGNORED],
        "results": listed,
    }

"""What is served: FastAPI with the intake in front of it, and bounds for every other call."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from analytics_api import problems
from analytics_api.errors import ConfigurationError, Unprocessable
from analytics_api.ingest.front import IntakeFront, Reply
from analytics_api.ingest.openapi import operation as intake_operation
from analytics_api.query.live.hub import LiveHub
from analytics_api.store.engine import request_limits

PREFIX = "/api/v1/analytics"
EVENTS = f"{PREFIX}/events"
"""The path that events are posted to; a setting may add another one."""
MOST_BODY_BYTES = 1_048_576
"""Of every other call."""


class Application(FastAPI):
    """FastAPI, with the intake in front of it: what brings events passes neither router nor middleware."""

    front: IntakeFront | None = None
    refused: ConfigurationError | None = None
    """The setting with which it could not start."""
    intake: frozenset[str] = frozenset({EVENTS})
    """Paths that events are posted to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if self.front is not None and self.covers(scope):
            await self.front(scope, receive, send)
        elif scope["type"] == "http":
            with request_limits():
                await super().__call__(scope, _limited(receive), send)
        else:
            await super().__call__(scope, receive, self._without_traceback(send))

    def covers(self, scope: Scope) -> bool:
        """Whether it is a request that brings events."""
        return scope["type"] == "http" and scope["path"] in self.intake and scope["method"] == "POST"

    def begin(self, scope: Scope, body: bytes, reply: Reply) -> bool:
        """As `IntakeFront.begin`."""
        return self.front is not None and self.front.begin(scope, body, reply)

    def leave(self) -> None:
        """The server is about to stop: streams, which have no end of their own, end."""
        hub: LiveHub | None = getattr(self.state, "live", None)
        if hub is not None:
            hub.stop()

    def _without_traceback(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and self.refused is not None:
                message["message"] = ""
            await send(message)

        return sent

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the intake, which is no route of FastAPI's, and with the errors of every call."""
        if self.openapi_schema is None:
            document = super().openapi()
            paths = document["paths"]
            document["paths"] = {EVENTS: {"post": intake_operation(), **paths.pop(EVENTS)}, **paths}
            problems.describe(document)
            self.openapi_schema = document
        return self.openapi_schema


async def names_without_nul(request: Request) -> None:
    """A dependency of every route. Raises Unprocessable: PostgreSQL's texts cannot hold the character, so nothing has such a name."""
    if "\x00" in request.scope["path"] or "\x00" in request.query_params.get("destination", ""):
        raise Unprocessable("The address holds the character U+0000, which no name has.")


def _limited(receive: Receive) -> Receive:
    """A body of at most MOST_BODY_BYTES: FastAPI reads it whole before it asks who is there."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY_BYTES:
            raise HTTPException(413, f"The body is larger than {MOST_BODY_BYTES} bytes: send less at once.")
        return message

    return limited

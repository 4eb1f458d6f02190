"""Errors over HTTP as RFC 9457 problem documents, and the id that names each request in answers and log lines."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_api.errors import AnalyticsError, Unavailable, Unprocessable, wording
from analytics_api.store.failures import AWAY
from analytics_api.telemetry import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_PROCESS = uuid4().hex[:24]
_numbers = itertools.count(1)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_QUERY_CANCELED = "57014"
_NO_SUCH_CHARACTER = "22021"
_AWAY_STATES = ("08", "53", "57P", "58", "XX")
"""As AWAY has them; SQLAlchemy wraps the driver's errors in its own."""
_NOBODY_THERE = (ConnectionError, FileNotFoundError, TimeoutError)
"""What connecting to a database that is away ends with; `FileNotFoundError` is its socket."""

_NOT_JSON = "is not sent as JSON; add the header Content-Type: application/json"


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document and give every response an `X-Request-ID`.

    Call it after all other middleware has been added: ids are given outermost, so that every response has one, and
    unexpected errors are answered innermost, so that other middleware sees those answers like any.
    """
    app.add_exception_handler(AnalyticsError, _on_analytics_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.user_middleware.append(Middleware(UnexpectedErrorMiddleware))
    app.add_middleware(RequestIdMiddleware)


def problem_response(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A response with a problem document; its status is the document's."""
    return Response(
        orjson.dumps(problem, default=str),
        problem["status"],
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


_DESCRIPTIONS = {
    "400": "The request cannot be read.",
    "401": "No valid API key.",
    "403": "The key may not do that, or not in this project.",
    "404": "No such thing, or no such project.",
    "408": "The head or the body did not arrive in time.",
    "409": "That exists already.",
    "413": "Too many bytes or entries: split the request.",
    "422": "The request says something impossible; `detail` names the field and the fix.",
    "429": "Too many requests; see Retry-After.",
    "431": "The address or the headers are too long.",
    "500": "Something went wrong on the server; its log tells more under the request id.",
    "503": "Try the same request again after Retry-After seconds.",
}

_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457; further members say more.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable content",
        "status": 422,
        "detail": "end_date is before start_date.",
    },
}


def describe(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document that every call answers errors with problem documents."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["responses"] = {
        f"Problem{status}": {"description": words, "content": content}
        for status, words in _DESCRIPTIONS.items()
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in _DESCRIPTIONS:
                operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}


class RequestIdMiddleware:
    """Takes the client's `X-Request-ID` (1 to 128 of A-Z a-z 0-9 . _ -) or makes one, for the response and the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        current = given_or_new_id(given)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = current
            await send(message)

        token = request_id.set(current)
        try:
            await self.app(scope, receive, with_id)
        finally:
            request_id.reset(token)


class UnexpectedErrorMiddleware:
    """Answers what no handler knows: 503 when the database is away, else 500 and a traceback in the log only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = ended = False

        async def watched(message: Message) -> None:
            nonlocal started, ended
            started = started or message["type"] == "http.response.start"
            ended = ended or (message["type"] == "http.response.body" and not message.get("more_body", False))
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            logger.debug("a client hung up")
        except Exception as error:
            if ended:
                logger.exception("work after a response failed")
            elif started:
                # Only a broken connection still tells the client; the server makes it and logs the traceback.
                raise
            else:
                await _answer_unexpected(error)(scope, receive, send)


def response_to(error: Exception) -> Response:
    """The answer to any exception of a request, as `install` would give it; for routes that answer by themselves."""
    if isinstance(error, AnalyticsError):
        return _answer_known(error)
    return _answer_unexpected(error)


def given_or_new_id(given: bytes) -> str:
    """The client's request id if it is a usable one, else a new one: of this process, and counted up."""
    if given:
        text = given.decode("latin-1")
        if _REQUEST_ID.fullmatch(text):
            return text
    return f"{_PROCESS}{next(_numbers):08x}"


def _answer_unexpected(error: Exception) -> Response:
    known = _database_problem(error)
    if known is not None:
        # A file that may not be read is an OSError, too: where from is told then.
        odd = isinstance(error, OSError) and not isinstance(error, _NOBODY_THERE)
        logger.warning(
            "the database could not answer: %s: %s",
            type(error).__name__,
            error,
            exc_info=error if odd else None,
        )
        return problem_response(known.problem(), known.headers)
    logger.error("unexpected error", exc_info=error)
    return _internal_error()


def _internal_error() -> Response:
    return problem_response(
        {
            "type": "about:blank",
            "title": "Internal error",
            "status": 500,
            "detail": "Something went wrong on the server; its log tells more under this request id.",
            "request_id": request_id.get(),
        }
    )


def _database_problem(error: Exception) -> AnalyticsError | None:
    """What to tell the client when the database is the reason: it is away, a query took too long, or a text is none that it has."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    if state == _QUERY_CANCELED:
        return Unavailable("The query took too long; ask for a shorter period.", retry_after=10)
    if state == _NO_SUCH_CHARACTER:
        return Unprocessable("The request holds the character U+0000, which no text that is stored here has.")
    away = isinstance(cause, (*AWAY, PoolTimeout)) or state.startswith(_AWAY_STATES)
    if isinstance(error, DBAPIError):
        away = away or error.connection_invalidated
    return Unavailable("The database is away; send the same request again.", retry_after=2) if away else None


async def _on_analytics_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AnalyticsError)  # noqa: S101 (Starlette's handlers are typed for any exception)
    return _answer_known(error)


def _answer_known(error: AnalyticsError) -> Response:
    if error.status == 500:
        # Its words are for the operator: they may name hosts and settings.
        logger.error("unexpected error", exc_info=error)
        return _internal_error()
    return problem_response(error.problem(), error.headers)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # JSON under another name is not read: pages of any origin may send that without asking first.
    unread = isinstance(error.body, bytes)
    errors = [
        {
            "field": _field(item),
            "message": _NOT_JSON if unread and item["loc"] == ("body",) else wording(item),
        }
        for item in error.errors()
    ]
    return problem_response(
        {
            "type": "about:blank",
            "title": "Unprocessable content",
            "status": 422,
            "detail": "; ".join(f"{item['field']}: {item['message']}" for item in errors) + ".",
            "errors": errors,
        }
    )


def _field(item: Mapping[str, Any]) -> str:
    """The name of the field that is wrong: `start_date`, `user.name`, `events.0.event_type`; `body` for all of it."""
    place, *path = item["loc"]
    if not path or item["type"] == "json_invalid":
        return str(place)
    return ".".join(str(part) for part in path)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code in (204, 304) or error.status_code < 200:
        return Response(status_code=error.status_code, headers=headers)
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail
    if error.status_code == 404 and detail == title:
        detail = "There is nothing at this path; GET /openapi.json lists what there is."
    elif error.status_code == 405 and detail == title:
        headers = {"Allow": _methods_at(request)}
        detail = f"{request.method} is not possible here; use {headers['Allow']}."
    return problem_response(
        {"type": "about:blank", "title": title, "status": error.status_code, "detail": detail}, headers
    )


def _methods_at(request: Request) -> str:
    """What a path takes (RFC 9110, section 10.2.1): all its routes together, of which each knows only its own methods."""
    app = request.app
    found = {
        method
        for route in app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    if request.scope["path"] in getattr(app, "intake", ()):
        # No route: it passes no router.
        found.add("POST")
    return ", ".join(sorted(found))

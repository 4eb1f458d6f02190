"""What routes ask FastAPI for: the database, and a caller with a certain right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBearer

from analytics_api.access.audit import is_recorded, recorded
from analytics_api.access.authenticator import Authenticator, require
from analytics_api.access.caller import Caller, Right
from analytics_api.access.cookies import COOKIE
from analytics_api.access.cors import require_origin
from analytics_api.access.logins import Login
from analytics_api.access.rate_limits import RateLimits
from analytics_api.errors import Unauthorized
from analytics_api.store.engine import Database

bearer_scheme = HTTPBearer(auto_error=False, scheme_name="bearer", description="API key as a bearer token.")
header_scheme = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="API key.")
query_scheme = APIKeyQuery(
    name="key", auto_error=False, scheme_name="query", description="Read keys only; can be switched off."
)
cookie_scheme = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="cookie",
    description="Login (`POST /auth/login`). Writes also need its `X-CSRF-Token`. Over https the name begins with `__Host-`.",
)

ProjectName = Annotated[
    str | None,
    Query(
        alias="project", description="Project by its slug; default: the key's own project, or a user's first."
    ),
]


# Dependencies are coroutines: FastAPI runs plain functions in threads, where they wait for the processor behind what the event
# loop is doing.
async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _with(right: Right) -> Callable[..., AsyncIterator[Caller]]:
    async def caller(
        request: Request,
        project: ProjectName = None,
        _bearer: object = Security(bearer_scheme),
        _header: object = Security(header_scheme),
        _query: object = Security(query_scheme),
        _cookie: object = Security(cookie_scheme),
    ) -> AsyncIterator[Caller]:
        authenticator: Authenticator = request.app.state.authenticator
        found = await authenticator.caller(request, project=project)
        # Before the right is asked for, so that auto-tracking knows whom it was denied.
        request.state.caller = found
        require(found, right)
        if right is Right.SEND and found.role is None:
            # What the intake's own route asks for, too; each call brings one event.
            require_origin(found, request.headers.get("origin"))
            rates: RateLimits = request.app.state.rates
            rates.check(found)
            rates.charge(found, 1)
        if is_recorded(request, right, found):
            async with recorded(request, request.app.state.database, found):
                yield found
        else:
            yield found

    return caller


def _that_may(right: Right) -> Any:
    # Scope "function": the audit log is written before the answer is sent, and hears of errors.
    return Depends(_with(right), scope="function")


async def _login(request: Request, _cookie: object = Security(cookie_scheme)) -> Login:
    authenticator: Authenticator = request.app.state.authenticator
    login = await authenticator.login(request)
    if login is None:
        raise Unauthorized("You are not logged in, or your login has ended: POST /auth/login.")
    return login


LoginOf = Annotated[Login, Depends(_login)]
DatabaseOf = Annotated[Database, Depends(_database)]
Sender = Annotated[Caller, _that_may(Right.SEND)]
TrustedSender = Annotated[Caller, _that_may(Right.TRUSTED)]
FiguresCaller = Annotated[Caller, _that_may(Right.FIGURES)]
"""Share links included: for answers that show no single event or person."""
ReadCaller = Annotated[Caller, _that_may(Right.READ)]
EditCaller = Annotated[Caller, _that_may(Right.EDIT)]
AdminCaller = Annotated[Caller, _that_may(Right.ADMIN)]

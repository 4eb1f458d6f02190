"""What routes ask FastAPI for: the database, and a caller with a certain right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from analytics_api.access.authenticator import Authenticator, require
from analytics_api.access.caller import Caller, Right
from analytics_api.store.engine import Database

bearer_scheme = HTTPBearer(auto_error=False, scheme_name="bearer", description="API key as a bearer token.")
header_scheme = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="API key.")

ProjectName = Annotated[
    str | None, Query(alias="project", description="Project by its slug; default: the key's own project.")
]


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _with(right: Right) -> Callable[..., Awaitable[Caller]]:
    async def caller(
        request: Request,
        project: ProjectName = None,
        _bearer: object = Security(bearer_scheme),
        _header: object = Security(header_scheme),
    ) -> Caller:
        authenticator: Authenticator = request.app.state.authenticator
        found = await authenticator.caller(request, project=project)
        # Before the right is asked for, so that auto-tracking knows whom it was denied.
        request.state.caller = found
        return require(found, right)

    return caller


DatabaseOf = Annotated[Database, Depends(_database)]
Sender = Annotated[Caller, Depends(_with(Right.SEND))]
TrustedSender = Annotated[Caller, Depends(_with(Right.TRUSTED))]
ReadCaller = Annotated[Caller, Depends(_with(Right.READ))]
AdminCaller = Annotated[Caller, Depends(_with(Right.ADMIN))]

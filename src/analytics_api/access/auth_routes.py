"""/auth: logging in and out, who one is, the password, the open logins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from analytics_api.access import cookies
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.dependencies import DatabaseOf, LoginOf
from analytics_api.access.local import is_foreign_page
from analytics_api.access.logins import Login
from analytics_api.access.schemas import (
    ChangePassword,
    ConfirmCode,
    ConfirmPassword,
    LogIn,
    NewFactor,
    ProjectRole,
    SessionInfo,
    SessionItem,
    SessionList,
    UserInfo,
)
from analytics_api.access.second_factors import otpauth_uri
from analytics_api.domain.project import Project, Role
from analytics_api.errors import NotFound, Unauthorized
from analytics_api.routes import Routes
from analytics_api.store.engine import Database
from analytics_api.store.projects import list_projects
from analytics_api.store.user_sessions import end_session, end_sessions, list_sessions

router = Routes(prefix="/auth", tags=["logins"])

BigNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def client_address(request: Request) -> str | None:
    """The client's address, through proxies that are trusted; it is kept in memory only."""
    find: Callable[[Request], str | None] = request.app.state.client_address
    return find(request)


@router.post("/login", summary="Log in", response_model=SessionInfo)
async def log_in(body: LogIn, request: Request, response: Response) -> SessionInfo:
    """Sets the cookie of a new session. A wrong name and a wrong password are answered alike; too many of them with 429.

    A 401 with `"second_factor": true` means that the password is right and a `code` is needed.
    """
    cookies.check_origin(request)
    login = await _authenticator(request).logins.log_in(
        body.username, body.password.get_secret_value(), client_address(request), body.code
    )
    return opened(request, response, login)


@router.post("/logout", summary="Log out", status_code=204)
async def log_out(login: LoginOf, request: Request, database: DatabaseOf) -> Response:
    """Ends this session."""
    async with database.write() as connection:
        await end_session(connection, login.user.id, login.session.id)
        await _authenticator(request).logins.note(connection, login.user, "log out")
    response = Response(status_code=204)
    cookies.clear_cookies(response)
    return response


@router.get("/session", summary="Who you are", response_model=SessionInfo)
async def session(request: Request, database: DatabaseOf) -> SessionInfo:
    """The user, the projects with the role in each, and the token that writes need."""
    authenticator = _authenticator(request)
    login = await authenticator.login(request)
    if login is not None:
        return session_info(login)
    if authenticator.is_open_to(request) and not is_foreign_page(request):
        return await local_session(database)
    viewer = await authenticator.shares.find(request)
    if viewer is None:
        raise Unauthorized("You are not logged in, or your login has ended: POST /auth/login.")
    return shared_session(await authenticator.project(viewer.project_slug), viewer.ends_at)


@router.post("/password", summary="Change the password", response_model=SessionInfo)
async def change_password(
    body: ChangePassword, login: LoginOf, request: Request, response: Response
) -> SessionInfo:
    """All other sessions end; this one goes on under a new cookie and `csrf_token`."""
    renewed = await _authenticator(request).logins.change_password(
        login, body.current_password.get_secret_value(), body.new_password.get_secret_value(), body.code
    )
    return opened(request, response, renewed)


@router.post("/second-factor", summary="Begin to set up a second factor", response_model=NewFactor)
async def offer_factor(body: ConfirmPassword, login: LoginOf, request: Request) -> NewFactor:
    """A secret for an authenticator app (TOTP, RFC 6238). Nothing changes before it is confirmed."""
    secret = await _authenticator(request).logins.offer_factor(
        login, body.current_password.get_secret_value()
    )
    return NewFactor(secret=secret, uri=otpauth_uri(secret, login.user.username))


@router.post("/second-factor/confirm", summary="Confirm a second factor", status_code=204)
async def confirm_factor(body: ConfirmCode, login: LoginOf, request: Request) -> Response:
    """With a code that the app shows; from then on one is asked for at login. All other logins end."""
    await _authenticator(request).logins.confirm_factor(login, body.code)
    return Response(status_code=204)


@router.post("/second-factor/remove", summary="Remove the second factor", status_code=204)
async def remove_factor(body: ConfirmPassword, login: LoginOf, request: Request) -> Response:
    """With the password and a code. Who has lost the app asks the operator: `analytics-api users remove-second-factor`."""
    await _authenticator(request).logins.remove_factor(
        login, body.current_password.get_secret_value(), body.code
    )
    return Response(status_code=204)


@router.get("/sessions", summary="Open logins", response_model=SessionList)
async def sessions(
    login: LoginOf,
    request: Request,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> SessionList:
    """Your own, newest first."""
    logins = _authenticator(request).logins
    async with database.read() as connection:
        found = await list_sessions(
            connection, login.user.id, logins.clock(), logins.idle, before=before, limit=limit + 1
        )
    return SessionList(
        sessions=[
            SessionItem(
                id=one.id,
                current=one.id == login.session.id,
                created_at=one.created_at,
                seen_at=one.seen_at,
                expires_at=one.ends_at,
            )
            for one in found[:limit]
        ],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.delete("/sessions/{session_id}", summary="End a login", status_code=204)
async def end_one(session_id: BigNumber, login: LoginOf, request: Request, database: DatabaseOf) -> Response:
    """One of your own."""
    async with database.write() as connection:
        if not await end_session(connection, login.user.id, session_id):
            raise NotFound(f"You have no open login {session_id}.")
        await _authenticator(request).logins.note(connection, login.user, "end another login")
    return Response(status_code=204)


@router.delete("/sessions", summary="End all other logins", status_code=204)
async def end_others(login: LoginOf, request: Request, database: DatabaseOf) -> Response:
    """Only the one that asks goes on."""
    async with database.write() as connection:
        await end_sessions(connection, login.user.id, keep=login.session.id)
        await _authenticator(request).logins.note(connection, login.user, "end all other logins")
    return Response(status_code=204)


def opened(request: Request, response: Response, login: Login) -> SessionInfo:
    """Give the browser the cookie of a new session, and say whose it is."""
    logins = _authenticator(request).logins
    cookies.set_cookie(request, response, login.token, int(logins.lasts.total_seconds()))
    return session_info(login)


async def local_session(database: Database) -> SessionInfo:
    """Somebody at this machine, in sandbox mode."""
    async with database.read() as connection:
        projects = await list_projects(connection)
    return _without_user("local", projects, Role.OWNER, None)


def shared_session(project: Project, ends_at: datetime | None) -> SessionInfo:
    """Somebody who looks through a share link."""
    return _without_user("share", [project], Role.VIEWER, ends_at)


def _without_user(
    mode: Literal["local", "share"], projects: list[Project], role: Role, ends_at: datetime | None
) -> SessionInfo:
    return SessionInfo(
        mode=mode,
        user=None,
        projects=[ProjectRole(id=one.id, slug=one.slug, name=one.name, role=role) for one in projects],
        csrf_token=None,
        expires_at=ends_at,
    )


def session_info(login: Login) -> SessionInfo:
    """Who somebody is."""
    user = login.user
    return SessionInfo(
        mode="login",
        user=UserInfo(
            id=user.id,
            username=user.username,
            owner_everywhere=user.owner_everywhere,
            second_factor=user.second_factor_at is not None,
        ),
        projects=[
            ProjectRole(id=one.project_id, slug=one.slug, name=one.project_name, role=one.role)
            for one in login.memberships
        ],
        csrf_token=cookies.csrf_token(login.token),
        expires_at=login.session.ends_at,
    )

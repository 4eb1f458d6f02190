"""/members and /invitations: who may do something in a project, and who is asked in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.access import cookies
from analytics_api.access.auth_routes import opened, session_info
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.access.logins import Login, Logins, normal_username
from analytics_api.access.passwords import checked_password
from analytics_api.access.schemas import (
    AcceptInvitation,
    InvitationItem,
    InvitationList,
    InvitationOffer,
    InvitationToken,
    Invite,
    MemberItem,
    MemberList,
    NewInvitation,
    SessionInfo,
    SetRole,
)
from analytics_api.domain.project import Role
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.routes import Routes
from analytics_api.store import invitations, users
from analytics_api.store.invitations import Invitation
from analytics_api.store.projects import list_projects
from analytics_api.store.users import Member, User

router = Routes(tags=["logins"])

GONE = "This invitation is unknown, taken back, expired or was accepted before: ask for another one."

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


def _logins(request: Request) -> Logins:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator.logins


@router.get("/members", summary="Members", response_model=MemberList)
async def list_all(
    caller: AdminCaller,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[
        str, Query(max_length=254, pattern=r"^[^\x00]*$", description="`next` of the page before.")
    ] = "",
) -> MemberList:
    """Who may do something in the project, by name."""
    async with database.read() as connection:
        found = await users.list_members(connection, caller.project.id, after=after, limit=limit + 1)
    return MemberList(
        project=caller.project.slug,
        members=[_member(one) for one in found[:limit]],
        next=found[limit - 1].user.username if len(found) > limit else None,
    )


@router.patch("/members/{user_id}", summary="Change a member's role", response_model=MemberItem)
async def change_role(
    user_id: Number, body: SetRole, request: Request, caller: AdminCaller, database: DatabaseOf
) -> MemberItem:
    """Counts from the member's next request on. The last owner stays one."""
    project = caller.project
    async with database.write() as connection:
        member = await _locked_member(connection, project.id, user_id)
        await users.set_role(connection, user_id, project.id, body.role, _logins(request).clock())
        await _keep_an_owner(connection, project.id)
    return _member(Member(member.user, body.role, member.since))


@router.delete("/members/{user_id}", summary="Remove a member", status_code=204)
async def remove(user_id: Number, caller: AdminCaller, database: DatabaseOf) -> Response:
    """From the member's next request on. The last owner stays."""
    async with database.write() as connection:
        await _locked_member(connection, caller.project.id, user_id)
        await users.remove_member(connection, user_id, caller.project.id)
        await _keep_an_owner(connection, caller.project.id)
    return Response(status_code=204)


async def _locked_member(connection: AsyncConnection, project_id: int, user_id: int) -> Member:
    await users.lock_members(connection, project_id)
    for member in await users.list_members(connection, project_id):
        if member.user.id == user_id:
            return member
    raise NotFound(f"The project has no member {user_id}.")


async def _keep_an_owner(connection: AsyncConnection, project_id: int) -> None:
    if await users.count_owners(connection, project_id) == 0:
        raise Conflict("The project would have no owner: make another member owner first.")


@router.get("/invitations", summary="Open invitations", response_model=InvitationList)
async def list_open(
    caller: AdminCaller,
    request: Request,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")] = None,
) -> InvitationList:
    """Those that can still be accepted."""
    async with database.read() as connection:
        found = await invitations.list_invitations(
            connection, caller.project.id, _logins(request).clock(), before=before, limit=limit + 1
        )
    return InvitationList(
        project=caller.project.slug,
        invitations=[_item(one) for one in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.post("/invitations", summary="Invite somebody", status_code=201, response_model=NewInvitation)
async def invite(body: Invite, caller: AdminCaller, request: Request, database: DatabaseOf) -> NewInvitation:
    """The token works once. Whoever has it can accept, so hand it on where others do not read along."""
    now = _logins(request).clock()
    async with database.write() as connection:
        token, made = await invitations.create_invitation(
            connection,
            caller.project.id,
            body.role,
            created_by=caller.name,
            expires_at=now + timedelta(hours=body.expires_hours),
            now=now,
        )
    return NewInvitation(**_item(made).model_dump(), token=token)


@router.delete("/invitations/{invitation_id}", summary="Take an invitation back", status_code=204)
async def withdraw(invitation_id: Number, caller: AdminCaller, database: DatabaseOf) -> Response:
    """Its token works no more."""
    async with database.write() as connection:
        if not await invitations.withdraw_invitation(connection, caller.project.id, invitation_id):
            raise NotFound(f"The project has no open invitation {invitation_id}.")
    return Response(status_code=204)


@router.post("/invitations/inspect", summary="What an invitation offers", response_model=InvitationOffer)
async def inspect(body: InvitationToken, request: Request, database: DatabaseOf) -> InvitationOffer:
    """For the page that a link leads to. The token is what is asked for instead of a login."""
    async with database.read() as connection:
        found = await invitations.open_invitation(connection, body.token, _logins(request).clock())
        if found is None:
            raise _gone()
        project = {one.id: one for one in await list_projects(connection)}[found.project_id]
    return InvitationOffer(
        project=project.slug, project_name=project.name, role=found.role, expires_at=found.expires_at
    )


@router.post("/invitations/accept", summary="Accept an invitation", response_model=SessionInfo)
async def accept(
    body: AcceptInvitation, request: Request, response: Response, database: DatabaseOf
) -> SessionInfo:
    """With `username` and `password` a new user is made and logged in; without, the logged-in user becomes a member."""
    authenticator: Authenticator = request.app.state.authenticator
    cookies.check_origin(request)
    if body.username is not None and body.password is not None:
        login = await _accept_as_new(
            authenticator.logins, body.token, body.username, body.password.get_secret_value()
        )
        return opened(request, response, login)
    known = await authenticator.login(request) if body.username is None and body.password is None else None
    if known is None:
        raise Unprocessable("username, password: give both for a new user, or log in and give neither.")
    async with database.write() as connection:
        await _join(connection, authenticator.logins, body.token, known.user)
        mine = await users.memberships_of(connection, known.user)
    return session_info(Login(known.user, known.session, known.token, mine))


def _gone() -> NotFound:
    return NotFound(GONE)


async def _accept_as_new(logins: Logins, token: str, username: str, password: str) -> Login:
    name = normal_username(username)
    checked_password(password, name)
    async with logins.database.read() as connection:
        # Before the hash is made: who has no token must not make the server work.
        if await invitations.open_invitation(connection, token, logins.clock()) is None:
            raise _gone()
    hashed = await logins.passwords.hashed(password)
    async with logins.database.write() as connection:
        user = await users.create_user(connection, name, hashed, now=logins.clock())
        await _join(connection, logins, token, user)
        return await logins.open(connection, user)


async def _join(connection: AsyncConnection, logins: Logins, token: str, user: User) -> None:
    """Use an invitation up. Somebody who has a higher role in the project keeps it."""
    now = logins.clock()
    found = await invitations.open_invitation(connection, token, now, lock=True)
    if found is None:
        raise _gone()
    members = await users.list_members(connection, found.project_id)
    order = list(Role)
    has = next((order.index(one.role) for one in members if one.user.id == user.id), -1)
    if order.index(found.role) > has:
        await users.set_role(connection, user.id, found.project_id, found.role, now)
    await invitations.mark_accepted(connection, found.id, user.id, now)
    await logins.note(connection, user, f"accept invitation {found.id} as {found.role}", found.project_id)


def _member(member: Member) -> MemberItem:
    user = member.user
    return MemberItem(
        user_id=user.id,
        username=user.username,
        role=member.role,
        since=member.since,
        last_login_at=user.last_login_at,
        disabled=user.disabled_at is not None,
    )


def _item(found: Invitation) -> InvitationItem:
    return InvitationItem(
        id=found.id,
        role=found.role,
        created_by=found.created_by,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )

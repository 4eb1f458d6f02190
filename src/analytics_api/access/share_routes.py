"""/shares: links that show a project's figures without a login."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from analytics_api.access import cookies
from analytics_api.access.auth_routes import client_address, local_session, session_info, shared_session
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.access.passwords import checked_password
from analytics_api.access.schemas import SessionInfo
from analytics_api.access.shares import LASTS, gone
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store.projects import list_projects
from analytics_api.store.shares import Share, create_share, list_shares, open_share, revoke_share

router = Routes(prefix="/shares", tags=["logins"])

_Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_Password = Annotated[SecretStr | None, Field(max_length=1024)]


class NewShare(BaseModel):
    """What a link shows, to whom and for how long."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "For the board", "view": "overview?range=7d", "expires_hours": 168}
        },
    )

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$", description="For you.")
    view: str = Field(
        max_length=4000,
        pattern=r"^(overview|funnels|retention|journeys|revenue)(\?[!-~]*)?$",
        description="A page of the dashboard and what stands behind its `?`.",
    )
    expires_hours: int | None = Field(None, ge=1, le=8784, description="Without it, until it is revoked.")
    password: _Password = Field(None, description="What it asks for when it is opened.")


class ShareItem(BaseModel):
    """A link that can be opened."""

    id: int
    name: str
    view: str
    password: bool = Field(description="Whether it asks for one.")
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    opened: int = Field(description="How often.")
    opened_at: datetime | None


class MadeShare(ShareItem):
    """With its token, which cannot be read again."""

    token: str = Field(description="Put it behind `/dashboard/share#`: that part is sent to no server.")


class ShareList(BaseModel):
    """The open links of a project."""

    project: str
    shares: list[ShareItem]
    next: int | None = Field(description="`before` of the next page.")


class ShareToken(BaseModel):
    """What a link holds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"token": "sh_unknown"}})

    token: str = Field(max_length=100)


class OpenShare(ShareToken):
    """And its password, if it asks for one."""

    password: _Password = None


class ShareOffer(BaseModel):
    """What whoever has the link may know before the password is given."""

    password: bool
    expires_at: datetime | None


class OpenedShare(BaseModel):
    """Where the link leads, and who one is there."""

    project: str
    view: str
    session: SessionInfo


@router.get("", summary="Share links")
async def list_all(
    caller: AdminCaller,
    request: Request,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")] = None,
) -> ShareList:
    """Those that can be opened, newest first."""
    async with database.read() as connection:
        now = _authenticator(request).logins.clock()
        found = await list_shares(connection, caller.project.id, now, before=before, limit=limit + 1)
    return ShareList(
        project=caller.project.slug,
        shares=[ShareItem(**_item(one)) for one in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.post("", summary="Make a share link", status_code=201)
async def make(body: NewShare, caller: AdminCaller, request: Request, database: DatabaseOf) -> MadeShare:
    """Whoever has the link sees the project's figures, without events and persons, and changes nothing."""
    logins = _authenticator(request).logins
    hashed = None
    if body.password is not None:
        hashed = await logins.passwords.hashed(
            checked_password(body.password.get_secret_value(), caller.project.slug)
        )
    now = logins.clock()
    async with database.write() as connection:
        token, share = await create_share(
            connection,
            caller.project.id,
            body.name,
            body.view,
            password_hash=hashed,
            created_by=caller.name,
            expires_at=None if body.expires_hours is None else now + timedelta(hours=body.expires_hours),
            now=now,
        )
    return MadeShare(**_item(share), token=token)


@router.delete("/{share_id}", summary="Revoke a share link", status_code=204)
async def revoke(share_id: _Number, caller: AdminCaller, request: Request, database: DatabaseOf) -> Response:
    """It opens no more, and who looks through it sees nothing from the next request on."""
    now = _authenticator(request).logins.clock()
    async with database.write() as connection:
        if not await revoke_share(connection, caller.project.id, share_id, now):
            raise NotFound(f"The project has no open share link {share_id}.")
    return Response(status_code=204)


@router.post("/inspect", summary="What a share link asks for")
async def inspect(body: ShareToken, request: Request, database: DatabaseOf) -> ShareOffer:
    """For the page that a link leads to. The token is what is asked for instead of a login."""
    async with database.read() as connection:
        share = await open_share(connection, body.token, _authenticator(request).logins.clock())
    if share is None:
        raise gone()
    return ShareOffer(password=share.password_hash is not None, expires_at=share.expires_at)


@router.post("/open", summary="Open a share link")
async def open_link(
    body: OpenShare, request: Request, response: Response, database: DatabaseOf
) -> OpenedShare:
    """Sets a cookie that reads figures for twelve hours. Who may see the project anyway stays who they are."""
    cookies.check_origin(request)
    authenticator = _authenticator(request)
    password = None if body.password is None else body.password.get_secret_value()
    share = await authenticator.shares.check(body.token, password, client_address(request))
    async with database.read() as connection:
        project = {one.id: one for one in await list_projects(connection)}[share.project_id]
    login = await authenticator.login(request)
    if login is not None and project.slug in {membership.slug for membership in login.memberships}:
        session = session_info(login)
    elif login is None and authenticator.is_open_to(request):
        session = await local_session(database)
    else:
        token = await authenticator.shares.begin(share)
        cookies.set_cookie(request, response, token, int(LASTS.total_seconds()), cookies.SHARE_COOKIE)
        session = shared_session(project, share.expires_at)
    return OpenedShare(project=project.slug, view=share.view, session=session)


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def _item(share: Share) -> dict[str, object]:
    return {
        "id": share.id,
        "name": share.name,
        "view": share.view,
        "password": share.password_hash is not None,
        "created_by": share.created_by,
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "opened": share.opened,
        "opened_at": share.opened_at,
    }

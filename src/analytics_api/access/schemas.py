"""What the calls about logins, members and invitations take and give, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from analytics_api.domain.project import Role

Text = Annotated[str, Field(max_length=1024)]
Secret = Annotated[SecretStr, Field(max_length=1024)]
Code = Annotated[
    str | None, Field(max_length=20, description="Of the second factor, for those who have set one up.")
]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": values})


def _strict(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": values})


class LogIn(BaseModel):
    """A user name and a password."""

    model_config = _strict(username="ada@example.com", password="four words with spaces")  # noqa: S106

    username: Text
    password: Secret
    code: Code = None


class ConfirmCode(BaseModel):
    """What the app shows."""

    model_config = _strict(code="123456")

    code: Annotated[str, Field(max_length=20)]


class ConfirmPassword(BaseModel):
    """That it is you who asks."""

    model_config = _strict(current_password="four words with spaces", code="123456")  # noqa: S106

    current_password: Secret
    code: Code = None


class NewFactor(BaseModel):
    """For an authenticator app; it is asked for once it is confirmed, and cannot be read again."""

    secret: str = Field(description="Base32, to be typed in.")
    uri: str = Field(
        description="The same as an address for a QR code. Draw it in the browser; send it nowhere."
    )


class ChangePassword(BaseModel):
    """The password that is, and the one that is to be."""

    model_config = _strict(current_password="four words with spaces", new_password="five other words in here")  # noqa: S106

    current_password: Secret
    new_password: Secret
    code: Code = None


class UserInfo(BaseModel):
    """Somebody who logs in."""

    id: int
    username: str
    owner_everywhere: bool = Field(description="Owner of every project, of those to come as well.")
    second_factor: bool = Field(description="Whether a code is asked for besides the password.")


class ProjectRole(BaseModel):
    """A project and what you may do there."""

    id: int
    slug: str = Field(description="What `project=` takes.")
    name: str
    role: Role


class SessionInfo(BaseModel):
    """Who you are."""

    model_config = _example(
        mode="login",
        user={"id": 1, "username": "ada@example.com", "owner_everywhere": False, "second_factor": False},
        projects=[{"id": 1, "slug": "default", "name": "Shop", "role": "editor"}],
        csrf_token="5c1f...",  # noqa: S106
        expires_at="2026-04-09T12:00:00Z",
    )

    mode: Literal["login", "local", "share"] = Field(
        description="`local`: sandbox mode at this machine, where nobody logs in and everything is allowed; `share`: a link."
    )
    user: UserInfo | None = Field(description="In mode `login`.")
    projects: list[ProjectRole]
    csrf_token: str | None = Field(
        description="To be sent as `X-CSRF-Token` with every POST, PUT, PATCH and DELETE."
    )
    expires_at: datetime | None = Field(description="The login ends then at the latest.")


class SessionItem(BaseModel):
    """An open login."""

    model_config = _example(
        id=7,
        current=True,
        created_at="2026-03-10T12:00:00Z",
        seen_at="2026-03-11T09:00:00Z",
        expires_at="2026-04-09T12:00:00Z",
    )

    id: int
    current: bool = Field(description="Whether it is the one that asks.")
    created_at: datetime
    seen_at: datetime = Field(description="Last use, to the minute.")
    expires_at: datetime


class SessionList(BaseModel):
    """Your open logins."""

    sessions: list[SessionItem]
    next: int | None = Field(description="`before` of the next page.")


class MemberItem(BaseModel):
    """Somebody who may do something in the project."""

    model_config = _example(
        user_id=2,
        username="ada@example.com",
        role="editor",
        since="2026-03-10T12:00:00Z",
        last_login_at=None,
        disabled=False,
    )

    user_id: int
    username: str
    role: Role
    since: datetime
    last_login_at: datetime | None
    disabled: bool = Field(description="Locked out by the operator.")


class MemberList(BaseModel):
    """The members of a project. Owners of every project are not listed; `analytics-api users list` shows them."""

    project: str
    members: list[MemberItem]
    next: str | None = Field(description="`after` of the next page.")


class SetRole(BaseModel):
    """What a member may do from now on."""

    model_config = _strict(role="viewer")

    role: Role


class Invite(BaseModel):
    """Whom to invite: the role is bound to the invitation, the person is whoever gets the link."""

    model_config = _strict(role="viewer", expires_hours=72)

    role: Role
    expires_hours: int = Field(72, ge=1, le=720, description="How long it can be accepted.")


class InvitationItem(BaseModel):
    """An invitation that can still be accepted."""

    model_config = _example(
        id=3,
        role="viewer",
        created_by="user:1",
        created_at="2026-03-10T12:00:00Z",
        expires_at="2026-03-13T12:00:00Z",
    )

    id: int
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime


class NewInvitation(InvitationItem):
    """With its token, which cannot be read again."""

    token: str = Field(
        description="Put it behind the `#` of a link to your dashboard: what stands there is sent to no server and in no log."
    )


class InvitationList(BaseModel):
    """The open invitations of a project."""

    project: str
    invitations: list[InvitationItem]
    next: int | None = Field(description="`before` of the next page.")


class InvitationToken(BaseModel):
    """The token of a link."""

    model_config = _strict(token="in_...")  # noqa: S106

    token: Text


class InvitationOffer(BaseModel):
    """What a link offers."""

    model_config = _example(
        project="default", project_name="Shop", role="viewer", expires_at="2026-03-13T12:00:00Z"
    )

    project: str
    project_name: str
    role: Role
    expires_at: datetime


class AcceptInvitation(BaseModel):
    """With a user name and a password for a new user; without, for the one who is logged in."""

    model_config = _strict(token="in_...", username="ada@example.com", password="four words with spaces")  # noqa: S106

    token: Text
    username: Text | None = None
    password: Secret | None = None

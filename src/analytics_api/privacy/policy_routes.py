"""A project's privacy policy over HTTP, and the counts of what was kept out of the log."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Protocol

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from analytics_api.access.dependencies import AdminCaller, DatabaseOf, ReadCaller
from analytics_api.domain.clock import system_clock
from analytics_api.domain.period import local_day
from analytics_api.domain.personal_data import Mode, Rule
from analytics_api.domain.privacy import PrivacyPolicy, Signal, VisitorIds, default_modes
from analytics_api.domain.times import EARLIEST
from analytics_api.errors import Unprocessable
from analytics_api.routes import Routes
from analytics_api.store.privacy_counts import list_counts
from analytics_api.store.privacy_policies import StoredPolicy, find_policy, policy_document, save_policy

router = Routes(tags=["privacy"])

MOST_NAMES = 500
DEFAULT_DAYS = 30

_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*[A-Za-z0-9][^\x00-\x1f]*$")
]
_Path = Annotated[
    str,
    StringConstraints(max_length=500, pattern=r"^(event_data|context|user_properties)(\.[^.\x00-\x1f]+)+$"),
]


class _Refreshable(Protocol):
    async def refresh(self) -> None:
        """Read the policies that have changed."""


class PolicyBody(BaseModel):
    """What a project decides about personal data. What is left out is as it is by default."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "fields": ["customer_number"],
                "kept_paths": ["event_data.plan.name"],
                "modes": {"email": "hash", "phone": "keep"},
                "signals": ["gpc"],
                "visitor_ids": "daily",
            }
        },
    )

    fields: list[_Name] = Field(
        [],
        max_length=MOST_NAMES,
        description="Names of fields that are personal, at any depth, beside `email`, `name`, `full_name`, `first_name`, "
        "`last_name`, `phone` and those of addresses and user agents. Upper case and separators do not matter.",
    )
    kept_paths: list[_Path] = Field(
        [],
        max_length=MOST_NAMES,
        description="Fields that are left alone although they look personal, without places in lists.",
    )
    modes: dict[Rule, Mode] = Field(
        {},
        description="What happens to what each rule finds. By default named fields are dropped and values masked.",
    )
    signals: list[Signal] = Field(
        [], description="Headers that are honoured: with `gpc` events sent with `Sec-GPC: 1` are not stored."
    )
    visitor_ids: VisitorIds = Field(
        VisitorIds.OFF, description="Ids for events of pages without any, made of address and user agent."
    )

    def policy(self) -> PrivacyPolicy:
        """The same in the domain's words."""
        return PrivacyPolicy(
            tuple(self.fields),
            tuple(self.kept_paths),
            default_modes() | self.modes,
            tuple(self.signals),
            self.visitor_ids,
        )


class Policy(PolicyBody):
    """A project's policy; version 0 when it has decided nothing."""

    project: str
    version: int = Field(description="Raised by every change.")
    updated_at: datetime | None


class RemovedItem(BaseModel):
    """What was kept out by one rule, of one field."""

    rule: str = Field(
        description="`field` (by its name), `email`, `phone`, `card`, `iban`, `jwt`, `url_secret`; of whole events `opt_out`, "
        "`gpc`, `dnt`, `destination`, `erased`."
    )
    subject: str = Field(
        description="Path of the field, without places in lists; or the type of the events. Empty: of many, not told apart."
    )
    action: str = Field(description="`drop`, `mask`, `hash` or `refused`.")
    number: int
    last_day: date


class RemovedList(BaseModel):
    """What was kept out of the log, the most first. What it was is kept nowhere."""

    model_config = ConfigDict(populate_by_name=True)

    project: str
    from_: date = Field(alias="from", serialization_alias="from")
    to: date
    total: int = Field(description="Of all items, also of those beyond `limit`.")
    items: list[RemovedItem]


@router.get("/privacy/policy", summary="What the project has decided about personal data")
async def read_policy(caller: ReadCaller, database: DatabaseOf) -> Policy:
    """Which fields and values are personal, what becomes of them, and which browsers' signals are honoured."""
    async with database.look() as connection:
        stored = await find_policy(connection, caller.project.id)
    return _answer(caller.project.slug, stored)


@router.put("/privacy/policy", summary="Decide about personal data")
async def write_policy(
    body: PolicyBody, request: Request, caller: AdminCaller, database: DatabaseOf
) -> Policy:
    """In place of what was decided before; other processes follow within seconds. What is stored already stays."""
    async with database.acquire() as connection:
        await save_policy(connection, caller.project.id, body.policy(), system_clock())
        stored = await find_policy(connection, caller.project.id)
    desk: _Refreshable = request.app.state.privacy
    await desk.refresh()
    return _answer(caller.project.slug, stored)


@router.get("/privacy/removed", summary="What was kept out of the log")
async def removed(
    caller: ReadCaller,
    database: DatabaseOf,
    from_: Annotated[
        date | None, Query(alias="from", description="First day; 30 days ago by default.")
    ] = None,
    to: Annotated[date | None, Query(ge=EARLIEST.date(), description="Last day; today by default.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items.")] = 1000,
) -> RemovedList:
    """Counts by rule and field, a few seconds late. The values are kept nowhere."""
    last = to or local_day(system_clock(), caller.project.zone)
    first = from_ or last - timedelta(days=DEFAULT_DAYS)
    if first > last:
        raise Unprocessable(f"from {first} is after to {last}: swap them.")
    async with database.look() as connection:
        found = await list_counts(connection, caller.project.id, first, last)
    return RemovedList(
        project=caller.project.slug,
        from_=first,
        to=last,
        total=sum(one.number for one in found),
        items=[
            RemovedItem(
                rule=one.rule,
                subject=one.subject,
                action=one.action,
                number=one.number,
                last_day=one.last_day,
            )
            for one in found[:limit]
        ],
    )


def _answer(project: str, stored: StoredPolicy) -> Policy:
    return Policy(
        project=project,
        version=stored.version,
        updated_at=stored.updated_at,
        **policy_document(stored.policy),
    )

"""What acquiring customers cost, by the channel or campaign of their first touch (definitions, section 8: cac_paid)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Project
from analytics_api.store.metrics.acquisition import payers_parameters, payers_sql, spend_sql
from analytics_api.store.statements import fetch

Key = tuple[str | None, ...]
"""Channel, or channel and campaign; None where nothing is known."""

_SPEND = {"channel": "nullif(channel, '')", "campaign": "nullif(campaign, '')"}
_TOUCH = {
    "channel": "persons.first_touch ->> 'channel'",
    "campaign": "persons.first_touch ->> 'utm_campaign'",
}


@dataclass(slots=True)
class Acquired:
    """What was spent on a channel or campaign, and whom it brought."""

    spend: Decimal | None = None
    """In the project's currency; None when none is recorded, or a rate is missing."""
    unconverted: int = 0
    payers: int = 0
    signups: int = 0


async def acquired_by(
    connection: AsyncConnection, project: Project, first: date, last: date, *, campaigns: bool, lag_days: int
) -> dict[Key, Acquired]:
    """Spend from `first` to `last`, and who signed up or paid for the first time in these days moved on by `lag_days`."""
    names = ("channel", "campaign") if campaigns else ("channel",)
    found: dict[Key, Acquired] = defaultdict(Acquired)
    spent: dict[str, Any] = {"project": project.id, "first": first, "after": last + timedelta(days=1)}
    lag = timedelta(days=lag_days)
    came = {**spent, "first": first + lag, "after": last + lag + timedelta(days=1)}
    # `s_` and `t_`: a bare `channel` would mean the column, not what is selected under that name.
    spend = spend_sql({f"s_{name}": _SPEND[name] for name in names})
    for row in await fetch(connection, spend, {**spent, "currency": project.currency}):
        one = found[tuple(row[: len(names)])]
        one.spend, one.unconverted = row.spend, row.unconverted
    touch = {f"t_{name}": _TOUCH[name] for name in names}
    payers = payers_parameters(project, came["first"], came["after"])
    for row in await fetch(connection, payers_sql(touch), payers):
        found[tuple(row[: len(names)])].payers = row.payers
    signups = f"""
        SELECT {", ".join(touch.values())}, count(*) AS signups FROM persons
        WHERE project_id = :project AND first_signup_day >= :first AND first_signup_day < :after
        GROUP BY {", ".join(map(str, range(1, len(names) + 1)))}
    """
    for row in await fetch(connection, signups, came):
        found[tuple(row[: len(names)])].signups = row.signups
    return dict(found)

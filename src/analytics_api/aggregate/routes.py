"""POST /rates and /spend: what figures need and no event tells. Server keys only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Query, Request
from pydantic import BaseModel, BeforeValidator, Field

from analytics_api.access.dependencies import DatabaseOf, TrustedSender
from analytics_api.aggregate.entries import RateEntry, SpendEntry
from analytics_api.aggregate.ledger_files import Entries, rates_of, read_table, spend_of, store_entries
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.routes import Routes
from analytics_api.store.engine import Database
from analytics_api.store.ledger import save_rates, save_spend

MOST_ENTRIES = 10_000

router = Routes(tags=["money"])


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Stored(BaseModel):
    """What became of the entries."""

    stored: int = Field(description="Entries that are stored now, whether they were new or not.")
    changed: int = Field(description="Those that were new or different.")


Rates = Annotated[
    list[RateEntry],
    BeforeValidator(_as_list, json_schema_input_type=RateEntry | list[RateEntry]),
    Field(min_length=1, max_length=MOST_ENTRIES),
    Body(),
]
Spends = Annotated[
    list[SpendEntry],
    BeforeValidator(_as_list, json_schema_input_type=SpendEntry | list[SpendEntry]),
    Field(min_length=1, max_length=MOST_ENTRIES),
    Body(),
]


@router.post("/rates", summary="Store exchange rates", response_model=Stored)
async def store_rates(caller: TrustedSender, database: DatabaseOf, entries: Rates) -> Stored:
    """One rate or a list. A rate of the same currency and day is replaced; figures that used it are made again."""
    rates = [entry.stored(caller.project) for entry in entries]
    async with database.write() as connection:
        changed = await save_rates(connection, caller.project, rates, system_clock())
    return Stored(stored=len({(rate.currency, rate.day) for rate in rates}), changed=changed)


@router.post("/spend", summary="Store acquisition spend", response_model=Stored)
async def store_spend(caller: TrustedSender, database: DatabaseOf, entries: Spends) -> Stored:
    """One entry or a list. An entry of the same days, channel and campaign is replaced, so a resend changes nothing."""
    spends = [entry.stored(caller.project) for entry in entries]
    async with database.write() as connection:
        changed = await save_spend(connection, caller.project, spends, system_clock())
    keys = {(spend.start, spend.end, spend.channel, spend.campaign) for spend in spends}
    return Stored(stored=len(keys), changed=changed)


class Imported(BaseModel):
    """What became of a file."""

    rows: int
    stored: int = Field(
        description="Entries that the rows make: rows of the same days, channel and campaign are added up."
    )
    changed: int = Field(description="Entries that were new or different.")
    totals: dict[str, float] = Field(description="Sum of amounts by currency; empty for rates.")
    dry_run: bool


_CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "date,channel,campaign,amount,currency\n2026-01-31,paid,spring,120.50,USD\n",
            }
        },
    }
}
DryRun = Annotated[bool, Query(description="Only say what would happen.")]


@router.post(
    "/spend/import", summary="Store spend from a CSV file", response_model=Imported, openapi_extra=_CSV
)
async def import_spend(
    request: Request, caller: TrustedSender, database: DatabaseOf, dry_run: DryRun = False
) -> Imported:
    """The body is the file: a line of headers (`date`, or `start_date` and `end_date`; `channel`, `campaign`, `amount`,
    `currency`), then at most 10,000 rows. All is stored or nothing: each wrong row is named with its line and field."""
    table = read_table(await request.body())
    return await _imported(spend_of(table, caller.project), caller.project, database, dry_run=dry_run)


@router.post(
    "/rates/import",
    summary="Store exchange rates from a CSV file",
    response_model=Imported,
    openapi_extra=_CSV,
)
async def import_rates(
    request: Request, caller: TrustedSender, database: DatabaseOf, dry_run: DryRun = False
) -> Imported:
    """As `/spend/import`, with the headers `currency`, `date` and `rate`."""
    table = read_table(await request.body())
    return await _imported(rates_of(table, caller.project), caller.project, database, dry_run=dry_run)


async def _imported(entries: Entries, project: Project, database: Database, *, dry_run: bool) -> Imported:
    changed = await store_entries(database, project, entries, system_clock(), dry_run=dry_run)
    return Imported(
        rows=entries.rows,
        stored=len(entries.spend) + len(entries.rates),
        changed=changed,
        totals={currency: float(total) for currency, total in entries.totals().items()},
        dry_run=dry_run,
    )

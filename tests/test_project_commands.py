"""`analytics-api projects origins` and `retention`."""

from __future__ import annotations

import asyncio

from analytics_api.privacy.retention import apply_retention
from tests.support.events import NOW, open_database
from tests.test_metric_commands import Run, run

__all__ = ["run"]


async def audited(url: str) -> list[str]:
    async with open_database(url) as database:
        rows = await database.pool.fetch("SELECT action, after::text FROM audit_log ORDER BY id")
    return [f"{row['action']} {row['after']}" for row in rows]


def test_origins_are_named_shown_and_taken_back(run: Run, database_url: str) -> None:
    everybody = "Pages of all origins may send events, and none may read.\n"
    assert run("projects", "origins", "default") == everybody
    named = run("projects", "origins", "default", "https://Shop.example/", "http://localhost:3000")
    assert named == "http://localhost:3000\nhttps://shop.example\n"
    assert run("projects", "origins", "default") == named
    assert "'shop.example' is none" in run("projects", "origins", "default", "shop.example", code=2)
    assert run("projects", "origins", "default") == named
    assert run("projects", "origins", "default", "--none") == everybody
    assert "no project 'moo'" in run("projects", "origins", "moo", code=2)
    written = asyncio.run(audited(database_url))
    assert len(written) == 2, "what is only shown is no act"
    assert "https://Shop.example/" in written[0]


def test_retention_is_decided_type_by_type_and_shown(run: Run, database_url: str) -> None:
    assert run("projects", "retention", "default") == (
        "all types: 365 days, by whole partitions (ANALYTICS__DATA_RETENTION_DAYS)\n"
    )
    decided = run("projects", "retention", "default", "--days", "90", "--event-type", "page_view=30")
    assert decided == "all types: 90 days\npage_view: 30 days\n"
    assert "event_types.a: 3 is too short" in run(
        "projects", "retention", "default", "--event-type", "a=3", code=2
    )
    assert "write TYPE=DAYS" in run("projects", "retention", "default", "--event-type", "a", code=2)
    assert "event_types" in run("projects", "retention", "default", "--event-type", "a\nb=30", code=2)
    changed = run("projects", "retention", "default", "--event-type", "page_view=0", "--event-type", "a=b=20")
    assert changed == "all types: 90 days\na=b: 20 days\n"

    async def work() -> None:
        async with open_database(database_url) as database:
            await apply_retention(database, NOW, retention_days=365, dedupe_days=30)

    asyncio.run(work())
    assert run("projects", "retention", "default").splitlines()[-1] == (
        "The last run began at 2026-03-10 12:00 UTC and came to its end: 0 events removed, 0 partitions dropped."
    )
    assert run("projects", "retention", "default", "--days", "0").startswith("all types: 365 days")

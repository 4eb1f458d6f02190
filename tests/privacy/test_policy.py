"""The policy over HTTP, what was removed is counted, salts are destroyed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.store.privacy_counts import MOST_SUBJECTS, CountKey, add_counts, list_counts
from analytics_api.store.privacy_policies import find_policy
from analytics_api.store.visitor_salts import destroy_salts
from tests.support.events import make_project, open_database
from tests.support.processes import ServerProcess

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


async def test_a_policy_is_decided_and_what_it_removes_is_counted(
    process: Callable[..., ServerProcess],
) -> None:
    server = process({"ANALYTICS__SANDBOX_MODE": "true"})
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/analytics", timeout=30) as client:
        assert (await client.get("/privacy/policy")).json()["version"] == 0
        body = {"fields": ["customer_number"], "modes": {"email": "hash"}, "visitor_ids": "daily"}
        put = (await client.put("/privacy/policy", json=body)).json()
        assert (put["version"], put["modes"]["email"], put["modes"]["field"]) == (1, "hash", "drop")
        for _ in range(2):
            event = {"event_type": "a", "event_data": {"Customer Number": 1, "note": "ada@example.com"}}
            assert (await client.post("/events", json=event)).status_code == 202
        async with asyncio.timeout(30):
            while (found := (await client.get("/privacy/removed")).json())["total"] < 4:
                await asyncio.sleep(0.1)
        assert {(one["rule"], one["subject"], one["action"], one["number"]) for one in found["items"]} == {
            ("field", "event_data.Customer Number", "drop", 2),
            ("email", "event_data.note", "hash", 2),
        }
        refused = await client.put("/privacy/policy", json={"modes": {"e-mail": "hash"}})
        assert refused.status_code == 422
        assert "modes" in refused.text
        assert (await client.get("/privacy/removed?from=2026-02-02&to=2026-01-01")).status_code == 422


async def test_all_processes_share_a_salt_which_is_destroyed_with_its_day(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database, time_zone="Pacific/Auckland")
        async with database.acquire() as connection:
            await connection.execute(
                """
                INSERT INTO privacy_policies VALUES ($1, $2, '\\x00', 1, $3)
                """,
                project.id,
                '{"fields": [], "kept_paths": [], "modes": {}, "signals": [], "visitor_ids": "daily"}',
                NOW,
            )
            desks = [PrivacyDesk(database), PrivacyDesk(database)]
            salts = []
            for desk in desks:
                await desk.refresh()
                salts.append(await desk.salt(project, NOW))
            assert salts[0] == salts[1] != None  # noqa: E711
            # 12:00 UTC is 01:00 of the next day in Auckland.
            assert await destroy_salts(connection, NOW + timedelta(hours=22)) == 0
            assert await desks[0].salt(project, NOW + timedelta(hours=23)) != salts[0]
            assert await destroy_salts(connection, NOW + timedelta(hours=24, minutes=1)) == 1
            assert await connection.fetchval("SELECT count(*) FROM visitor_salts") == 1
            assert (await find_policy(connection, project.id)).version == 1


async def test_counts_of_a_flood_of_fields_stay_bounded(database_url: str) -> None:
    async with open_database(database_url) as database, database.acquire() as connection:
        project = await make_project(database)
        for start in range(0, 3 * MOST_SUBJECTS, MOST_SUBJECTS):
            keys = [
                CountKey(project.id, NOW.date(), "field", f"f{n}", "drop")
                for n in range(start, start + MOST_SUBJECTS)
            ]
            await add_counts(connection, dict.fromkeys(keys, 2))
        found = await list_counts(connection, project.id, NOW.date(), NOW.date())
        assert sum(one.number for one in found) == 6 * MOST_SUBJECTS
        assert len(found) <= 2 * MOST_SUBJECTS

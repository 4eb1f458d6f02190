"""The whole product as a process: events in by HTTP, out to both providers, through a kill in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from tests.support.processes import ServerProcess
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn


async def call(client: httpx.AsyncClient, method: str, url: str, key: str, body: Any = None) -> Any:
    answer = await client.request(
        method, url, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60
    )
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


async def test_from_curl_to_both_providers_through_a_kill(
    database: Database,
    database_url: str,
    project: Project,
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    mixpanel: MixpanelStandIn,
    process: Callable[..., ServerProcess],
) -> None:
    async with database.write() as session:
        key = await create_key(session, project.id, KeyKind.ADMIN, now=datetime.now(UTC))
    env = {
        "ANALYTICS__DATABASE_URL": database_url,
        "ANALYTICS__AMPLITUDE_API_KEY": amplitude.api_key,
        "ANALYTICS__AMPLITUDE_URL": amplitude.url,
        "ANALYTICS__MIXPANEL_TOKEN": mixpanel.token,
        "ANALYTICS__MIXPANEL_URL": mixpanel.url,
        "ANALYTICS__FLUSH_INTERVAL_SECONDS": "3600",
    }
    # The process is waited for in a thread: the stand-ins live in this loop.
    server = await asyncio.to_thread(process, env)
    base = f"{server.url}/api/v1/analytics"
    events = [
        {"event_type": "page_view", "user_id": f"u{n % 5}", "event_data": {"n": n}, "event_id": f"e{n}"}
        for n in range(40)
    ]
    assert (await call(client, "POST", f"{base}/events", key, events))["accepted"] == 40

    # Amplitude takes the request and never answers; the process is killed while it waits.
    amplitude.broken = Fault("hang", taken=True)
    flush = asyncio.create_task(call(client, "POST", f"{base}/process-events", key))
    while not amplitude.requests or len(mixpanel.stored) < 40:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(server.kill)
    await asyncio.gather(flush, return_exceptions=True)
    amplitude.broken = None

    # A minute later the lease of the dead process would have run out; the test does not wait for it.
    async with database.acquire() as connection:
        await connection.execute("UPDATE readers SET lease_until = now() - interval '1 second'")
    server = await asyncio.to_thread(process, env)
    base = f"{server.url}/api/v1/analytics"
    await call(client, "POST", f"{base}/process-events", key)
    found = await call(client, "GET", f"{base}/deliveries", key)
    for each in found["destinations"]:
        assert (each["delivered"], each["pending"], each["parked"], each["dead"]) == (40, 0, 0, 0), each
    assert len(amplitude.stored) == len(mixpanel.stored) == 40
    assert sum(amplitude.repeated.values()) > 0
    assert await asyncio.to_thread(server.stop) == 0

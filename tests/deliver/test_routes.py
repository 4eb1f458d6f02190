"""The calls about the state of destinations over HTTP, through FastAPI and real keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from tests.support.destinations import serving
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn


@pytest.fixture
async def destinations(
    database: Database,
    project: Project,
    client: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    mixpanel: MixpanelStandIn,
) -> AsyncIterator[Destinations]:
    configs = [
        DestinationConfig("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url}),
        DestinationConfig("mixpanel", {"token": mixpanel.token, "url": mixpanel.url}),
    ]
    made = Destinations(database, configs, client, owner="test", batch_size=50)
    await made.ensure()
    yield made
    await made.close()


@pytest.fixture
async def api(
    database: Database, project: Project, destinations: Destinations
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin key."""
    async with await serving(database, project, destinations) as client:
        yield client


async def get(api: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await api.get(path, params={name: value for name, value in query.items() if value is not None})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_overview(
    database: Database,
    project: Project,
    destinations: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
) -> None:
    events = [make_event(project, user_id=f"u{n % 4}", event_data={"bad": n == 0}) for n in range(20)]
    await write_events(
        database, [*events, make_event(project, "api_request"), make_event(project, user_id=None)]
    )
    amplitude.throttled = {"u3"}
    await destinations.flush()
    await write_events(database, [make_event(project)])
    found = await get(api, "/deliveries")
    assert found["project"] == "default"
    assert found["sandbox_mode"] is False
    first, second = found["destinations"]
    assert (first["destination"], second["destination"]) == ("amplitude", "mixpanel")
    assert first["state"] == "running"
    assert (first["pending"], first["parked"]) == (1, 5)
    assert (first["delivered"], first["skipped"], first["dead"], first["unknown"]) == (14, 2, 1, 0)
    assert first["skipped_by_reason"] == {"filter": 1, "no_person": 1}
    assert first["by_event_type"] == {
        "page_view": {"delivered": 14, "dead": 1, "skipped": 1},
        "api_request": {"skipped": 1},
    }
    assert first["lag_seconds"] > 0
    for each in found["destinations"]:
        ends = sum(each[name] for name in ("pending", "parked", "delivered", "skipped", "dead", "unknown"))
        assert ends == 23


async def test_states(
    database: Database,
    project: Project,
    destinations: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    mixpanel: MixpanelStandIn,
) -> None:
    await write_events(database, [make_event(project)])
    amplitude.broken = Fault("status", status=503, body={"error": "repairs"}, headers={"Retry-After": "600"})
    mixpanel.broken = Fault("status", status=401, body={"error": f"token {mixpanel.token} is invalid"})
    await destinations.flush()
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO readers (project_id, name, position, updated_at) VALUES ($1, 'deliver:posthog', 0, now())",
            project.id,
        )
    found = {each["destination"]: each for each in (await get(api, "/deliveries"))["destinations"]}
    assert (found["amplitude"]["state"], found["amplitude"]["failures"]) == ("waiting", 1)
    assert "repairs" in found["amplitude"]["last_error"]
    assert found["amplitude"]["retry_at"] is not None
    assert found["mixpanel"]["state"] == "paused"
    assert "is invalid" in found["mixpanel"]["reason"]
    assert mixpanel.token not in str(found)
    assert found["posthog"]["state"] == "unconfigured"

    mixpanel.broken = None
    answer = await api.post("/deliveries/mixpanel/resume")
    assert answer.json() == {"destination": "mixpanel", "resumed": True}
    amplitude.broken = None
    answer = await api.post("/deliveries/amplitude/resume")
    assert answer.json() == {"destination": "amplitude", "resumed": False}
    assert [report.delivered for report in await destinations.flush()] == [1, 1]


async def test_resume_of_something_else(api: httpx.AsyncClient) -> None:
    answer = await api.post("/deliveries/segment/resume")
    assert answer.status_code == 404
    assert "'segment'" in answer.json()["detail"]


async def test_payloads_of_the_sandbox(
    database: Database, project: Project, client: httpx.AsyncClient
) -> None:
    sandboxed = Destinations(database, [], client, owner="test", sandbox_mode=True)
    await write_events(database, [make_event(project, event_data={"n": n}) for n in range(5)])
    await sandboxed.flush()
    async with await serving(database, project, sandboxed, kind=KeyKind.READ) as api:
        page = await get(api, "/deliveries/sandbox", limit=3)
        assert [item["payload"]["event_data"]["n"] for item in page["items"]] == [4, 3, 2]
        page = await get(api, "/deliveries/sandbox", limit=3, before=page["next"])
        assert [item["payload"]["event_data"]["n"] for item in page["items"]] == [1, 0]
        assert page["next"] is None
        assert (await get(api, "/deliveries"))["sandbox_mode"] is True
    await sandboxed.close()


@pytest.mark.parametrize(
    ("kind", "method", "path", "status"),
    [
        (KeyKind.READ, "GET", "/deliveries", 200),
        (KeyKind.READ, "POST", "/deliveries/mixpanel/resume", 403),
        (KeyKind.WRITE, "GET", "/deliveries", 403),
        (KeyKind.WRITE, "GET", "/deliveries/sandbox", 403),
    ],
)
async def test_rights(
    database: Database,
    project: Project,
    destinations: Destinations,
    kind: KeyKind,
    method: str,
    path: str,
    status: int,
) -> None:
    async with await serving(database, project, destinations, kind=kind) as api:
        answer = await api.request(method, path, json={"destination": "mixpanel", "all": True})
    assert answer.status_code == status

"""The calls about the state of destinations over HTTP, through FastAPI and real keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from tests.support.destinations import serving
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn


@pytest.fixture
async def destinations(
    database: Database,
    project: Project,
    client: Client,
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
    views = first["by_event_type"]["page_view"]
    assert (views["received"], views["delivered"], views["dead"], views["skipped"]) == (22, 14, 1, 1)
    assert first["by_event_type"]["api_request"]["skipped_by_reason"] == {"filter": 1}
    assert first["breaker"] == "closed"
    assert first["lag_seconds"] > 0
    for each in found["destinations"]:
        ends = sum(each[name] for name in ("pending", "parked", "delivered", "skipped", "dead", "unknown"))
        assert (each["received"], ends, each["difference"]) == (23, 23, 0)


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


async def test_payloads_of_the_sandbox(database: Database, project: Project, client: Client) -> None:
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


async def test_events_by_hour_day_and_type(
    database: Database, project: Project, destinations: Destinations, api: httpx.AsyncClient
) -> None:
    events = [
        make_event(project, event_type, received_at=NOW + timedelta(minutes=20 * n))
        for n, event_type in enumerate(["login", "page_view"] * 5)
    ]
    await write_events(database, events)
    await destinations.flush()
    await write_events(database, [make_event(project, received_at=NOW + timedelta(hours=25))])
    query = {"destination": "mixpanel", "from": "2026-03-10T12:30:00Z", "to": "2026-03-11"}

    hours = await get(api, "/deliveries/breakdown", **query)
    assert (hours["from"], hours["to"]) == ("2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z")
    assert [(each["start"][11:13], each["event_type"], each["delivered"]) for each in hours["items"]] == [
        ("15", "page_view", 1),
        ("14", "login", 2),
        ("14", "page_view", 1),
        ("13", "login", 1),
        ("13", "page_view", 2),
        ("12", "login", 2),
        ("12", "page_view", 1),
    ]
    assert all(each["received"] == each["delivered"] and not each["difference"] for each in hours["items"])

    days = await get(api, "/deliveries/breakdown", by="day", **{**query, "to": "2026-03-11T00:00:01Z"})
    assert days["to"] == "2026-03-12T00:00:00Z"
    assert [
        (each["start"][:10], each["event_type"], each["received"], each["pending"]) for each in days["items"]
    ] == [
        ("2026-03-11", "page_view", 1, 1),
        ("2026-03-10", "login", 5, 0),
        ("2026-03-10", "page_view", 5, 0),
    ]
    views = await get(api, "/deliveries/breakdown", by="total", event_type="page_view", limit=1)
    assert [(each["destination"], each["start"], each["received"]) for each in views["items"]] == [
        ("amplitude", None, 6)
    ]
    assert views["more"] is True


async def test_delivered_against_acknowledged(
    database: Database,
    project: Project,
    destinations: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    mixpanel: MixpanelStandIn,
) -> None:
    amplitude.counts_repeats = mixpanel.counts_repeats = False
    with_profile = {"user_properties": {"$set": {"plan": "pro"}}}
    await write_events(
        database,
        [make_event(project, user_id=f"u{n}", **with_profile) for n in range(6)],  # type: ignore[arg-type]
    )
    mixpanel.faults.append(None)
    mixpanel.faults.append(Fault("status", status=429, headers={"Retry-After": "1"}))
    amplitude.faults.append(Fault("reset", taken=True))
    await destinations.flush()
    for name in ("amplitude", "mixpanel"):
        await api.post(f"/deliveries/{name}/resume")
    async with database.acquire() as connection:
        await connection.execute("UPDATE parked_events SET retry_at = now()")
    await destinations.flush()

    found = await get(api, "/deliveries/reconciliation", by="total")
    first, second = found["items"]
    # Amplitude took twelve records without being able to say so, and counts none of the repetitions.
    assert (first["destination"], first["sent"], first["unanswered"]) == ("amplitude", 24, 12)
    assert (first["acknowledged"], first["delivered_records"], first["delivered_events"]) == (0, 12, 6)
    assert (first["difference"], first["reasons"]) == (-12, {"duplicates": -12})
    # Mixpanel took six events, and these once more with their profiles, which it does not count.
    assert (second["destination"], second["sent"], second["unanswered"]) == ("mixpanel", 24, 0)
    assert (second["acknowledged"], second["acknowledged_as_number"], second["delivered_records"]) == (
        12,
        6,
        12,
    )
    assert (second["difference"], second["reasons"]) == (0, {"repeated": 6, "duplicates": -6})

    today = await get(api, "/deliveries/reconciliation", destination="mixpanel")
    assert sum(each["requests"] for each in today["items"]) == second["requests"] == 4


@pytest.mark.parametrize("path", ["breakdown", "reconciliation"])
@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"destination": "mixpannel"}, 404, "'mixpannel'"),
        ({"from": "yesterday"}, 422, "from is not a time"),
        ({"from": "2026-03-10", "to": "2026-03-09"}, 422, "to: must be after from"),
        ({"by": "week"}, 422, "by"),
    ],
)
async def test_a_question_that_has_no_answer(
    api: httpx.AsyncClient, path: str, query: dict[str, str], status: int, words: str
) -> None:
    answer = await api.get(f"/deliveries/{path}", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.text

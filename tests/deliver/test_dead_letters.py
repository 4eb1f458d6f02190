"""Dead letters over HTTP: filtered, in pages, counted, retried, discarded; of live events and of replays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.outbound.connections import Client
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.engine import Database
from tests.support.destinations import BOX, call, serving
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn
from tests.support.replaying import finished

LETTERS = "/deliveries/dead-letters"


@pytest.fixture
async def worker(
    database: Database,
    project: Project,
    client: Client,
    amplitude: AmplitudeStandIn,
    mixpanel: MixpanelStandIn,
) -> AsyncIterator[Destinations]:
    """Delivers to both providers."""
    configs = [
        DestinationConfig("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url}),
        DestinationConfig("mixpanel", {"token": mixpanel.token, "url": mixpanel.url}),
    ]
    made = Destinations(database, configs, client, owner="worker", box=BOX, batch_size=50)
    await made.ensure()
    yield made
    await made.close()


async def bury(database: Database, project: Project, worker: Destinations) -> list[str]:
    """Seven events that both providers refuse, one that neither is sent, and one that is fine. Ids of the seven."""
    events = [
        make_event(project, "ab"[n % 2], user_id=f"u{n}", event_data={"bad": True, "n": n}) for n in range(7)
    ]
    formless = make_event(project, "formless", user_id="unknown")
    await write_events(database, [*events, formless, make_event(project)])
    await worker.flush()
    return [str(event.event_id) for event in events]


async def listed(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """All pages, two letters each."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        params = {**query, "limit": 2} if after is None else {**query, "limit": 2, "after": after}
        answer = await api.get(LETTERS, params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        after = answer.json()["next"]
        if after is None:
            return found


async def counted(api: httpx.AsyncClient) -> dict[str, tuple[int, int, int]]:
    """Dead, parked and delivered events by destination; the sums close."""
    found = (await call(api, "GET", "/deliveries"))["destinations"]
    for each in found:
        ends = sum(each[name] for name in ("pending", "parked", "delivered", "skipped", "dead", "unknown"))
        assert ends == 9, each
    return {each["destination"]: (each["dead"], each["parked"], each["delivered"]) for each in found}


async def test_filters_and_pages(
    database: Database, project: Project, worker: Destinations, api: httpx.AsyncClient
) -> None:
    ids = await bury(database, project, worker)
    everything = await listed(api)
    assert len(everything) == 16
    assert [(each["died_at"], each["seq"]) for each in everything] == sorted(
        ((each["died_at"], each["seq"]) for each in everything), reverse=True
    )
    refused = await listed(api, destination="mixpanel", kind="refused")
    assert [each["event_id"] for each in refused] == ids[::-1]
    assert {each["reason"] for each in refused} == {"properties.bad: bad is bad"}
    assert [each["event_type"] for each in await listed(api, kind="form")] == ["formless", "formless"]
    assert len(await listed(api, event_type="a", destination="amplitude")) == 4
    assert len(await listed(api, text="BAD is")) == 7
    assert await listed(api, text="100% _ok_") == []
    died = datetime.fromisoformat(everything[0]["died_at"])
    assert await listed(api, **{"from": (died + timedelta(seconds=1)).isoformat()}) == []
    assert len(await listed(api, until=(died + timedelta(seconds=1)).isoformat())) == 16


async def test_counted_by_what_they_died_of(
    database: Database, project: Project, worker: Destinations, api: httpx.AsyncClient
) -> None:
    await bury(database, project, worker)
    async with database.acquire() as connection:
        # Words that differ in what they quote only.
        await connection.execute(
            "UPDATE dead_events SET reason = 'no person ' || event_id || ' in row ' || seq WHERE destination = 'mixpanel'"
        )
    found = await call(api, "GET", f"{LETTERS}/groups")
    assert found["total"] == 16
    groups = {
        (group["destination"], group["kind"], group["event_type"]): group["events"]
        for group in found["groups"]
    }
    assert groups == {
        (name, *rest): number
        for name in ("amplitude", "mixpanel")
        for rest, number in {("refused", "a"): 4, ("refused", "b"): 3, ("form", "formless"): 1}.items()
    }
    narrow = await call(api, "GET", f"{LETTERS}/groups?destination=mixpanel&event_type=a")
    assert (narrow["total"], narrow["groups"][0]["events"]) == (4, 4)
    assert narrow["groups"][0]["reason"].startswith("no person ")
    assert (await call(api, "GET", f"{LETTERS}/groups?destination=segment")) == {"total": 0, "groups": []}


async def test_one_selected_and_all_tried_again(
    database: Database,
    project: Project,
    worker: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = await bury(database, project, worker)

    async def retry(**body: Any) -> int:
        answer = await call(api, "POST", f"{LETTERS}/retry", {"destination": "amplitude", **body})
        return int(answer["retried"])

    assert await retry(event_ids=[ids[0]]) == 1
    assert await retry(event_ids=[ids[0]]) == 0, "it is on its way"
    assert await counted(api) == {"amplitude": (7, 1, 1), "mixpanel": (8, 0, 1)}
    monkeypatch.setattr(amplitude, "_wrong", lambda _event: [])
    await worker.flush()
    assert await counted(api) == {"amplitude": (6 + 1, 0, 2), "mixpanel": (8, 0, 1)}
    assert await retry(all=True, event_type="b", kind="refused") == 3
    assert await retry(all=True, text="no such words") == 0
    await worker.flush()
    assert await retry(all=True) == 4
    await worker.flush()
    assert await counted(api) == {"amplitude": (1, 0, 8), "mixpanel": (8, 0, 1)}
    assert {event["insert_id"] for event in amplitude.stored} >= set(ids), "with the ids they had"
    assert not amplitude.repeated


async def test_discarded_and_fetched_back(
    database: Database,
    project: Project,
    worker: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = await bury(database, project, worker)
    body = {"destination": "amplitude", "all": True, "event_type": "a", "reason": "test accounts"}
    assert await call(api, "POST", f"{LETTERS}/discard", body) == {"discarded": 4}
    assert await call(api, "POST", f"{LETTERS}/discard", body) == {"discarded": 0}
    assert len(await listed(api, destination="amplitude")) == 4
    gone = await listed(api, destination="amplitude", discarded="true")
    assert {each["event_id"] for each in gone} == set(ids[::2])
    assert {each["discard_reason"] for each in gone} == {"test accounts"}
    assert await counted(api) == {"amplitude": (8, 0, 1), "mixpanel": (8, 0, 1)}, "they are dead all the same"
    counts = await database.pool.fetch(
        "SELECT reason, sum(events)::int FROM delivery_counts WHERE outcome = 'dead' AND destination = 'amplitude' "
        "GROUP BY reason"
    )
    assert dict(tuple(row) for row in counts) == {"": 4, "discarded": 4}

    # All means those that were not discarded; who names one means it.
    monkeypatch.setattr(amplitude, "_wrong", lambda _event: [])
    everything = {"destination": "amplitude", "all": True, "kind": "refused"}
    assert await call(api, "POST", f"{LETTERS}/retry", everything) == {"retried": 3}
    named = {"destination": "amplitude", "event_ids": [ids[0]]}
    assert await call(api, "POST", f"{LETTERS}/retry", named) == {"retried": 1}
    await worker.flush()
    assert await counted(api) == {"amplitude": (4, 0, 5), "mixpanel": (8, 0, 1)}


async def test_those_of_a_replay_go_on_in_it(
    database: Database,
    project: Project,
    worker: Destinations,
    api: httpx.AsyncClient,
    amplitude: AmplitudeStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await bury(database, project, worker)
    body = {"destination": "amplitude", "allow_repetitions": True, "event_types": ["a"]}
    made = await call(api, "POST", "/deliveries/replay", body, expect=201)
    assert ((await finished(api, worker, made["id"]))["state"], made["estimated"]) == ("done", 4)
    found = await listed(api, destination="amplitude")
    assert sorted(each["replay"] or 0 for each in found) == [0] * 8 + [made["id"]] * 4
    assert len(await listed(api, replay=made["id"])) == 4
    assert await counted(api) == {"amplitude": (8, 0, 1), "mixpanel": (8, 0, 1)}

    monkeypatch.setattr(amplitude, "_wrong", lambda _event: [])
    only = {"destination": "amplitude", "all": True, "replay": made["id"]}
    assert await call(api, "POST", f"{LETTERS}/retry", only) == {"retried": 4}
    again = await call(api, "GET", f"/deliveries/replays/{made['id']}")
    assert (again["state"], again["parked"], again["dead"]) == ("running", 4, 0)
    done = await finished(api, worker, made["id"])
    assert (done["state"], done["delivered"], done["dead"], done["parked"]) == ("done", 4, 0, 0)
    assert await counted(api) == {"amplitude": (8, 0, 1), "mixpanel": (8, 0, 1)}


async def test_those_of_a_cancelled_replay_stay(
    database: Database, project: Project, worker: Destinations, api: httpx.AsyncClient
) -> None:
    await bury(database, project, worker)
    body = {"destination": "amplitude", "allow_repetitions": True, "events_per_second": 4}
    made = await call(api, "POST", "/deliveries/replay", body, expect=201)
    path = f"/deliveries/replays/{made['id']}"
    while not (await call(api, "GET", path))["dead"]:
        await worker.replays.notice()
    await call(api, "PATCH", path, {"state": "cancelled"})
    assert len(await listed(api, replay=made["id"])) == 4
    everything = {"destination": "amplitude", "all": True}
    assert await call(api, "POST", f"{LETTERS}/retry", everything) == {"retried": 8}, "the live ones only"
    assert len(await listed(api, replay=made["id"])) == 4
    everything["reason"] = "of no use"
    assert await call(api, "POST", f"{LETTERS}/discard", everything) == {"discarded": 4}


async def test_old_ones_go_with_their_events(
    database: Database, project: Project, worker: Destinations, api: httpx.AsyncClient
) -> None:
    await bury(database, project, worker)
    later = datetime.now(UTC) + timedelta(days=400)
    report = await apply_retention(database, later, retention_days=365, dedupe_days=30)
    assert report.dead_letters == 16
    assert await listed(api) == []


@pytest.mark.parametrize(
    "body",
    [
        {"destination": "mixpanel"},
        {"destination": "mixpanel", "all": True, "event_ids": []},
        {"all": True},
        {"destination": "mixpanel", "all": True, "from": "2026-03-01T00:00:00"},
        {"destination": "mixpanel", "all": True, "kind": "sad"},
    ],
)
async def test_a_retry_that_does_not_say_what(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    for verb in ("retry", "discard"):
        answer = await api.post(f"{LETTERS}/{verb}", json=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_discard_needs_a_reason(api: httpx.AsyncClient) -> None:
    body = {"destination": "mixpanel", "all": True}
    assert (
        "reason: is required" in (await call(api, "POST", f"{LETTERS}/discard", body, expect=422))["detail"]
    )


@pytest.mark.parametrize("after", ["x", "e30", "WzEsMiwzXQ", "W10"])
async def test_a_page_that_does_not_exist(api: httpx.AsyncClient, after: str) -> None:
    answer = await api.get(LETTERS, params={"after": after})
    assert answer.status_code == 422
    assert "after" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "method", "path", "status"),
    [
        (KeyKind.READ, "GET", LETTERS, 200),
        (KeyKind.READ, "GET", f"{LETTERS}/groups", 200),
        (KeyKind.READ, "POST", f"{LETTERS}/retry", 403),
        (KeyKind.READ, "POST", f"{LETTERS}/discard", 403),
        (KeyKind.SERVER, "GET", LETTERS, 403),
    ],
)
async def test_rights(
    database: Database,
    project: Project,
    worker: Destinations,
    kind: KeyKind,
    method: str,
    path: str,
    status: int,
) -> None:
    body = {"destination": "mixpanel", "all": True, "reason": "x"} if method == "POST" else None
    async with await serving(database, project, worker, kind=kind) as api:
        if body is not None and path.endswith("retry"):
            del body["reason"]
        await call(api, method, path, body, expect=status)

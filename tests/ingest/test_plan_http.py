"""The tracking plan over HTTP, against the whole web process: each mode, the quarantine and the list of warnings."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from analytics_api.app import create_app
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.ingest.plan import counter, plans
from analytics_api.settings import Settings
from analytics_api.store.keys import create_key
from analytics_api.store.projects import create_project
from tests.support.events import open_database
from tests.support.serving import Served, served

ROOT = "/api/v1/analytics"
PURCHASE = {
    "type": "object",
    "required": ["price"],
    "properties": {"price": {"type": "number", "minimum": 0}, "items": {"items": {"required": ["sku"]}}},
    "additionalProperties": False,
}
GOOD = {"event_type": "purchase", "user_id": "ada", "event_data": {"price": 5}}
BAD = {"event_type": "purchase", "user_id": "ada", "event_data": {"price": "five"}}
WRONG_PRICE = 'event_data.price: the value is not of type "number"'


@asynccontextmanager
async def web_process(url: str, **settings: Any) -> AsyncIterator[Served]:
    """The whole web process, without background work."""
    app = create_app(Settings(_env_file=None, **{"sandbox_mode": True, **settings}), url)
    async with app.router.lifespan_context(app), served(app) as server:
        yield server


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are written and plans looked for every few milliseconds."""
    monkeypatch.setattr(
        counter.WarningCounter.__init__, "__kwdefaults__", {"seconds": 0.02, "clock": system_clock}
    )
    monkeypatch.setattr(plans.Plans.__init__, "__kwdefaults__", {"seconds": 0.02})


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with web_process(database_url) as server:
        yield server


async def call(
    server: Served, method: str, path: str, body: Any = None, status: int = 200, **query: Any
) -> Any:
    """The JSON answer, whose status must be as said."""
    answer = await server.client.request(method, ROOT + path, json=body, params=query)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def plan(server: Served, mode: str, schema: dict[str, Any] = PURCHASE, unknown: str = "same") -> None:
    body = {"mode": mode, "unknown_types": unknown, "event_types": {"purchase": {"schema": schema}}}
    await call(server, "PUT", "/tracking-plan", body)


async def send(server: Served, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a batch."""
    body = await call(server, "POST", "/events", [*events], 202)
    results: list[dict[str, Any]] = body["results"]
    return results


async def stored(url: str, columns: str = "event_type") -> list[Any]:
    """Rows of the log but those of our own requests."""
    async with open_database(url) as database:
        rows = await database.pool.fetch(
            f"SELECT {columns} FROM events WHERE event_type <> 'api_request' ORDER BY seq"
        )
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


async def warnings(server: Served, number: int, **query: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The list of warnings by kind and path, once it has so many entries."""
    async with asyncio.timeout(30):
        while True:
            found = (await call(server, "GET", "/warnings", **query))["warnings"]
            if len(found) >= number:
                return {(one["kind"], one["path"]): one for one in found}
            await asyncio.sleep(0.01)


async def test_without_a_plan_nothing_is_checked(server: Served, database_url: str) -> None:
    [result] = await send(server, {**BAD, "event_data": {"anything": [1]}})
    assert (result["status"], "warnings" in result) == ("accepted", False)
    assert await call(server, "GET", "/tracking-plan") == {
        "project": "default", "mode": "observe", "unknown_types": "same", "version": 0,
        "updated_at": None, "event_types": {},
    }  # fmt: skip


async def test_observing_accepts_and_warns(server: Served, database_url: str) -> None:
    await plan(server, "observe")
    good, bad, unknown = await send(server, GOOD, BAD, {"event_type": "mystery"})
    assert [one["status"] for one in (good, bad, unknown)] == ["accepted"] * 3
    assert "warnings" not in good
    assert bad["warnings"] == [WRONG_PRICE]
    assert unknown["warnings"] == ["event_type is not in the tracking plan"]
    assert await stored(database_url) == ["purchase", "purchase", "mystery"]
    await send(server, BAD, BAD)
    found = await warnings(server, 2)
    assert set(found) == {("schema", "event_data.price"), ("unknown_type", "event_type")}
    async with asyncio.timeout(30):
        while found["schema", "event_data.price"]["count"] < 3:
            found = await warnings(server, 2)
    broken = found["schema", "event_data.price"]
    assert (broken["event_type"], broken["count"], broken["sample"]) == ("purchase", 3, {"price": "five"})
    assert broken["first_seen"] <= broken["last_seen"]
    assert found["unknown_type", "event_type"]["event_type"] == "mystery"


async def test_rejecting_names_the_field_and_what_is_wanted(server: Served, database_url: str) -> None:
    await plan(server, "reject")
    data = {"price": -1, "surprise": True, "items": [{"sku": 1}, {}]}
    bad, good, unknown = await send(
        server, {"event_type": "purchase", "event_data": data}, GOOD, {"event_type": "mystery"}
    )
    assert (bad["status"], good["status"], unknown["status"]) == ("rejected", "accepted", "rejected")
    assert "event_data.price: the value is less than the minimum of 0" in bad["reason"]
    assert "event_data.surprise is not in the schema" in bad["reason"]
    assert "event_data.items[1].sku is required" in bad["reason"]
    assert await stored(database_url) == ["purchase"]
    single = await server.client.post(f"{ROOT}/events", json=BAD)
    assert single.status_code == 422
    assert WRONG_PRICE in single.json()["detail"]
    found = await warnings(server, 4)
    assert {path for _, path in found} == {
        "event_type", "event_data.price", "event_data.surprise", "event_data.items[].sku"
    }  # fmt: skip
    assert found["unknown_field", "event_data.surprise"]["sample"] == data


async def test_unknown_types_may_be_allowed(server: Served, database_url: str) -> None:
    await plan(server, "reject", unknown="allow")
    unknown, bad, system = await send(
        server, {"event_type": "mystery"}, BAD, {"event_type": "$identify", "user_id": "ada"}
    )
    assert [one["status"] for one in (unknown, bad, system)] == ["accepted", "rejected", "accepted"]
    assert "warnings" not in unknown
    found = await warnings(server, 1, event_type="mystery", kind="unknown_type")
    assert found["unknown_type", "event_type"]["count"] == 1


async def test_quarantine_keeps_broken_events_out_of_everything(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    event_id = str(uuid.uuid4())
    bad = {**BAD, "event_id": event_id, "event_data": {"price": "five", "email": "a@b.c"}}
    [held, good] = await send(server, bad, GOOD)
    assert (held["status"], held["event_id"], good["status"]) == ("quarantined", event_id, "accepted")
    assert held["reason"] == WRONG_PRICE
    assert held["warnings"] == ["event_data.email was removed as personal data"]
    single = await call(server, "POST", "/events", BAD, 202)
    assert (single["quarantined"], single["accepted"]) == (1, 0)
    assert await stored(database_url) == ["purchase"]
    page = await call(server, "GET", "/quarantine")
    assert (page["total"], page["by_event_type"], page["next"]) == (2, {"purchase": 2}, None)
    first = page["items"][0]
    assert (first["event_id"], first["event_data"], first["path"]) == (
        event_id, {"price": "five"}, "event_data.price",
    )  # fmt: skip


async def test_a_resent_batch_is_quarantined_once(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    batch = [{**BAD, "event_id": f"bad-{number}"} for number in range(20)] + [{**GOOD, "event_id": "good"}]
    first = await send(server, *batch)
    assert [one["status"] for one in first] == ["quarantined"] * 20 + ["accepted"]
    again = await asyncio.gather(*(send(server, *batch) for _ in range(4)))
    assert {one["status"] for results in again for one in results} == {"duplicate"}
    twice_in_one = await send(server, {**BAD, "event_id": "new"}, {**BAD, "event_id": "new"})
    assert [one["status"] for one in twice_in_one] == ["quarantined", "duplicate"]
    assert (await call(server, "GET", "/quarantine"))["total"] == 21


async def test_what_is_in_the_log_is_not_quarantined(server: Served, database_url: str) -> None:
    event = {**BAD, "event_id": "one"}
    assert (await send(server, event))[0]["status"] == "accepted"
    await plan(server, "quarantine")
    assert (await send(server, event))[0]["status"] == "duplicate"
    assert (await call(server, "GET", "/quarantine"))["total"] == 0


async def test_release_asks_the_plan_of_now(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    occurred_at = (datetime.now(UTC) - timedelta(days=40)).replace(microsecond=0)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    common = {"event_type": "purchase", "user_id": "ada", "timestamp": occurred_at.isoformat()}
    await send(
        server,
        {**common, "event_id": ids[0], "event_data": {"price": "five"}},
        {**common, "event_id": ids[1], "event_data": {"price": 1, "colour": "red"}},
        {**common, "event_id": ids[2], "event_type": "mystery"},
    )
    kept = await call(server, "POST", "/quarantine/release", {"all": True})
    assert (kept["released"], kept["still_broken"], kept["next"]) == (0, 3, None)
    assert kept["reasons"] == {
        WRONG_PRICE: 1,
        "event_data.colour is not in the schema": 1,
        "event_type is not in the tracking plan": 1,
    }
    await plan(server, "quarantine", {"properties": {"price": {"type": "number"}}})
    freed = await call(server, "POST", "/quarantine/release", {"event_type": "purchase"})
    assert (freed["released"], freed["still_broken"]) == (1, 1)
    columns = "event_id, occurred_at, event_data::text, user_id"
    assert await stored(database_url, columns) == [
        (uuid.UUID(ids[1]), occurred_at, '{"price": 1, "colour": "red"}', "ada")
    ]
    forced = await call(server, "POST", "/quarantine/release", {"event_ids": [ids[0]], "force": True})
    assert (forced["released"], forced["still_broken"]) == (1, 0)
    assert (await call(server, "GET", "/quarantine"))["by_event_type"] == {"mystery": 1}
    assert (await send(server, {**common, "event_id": ids[1], "event_data": {"price": 1}}))[0][
        "status"
    ] == "duplicate"


async def test_two_releases_at_once_store_each_event_once(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    # More than a transaction takes, half of them with ids of ours, which have no dedupe key yet.
    batch: list[dict[str, Any]] = [
        {**BAD, "event_id": f"bad-{number}"} if number % 2 else BAD for number in range(1_200)
    ]
    await send(server, *batch)
    await plan(server, "observe")
    async with web_process(database_url) as other:
        answers = await asyncio.gather(
            *(
                call(one, "POST", "/quarantine/release", {"all": True, "force": True})
                for one in (server, other, server)
            )
        )
    assert sum(answer["released"] for answer in answers) == 1_200
    assert sum(answer["duplicates"] for answer in answers) == 0
    assert len(set(await stored(database_url, "event_id"))) == 1_200
    assert len(await stored(database_url)) == 1_200
    assert (await call(server, "GET", "/quarantine"))["total"] == 0


async def test_release_of_what_was_resent_after_the_fix(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    event = {**BAD, "event_id": "one"}
    await send(server, event)
    await plan(server, "quarantine", {})
    assert (await send(server, event))[0]["status"] == "accepted"
    answer = await call(server, "POST", "/quarantine/release", {"all": True})
    assert (answer["released"], answer["duplicates"]) == (0, 1)
    assert await stored(database_url) == ["purchase"]
    assert (await call(server, "GET", "/quarantine"))["total"] == 0


async def test_discard_deletes_what_is_chosen(server: Served, database_url: str) -> None:
    await plan(server, "quarantine")
    results = await send(server, BAD, BAD, {"event_type": "mystery"}, {"event_type": "other"})
    chosen = {"event_ids": [results[0]["event_id"], str(uuid.uuid4())]}
    assert await call(server, "POST", "/quarantine/discard", chosen) == {"discarded": 1}
    assert await call(server, "POST", "/quarantine/discard", {"event_type": "mystery"}) == {"discarded": 1}
    assert (await call(server, "GET", "/quarantine"))["by_event_type"] == {"other": 1, "purchase": 1}
    assert await call(server, "POST", "/quarantine/discard", {"all": True}) == {"discarded": 2}
    assert await stored(database_url) == []


@pytest.mark.parametrize("body", [{}, {"all": True, "event_type": "a"}, {"all": False}, {"event_ids": []}])
async def test_a_choice_must_be_one(server: Served, body: dict[str, Any]) -> None:
    for path in ("/quarantine/release", "/quarantine/discard"):
        await call(server, "POST", path, body, 422)


async def test_the_quarantine_comes_in_pages(server: Served) -> None:
    await plan(server, "quarantine")
    await send(server, *([BAD] * 5))
    seen: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = await call(server, "GET", "/quarantine", limit=2, **after)
        seen += [item["event_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(seen) == len(set(seen)) == 5
    await call(server, "GET", "/quarantine", None, 422, after="nonsense")


async def test_other_processes_follow_a_change(server: Served, database_url: str) -> None:
    async with web_process(database_url) as other:
        assert (await send(other, BAD))[0]["status"] == "accepted"
        await plan(server, "reject")
        async with asyncio.timeout(30):
            while (await send(other, BAD))[0]["status"] != "rejected":
                await asyncio.sleep(0.01)
        await call(server, "DELETE", "/tracking-plan/event-types/purchase", None, 204)
        async with asyncio.timeout(30):
            while "tracking plan" not in (await send(other, BAD))[0]["reason"]:
                await asyncio.sleep(0.01)


async def test_event_types_one_by_one(server: Served) -> None:
    body = {"schema": PURCHASE, "description": "Somebody pays."}
    made = await call(server, "PUT", "/tracking-plan/event-types/shop/purchase", body)
    assert (made["event_type"], made["schema"]) == ("shop/purchase", PURCHASE)
    assert await call(server, "GET", "/tracking-plan/event-types/shop/purchase") == made
    whole = await call(server, "GET", "/tracking-plan")
    assert (whole["mode"], list(whole["event_types"])) == ("observe", ["shop/purchase"])
    await call(server, "PUT", "/tracking-plan", {"mode": "reject"})
    assert list((await call(server, "GET", "/tracking-plan"))["event_types"]) == ["shop/purchase"]
    await call(server, "DELETE", "/tracking-plan/event-types/shop/purchase", None, 204)
    await call(server, "DELETE", "/tracking-plan/event-types/shop/purchase", None, 404)
    await call(server, "GET", "/tracking-plan/event-types/shop/purchase", None, 404)


async def test_removing_what_is_not_there_makes_no_plan(server: Served) -> None:
    await call(server, "DELETE", "/tracking-plan/event-types/purchase", None, 404)
    assert (await call(server, "GET", "/tracking-plan"))["version"] == 0
    assert "warnings" not in (await send(server, GOOD))[0]


async def test_what_the_pipeline_finds_is_listed_without_a_plan(server: Served) -> None:
    await send(
        server,
        {"event_type": "a", "event_data": {"email": "a@b.c", "n": 1}, "userId": 7, "properties": {}},
        {"event_type": "a", "timestamp": "3000-01-01T00:00:00Z"},
        {"event_type": ""},
        {"event_type": "a", "event_id": "x" * 600},
        "no event",  # type: ignore[arg-type]
    )
    found = await warnings(server, 7)
    assert set(found) == {
        ("personal_data", "event_data.email"),
        ("unknown_field", "userId"),
        ("unknown_field", "properties"),
        ("time_clamped", "timestamp"),
        ("rejected", "event_type"),
        ("rejected", "event_id"),
        ("rejected", ""),
    }
    # The value itself is nowhere.
    assert found["personal_data", "event_data.email"]["sample"] == {"n": 1}
    assert "a@b.c" not in str(found)
    assert len((await call(server, "GET", "/warnings", limit=2))["warnings"]) == 2


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"properties": {"price": {"type": "money"}}}, "schema.properties.price.type"),
        ({"properties": {"code": {"pattern": "(a"}}}, "schema.properties.code.pattern"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "schema.$ref"),
        ({"required": "price"}, "schema.required"),
        ({"x": "y" * 40_000}, "the limit is 32768"),
    ],
)
async def test_a_wrong_schema_is_refused_by_its_place(
    server: Served, schema: dict[str, Any], place: str
) -> None:
    problem = await call(server, "PUT", "/tracking-plan/event-types/purchase", {"schema": schema}, 422)
    assert place in problem["detail"]
    body = {"mode": "reject", "event_types": {"good": {"schema": {}}, "bad": {"schema": schema}}}
    problem = await call(server, "PUT", "/tracking-plan", body, 422)
    assert "event_types.'bad'" in problem["detail"]
    assert (await call(server, "GET", "/tracking-plan"))["version"] == 0


async def test_a_dry_run_counts_what_would_break(server: Served, database_url: str) -> None:
    await send(server, *[GOOD] * 7, *[BAD] * 3, {"event_type": "purchase"}, {"event_type": "other"})
    body = {"event_type": "purchase", "schema": PURCHASE, "limit": 1_000}
    report = await call(server, "POST", "/tracking-plan/check", body)
    assert (report["checked"], report["broken"]) == (11, 4)
    assert [(one["path"], one["events"]) for one in report["paths"]] == [("event_data.price", 4)]
    few = await call(server, "POST", "/tracking-plan/check", {**body, "limit": 2})
    assert few["checked"] == 2
    await call(server, "POST", "/tracking-plan/check", {**body, "schema": {"type": "x"}}, 422)


async def test_keys_may_look_or_change(database_url: str) -> None:
    async with web_process(database_url, sandbox_mode=False) as server:
        keys = {}
        async with open_database(database_url) as database, database.write() as connection:
            for kind in KeyKind:
                keys[kind] = await create_key(connection, 1, kind, now=system_clock())
            elsewhere = (await create_project(connection, "elsewhere", now=system_clock())).id
            stranger = await create_key(connection, elsewhere, KeyKind.ADMIN, now=system_clock())

        async def status(key: str, method: str, path: str, body: Any = None) -> int:
            answer: httpx.Response = await server.client.request(
                method, ROOT + path, json=body, headers={"X-API-Key": key}
            )
            return answer.status_code

        changes: list[tuple[str, str, Any]] = [
            ("PUT", "/tracking-plan", {"mode": "quarantine"}),
            ("PUT", "/tracking-plan/event-types/a", {"schema": {}}),
            ("DELETE", "/tracking-plan/event-types/a", None),
            ("POST", "/quarantine/release", {"all": True}),
            ("POST", "/quarantine/discard", {"all": True}),
        ]
        for change in changes:
            for kind in (KeyKind.WRITE, KeyKind.SERVER, KeyKind.READ):
                assert await status(keys[kind], *change) == 403
        assert await status(keys[KeyKind.WRITE], "POST", "/events", [BAD]) == 202
        for path in ("/tracking-plan", "/warnings", "/quarantine"):
            assert await status(keys[KeyKind.READ], "GET", path) == 200
            assert await status(keys[KeyKind.WRITE], "GET", path) == 403
        for change in changes:
            assert await status(keys[KeyKind.ADMIN], *change) < 300
        # The plan of one project is none of another's.
        await status(keys[KeyKind.ADMIN], "PUT", "/tracking-plan", {"mode": "quarantine"})
        assert await status(keys[KeyKind.WRITE], "POST", "/events", BAD) == 202
        headers = {"X-API-Key": stranger}
        page = (await server.client.get(f"{ROOT}/quarantine", headers=headers)).json()
        assert (page["project"], page["total"]) == ("elsewhere", 0)
        assert await status(stranger, "POST", "/quarantine/discard", {"all": True}) == 200
        page = (
            await server.client.get(f"{ROOT}/quarantine", headers={"X-API-Key": keys[KeyKind.READ]})
        ).json()
        assert page["total"] == 1

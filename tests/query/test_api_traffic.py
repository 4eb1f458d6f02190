"""GET /api-traffic, recounted in plain Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.store.traffic import MinuteCount, MinuteKey, add_requests
from tests.query.api import NOW, Api
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database
from tests.support.figures import event_on, record

slow = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

REQUEST = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST"]),
        "route": st.sampled_from(["/a", "/b/{id}"]),
        "status": st.sampled_from([200, 200, 404, 422, 500, 503]),
        "duration_ms": st.integers(1, 100),
        "caller": st.sampled_from(["read-1", "admin-2"]),
    }
)


async def weigh(url: str, requests: list[tuple[dict[str, Any], str | None]], counted: list[int]) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        # Eve does nothing but ask, and is affected all the same; the device is Ada's.
        done = [
            event_on(project, "2026-03-19", "ada", "share"),
            event_on(project, "2026-03-19", "ada", "$identify", anonymous_id="phone"),
            event_on(project, "2026-03-19", "bob", "share"),
        ]
        noted = [
            event_on(
                project,
                "2026-03-19",
                None if person == "phone" else person,
                "api_request",
                event_data=data,
                anonymous_id="phone" if person == "phone" else None,
            )
            for data, person in requests
        ]
        await record(database, [*noted, *done])
        minute = NOW.replace(second=0) - timedelta(minutes=9)
        async with database.acquire() as connection:
            for status in counted:
                key = MinuteKey(project.id, minute, "POST", "/events", status, "write-1")
                await add_requests(connection, {key: MinuteCount(1, 0.5, 0.5)})
        api = Api(database)
        async with api.client:
            answer = await api.get("/api-traffic", days=7, project=project.slug)
    all_of = [data for data, _ in requests]
    statuses = [data["status"] for data in all_of] + counted
    assert answer["requests"] == len(statuses)
    assert answer["errors"] == sum(status >= 500 for status in statuses)
    assert answer["error_rate"] == (answer["errors"] / len(statuses) if statuses else None)
    assert answer["milliseconds"] == pytest.approx(timed(all_of))
    routes = grouped(all_of, [f"{data['method']} {data['route']}" for data in all_of])
    slowest = sorted(routes, key=lambda route: (-routes[route]["p95"].expected, route))
    assert [row["route"] for row in answer["slowest_routes"]] == slowest
    assert {row.pop("route"): row for row in answer["slowest_routes"]} == routes
    assert {row.pop("route"): row for row in answer["routes"]} == routes
    assert {row.pop("caller"): row for row in answer["callers"]} == grouped(
        all_of, [data["caller"] for data in all_of]
    )
    refused = Counter(
        (data["status"], f"{data['method']} {data['route']}")
        for data in all_of
        if data["status"] in (404, 422)
    )
    refused += Counter((status, "POST /events") for status in counted if status in (404, 422))
    assert {
        (row["status"], row["route"]): row["requests"] for row in answer["client_error_reasons"]
    } == refused
    minutes = [[data["status"] for data in all_of], counted]
    up = [any(status < 500 for status in each) for each in minutes if each]
    assert (answer["uptime"]["numerator"], answer["uptime"]["denominator"]) == (sum(up), len(up))
    hit = {"ada" if person == "phone" else person for data, person in requests if data["status"] >= 500} - {
        None
    }
    shared, told = len(hit - {"eve"}), len(hit & {"ada"})
    by_type = {"share": shared, "$identify": told}
    assert answer["affected_people"]["people"] == len(hit)
    assert {
        row["event_type"]: (row["events"], row["users"]) for row in answer["affected_people"]["events"]
    } == {kind: (number, number) for kind, number in by_type.items() if number}


def grouped(requests: list[dict[str, Any]], keys: list[str]) -> dict[str, Any]:
    groups = defaultdict(list)
    for data, key in zip(requests, keys, strict=True):
        groups[key].append(data)
    return {
        key: {
            "requests": len(members),
            "client_errors": sum(400 <= data["status"] < 500 for data in members),
            "errors": sum(data["status"] >= 500 for data in members),
            "error_rate": sum(data["status"] >= 500 for data in members) / len(members),
            **{name: pytest.approx(value) for name, value in timed(members).items()},
        }
        for key, members in groups.items()
    }


def timed(requests: list[dict[str, Any]]) -> dict[str, float | None]:
    """Of their durations: the smallest that so many percent are not above."""
    times = sorted(data["duration_ms"] for data in requests)
    if not times:
        return dict.fromkeys(("average", "p50", "p95", "p99", "slowest"))
    ranks = {f"p{share}": times[math.ceil(share / 100 * len(times)) - 1] for share in (50, 95, 99)}
    return {"average": sum(times) / len(times), **ranks, "slowest": times[-1]}


@slow
@given(
    requests=st.lists(st.tuples(REQUEST, st.sampled_from(["ada", "bob", "eve", "phone", None])), max_size=40),
    counted=st.lists(st.sampled_from([202, 422, 503]), max_size=6),
)
def test_traffic_equals_a_recount(
    database_url: str, requests: list[tuple[dict[str, Any], str | None]], counted: list[int]
) -> None:
    in_thread(weigh(database_url, requests, counted))

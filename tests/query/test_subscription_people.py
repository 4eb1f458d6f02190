"""Who is behind MRR and its movements: the customers whose amounts add up to the figures."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.figures import record, subscription_on

DAYS = {"start_date": "2026-02-01", "end_date": "2026-02-28"}


@pytest.fixture
async def subscribed(database: Database, project: Project) -> None:
    """Ada stays, Bob grows, Cleo shrinks, Dan goes, Eve goes and comes back, Finn comes, Gil comes in March."""

    def change(day: str, person: str, kind: str, amount: str | None = None) -> Any:
        return subscription_on(project, day, person, kind, amount)

    await record(
        database,
        [
            *(
                change("2026-01-05", person, "created", "10")
                for person in ("ada", "bob", "cleo", "dan", "eve")
            ),
            change("2026-01-20", "eve", "cancelled"),
            change("2026-02-03", "bob", "upgraded", "25"),
            change("2026-02-04", "cleo", "downgraded", "4"),
            change("2026-02-05", "dan", "cancelled"),
            change("2026-02-06", "eve", "created", "12"),
            change("2026-02-07", "finn", "created", "30"),
            change("2026-03-01", "gil", "created", "50"),
        ],
    )


async def who(api: Api, part: str, **question: Any) -> set[str]:
    of = {"analysis": "subscriptions", "question": {**DAYS, **question}, "cell": {"part": part}}
    answer = await api.post("/analysis/people", {"of": of})
    assert answer["total"] == len(answer["persons"])
    return {person["user_id"] for person in answer["persons"]}


@pytest.mark.parametrize(
    ("part", "customers", "amount"),
    [
        ("paying", {"ada", "bob", "cleo", "eve", "finn"}, 10 + 25 + 4 + 12 + 30),
        ("new", {"finn"}, 30),
        ("reactivation", {"eve"}, 12),
        ("expansion", {"bob"}, 15),
        ("contraction", {"cleo"}, 6),
        ("churn", {"dan"}, 10),
        ("fx", set(), 0),
    ],
)
@pytest.mark.usefixtures("subscribed")
async def test_the_customers_of_each_number(api: Api, part: str, customers: set[str], amount: float) -> None:
    assert await who(api, part) == customers
    days = {"start_date": "2026-02-01", "end_date": "2026-02-28"}
    [point] = await api.get("/metrics/aggregated", metric_type="mrr", period="monthly", **days)
    assert point["metadata"]["mrr_end" if part == "paying" else part] == amount


@pytest.mark.usefixtures("subscribed")
async def test_days_and_behaviour_narrow_them_and_filters_are_refused(api: Api) -> None:
    assert await who(api, "new", start_date="2026-01-01") == {"ada", "bob", "cleo", "dan", "eve", "finn"}
    assert await who(api, "churn", start_date="2026-01-01", end_date="2026-01-31") == {"eve"}
    upgraded = {"did": [{"event": "subscription_upgraded", "at_least": 1, "within_days": 60}]}
    assert await who(api, "paying", people=upgraded) == {"bob"}
    filters = [{"path": "context.country", "op": "is", "value": ["DE"]}]
    problem = await api.post(
        "/analysis/people",
        {"of": {"analysis": "subscriptions", "question": {**DAYS, "filters": filters}}},
        422,
    )
    assert "leave out filters" in problem["detail"]

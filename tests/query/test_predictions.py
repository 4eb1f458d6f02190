"""GET /metrics/predicted/...: which purchases and stays the models are given, and what cannot be foretold."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.figures import event_on, payment_on, record

FIRST = date(2025, 1, 1)
AS_OF = "2025-06-30"


def shopping(project: Project, customers: int) -> list[NewEvent]:
    """Customers of whom some come again, at random, until they stop."""
    chance = random.Random(7)
    events = []
    for number in range(customers):
        day, price = FIRST + timedelta(chance.randrange(60)), chance.uniform(5, 50)
        while day <= date(2025, 6, 30):
            events.append(payment_on(project, day, f"c{number}", f"{price * chance.uniform(0.6, 1.4):.2f}"))
            if chance.random() < 0.4:
                break
            day += timedelta(1 + chance.randrange(40))
    return events


async def test_purchases_of_a_day_are_one_and_all_is_counted_once(
    api: Api, database: Database, project: Project
) -> None:
    events = shopping(project, 120)
    again = [payment_on(project, FIRST, "c0", "1"), payment_on(project, FIRST, "c0", "2")]
    refused = [
        payment_on(project, FIRST, "bot", "5", is_bot=True),
        payment_on(project, FIRST, None, "5"),
        payment_on(project, "2025-07-01", "later", "5"),
        event_on(project, FIRST, "looks"),
    ]
    await record(database, [*events, *again, *refused])
    found = await api.get("/metrics/predicted/ltv", as_of=AS_OF, horizon_days=90)

    days: dict[str | None, set[date]] = {}
    for event in [*events, *again]:
        days.setdefault(event.user_id, set()).add(event.occurred_at.date())
    assert found["customers"] == found["customers_read"] == len(days)
    assert found["repeat_customers"] == sum(len(each) > 1 for each in days.values())
    assert found["repeat_purchases"] == sum(len(each) - 1 for each in days.values())
    assert found["expected"]["revenue"] == pytest.approx(
        sum(float(event.revenue or 0) for event in [*events, *again])
    )
    for part in ("customers", "alive", "revenue", "expected_purchases", "expected_revenue"):
        assert found["expected"][part] == pytest.approx(sum(cohort[part] for cohort in found["cohorts"]))
    firsts = [min(each) for each in days.values()]
    assert {cohort["cohort"]: cohort["customers"] for cohort in found["cohorts"]} == {
        str(month): sum(first.replace(day=1) == month for first in firsts)
        for month in {first.replace(day=1) for first in firsts}
    }

    persons = (await api.get("/metrics/predicted/ltv/persons", as_of=AS_OF, horizon_days=90, limit=10_000))[
        "persons"
    ]
    assert {person["user_id"]: person["purchase_days"] for person in persons} == {
        user: len(each) for user, each in days.items()
    }
    worth = [person["expected_revenue"] for person in persons]
    assert worth == sorted(worth, reverse=True)
    assert sum(worth) == pytest.approx(found["expected"]["expected_revenue"])
    assert len((await api.get("/metrics/predicted/ltv/persons", as_of=AS_OF, limit=3))["persons"]) == 3


async def test_who_is_there_in_a_later_period_was_there_before(
    api: Api, database: Database, project: Project
) -> None:
    visits = {
        "stays": ["2025-01-31", "2025-03-01", "2025-05-30"],
        "leaves": ["2025-01-31", "2025-02-28"],
        "never back": ["2025-01-15"],
        "other cohort": ["2025-02-01", "2025-05-30"],
    }
    await record(
        database,
        [event_on(project, day, person) for person, days in visits.items() for day in days],
    )
    ask = {"cohort_start": "2025-01-01", "cohort_end": "2025-01-31", "period": "monthly"}
    found = await api.get("/metrics/predicted/retention", as_of="2025-05-30", periods=2, **ask)
    # A month that began on 31 January is over with 28 February; with 30 May four are.
    assert [one["survivors"] for one in found["periods"]] == [3, 1, 1, 1, None, None]
    assert [one["observed"] for one in found["periods"][:2]] == [1.0, pytest.approx(1 / 3)]
    assert found["small_sample"] is True


@pytest.mark.parametrize(
    ("path", "parameters", "words"),
    [
        ("ltv", {}, "nobody has bought a second time"),
        ("ltv", {"as_of": "2027-01-01"}, "as_of must be between"),
        ("ltv/persons", {"as_of": "1969-01-01"}, "as_of must be between"),
        ("retention", {"cohort_start": "2025-02-01", "cohort_end": "2025-01-01"}, "swap them"),
        ("retention", {"cohort_start": "2025-01-01", "cohort_end": "2025-01-02"}, "three periods"),
    ],
)
async def test_what_cannot_be_foretold_is_said(
    api: Api, path: str, parameters: dict[str, str], words: str
) -> None:
    answer = await api.get(f"/metrics/predicted/{path}", 422, **parameters)
    assert words in answer["detail"]

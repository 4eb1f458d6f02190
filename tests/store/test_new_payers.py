"""Who pays for the first time and keeps what was bought, recounted in plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.domain.event import NewEvent
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import at, point, record, values

START = at("2026-01-01", 0)
NOW = at("2026-06-10")
MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05")
PAYMENT = st.fixed_dictionaries(
    {
        "person": st.sampled_from("abcdef"),
        "day": st.integers(0, 150),
        # In parts, each so many days later; wrong clocks may tell an earlier day.
        "back": st.lists(
            st.tuples(st.sampled_from([-31, -30, -1, 0, 1, 29, 30, 31, 90]), st.sampled_from(["5", "10"])),
            max_size=3,
        ),
    }
)


def moments(payments: list[dict[str, Any]]) -> list[datetime]:
    """When each was made: no two at once."""
    return [START + timedelta(days=each["day"], minutes=place) for place, each in enumerate(payments)]


def expected(payments: list[dict[str, Any]]) -> dict[str, int]:
    """New payers by month."""
    first: dict[str, tuple[datetime, dict[str, Any]]] = {}
    for moment, each in zip(moments(payments), payments, strict=True):
        if each["person"] not in first or moment < first[each["person"]][0]:
            first[each["person"]] = moment, each
    found = dict.fromkeys(MONTHS, 0)
    for moment, each in first.values():
        back = sum(Decimal(amount) for days, amount in each["back"] if abs(days) <= 30)
        found[f"{moment:%Y-%m}"] += back < 10
    return found


async def ask(url: str, payments: list[dict[str, Any]]) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        events: list[NewEvent] = []
        for moment, each in zip(moments(payments), payments, strict=True):
            number = f"pay-{len(events)}"
            events.append(
                make_event(
                    project, "payment_completed", user_id=each["person"], occurred_at=moment, revenue="10",
                    event_data={"payment_id": number},
                )
            )  # fmt: skip
            for days, amount in each["back"]:
                data = {"payment_id": number, "amount": amount, "currency": "USD"}
                when = moment + timedelta(days=days)
                events.append(
                    make_event(project, "payment_refunded", user_id=None, occurred_at=when, event_data=data)
                )
        await record(database, events)
        cost = await values(database, project, "cac", "2026-01-01", "2026-05-31", now=NOW)
        counted = {
            f"{month:%Y-%m}": int(
                (await point(database, project, "cac", month, now=NOW)).figure.denominator or 0
            )
            for month in cost
        }
        assert counted == expected(payments)
        ratio = (await point(database, project, "ltv_cac_ratio", "2026-05-01", now=NOW)).figure
        assert ratio.details["basis"]["new_payers"] == sum(list(counted.values())[2:])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payments=st.lists(PAYMENT, max_size=12))
def test_new_payers_equal_a_recount(database_url: str, payments: list[dict[str, Any]]) -> None:
    in_thread(ask(database_url, payments))

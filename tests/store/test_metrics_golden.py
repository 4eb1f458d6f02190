"""The golden examples and edges of the metric definitions, from events to figures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from analytics_api.domain.event import NewEvent
from analytics_api.domain.metrics import State
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Rate, Spend, save_rates, save_spend
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import at, event_on, payment_on, point, record, subscription_on, values

NOW = at("2026-11-20")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


def these(*found: object) -> tuple[object, ...]:
    """Several values to compare at once."""
    return found


def days(first: str, number: int) -> list[date]:
    start = date.fromisoformat(first)
    return [start + timedelta(days=offset) for offset in range(number)]


async def test_active_persons_by_day_week_and_rolling_week(database: Database, project: Project) -> None:
    """A on Monday, B on Monday and Tuesday, C on Sunday."""
    seen = [("2026-03-02", "a"), ("2026-03-02", "b"), ("2026-03-03", "b"), ("2026-03-08", "c")]
    await record(database, [event_on(project, day, person) for day, person in seen])
    daily = await values(database, project, "dau", "2026-03-02", "2026-03-08", now=NOW)
    assert list(daily.values()) == [2, 1, 0, 0, 0, 0, 1]
    rolling = await values(database, project, "wau_rolling", "2026-03-08", "2026-03-10", now=NOW)
    assert list(rolling.values()) == [3, 2, 1]
    assert await values(database, project, "wau", "2026-03-04", "2026-03-04", now=NOW) == {
        date(2026, 3, 2): 3
    }


async def test_inactive_bot_and_personless_events_make_nobody_active(
    database: Database, project: Project
) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-02", "renewing", "subscription_renewed"),
            event_on(project, "2026-03-02", "robot", is_bot=True),
            event_on(project, "2026-03-02", None),
        ],
    )
    assert (await point(database, project, "dau", "2026-03-02", now=NOW)).figure.value == 0
    with_bots = await point(database, project, "dau", "2026-03-02", now=NOW, include_bots=True)
    assert with_bots.figure.value == 1
    assert (await point(database, project, "events", "2026-03-02", now=NOW)).figure.value == 2
    all_events = await point(database, project, "events", "2026-03-02", now=NOW, include_bots=True)
    assert all_events.figure.value == 3
    assert (await point(database, project, "new_persons", "2026-03-02", now=NOW)).figure.value == 1


async def test_stickiness_of_the_faithful_and_of_passers_by(database: Database, project: Project) -> None:
    faithful = [
        event_on(project, day, f"p{number}") for day in days("2026-03-01", 30) for number in range(20)
    ]
    await record(database, faithful)
    last = await point(database, project, "stickiness", "2026-03-30", now=NOW)
    assert these(last.figure.value, last.partial) == (1, False)
    assert (await point(database, project, "stickiness", "2026-03-29", now=NOW)).partial

    other = await make_project(database, "passers-by")
    events = [
        event_on(other, day, f"{day}-{number}") for day in days("2026-03-01", 30) for number in range(10)
    ]
    await record(database, events)
    last = await point(database, other, "stickiness", "2026-03-30", now=NOW)
    assert these(last.figure.numerator, last.figure.denominator) == (10, 300)
    assert (await point(database, other, "stickiness", "2026-06-30", now=NOW)).figure.value is None


async def test_the_second_signup_of_a_person_is_no_registration(database: Database, project: Project) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-05", "ada", "signup_completed"),
            event_on(project, "2026-03-02", "ada", "signup_completed"),
            event_on(project, "2026-03-05", None, "signup_completed"),
        ],
    )
    found = await values(database, project, "new_registrations", "2026-03-02", "2026-03-05", now=NOW)
    assert list(found.values()) == [1, 0, 0, 0]
    assert (await point(database, project, "monthly_new_users", "2026-03-31", now=NOW)).figure.value == 1


async def test_a_bot_that_signs_up_is_no_registration(database: Database, project: Project) -> None:
    """Nor does it take the day from the person who signs up later under the same id."""
    await record(
        database,
        [
            event_on(project, "2026-03-02", "ada", "signup_completed", is_bot=True),
            event_on(project, "2026-03-04", "ada", "signup_completed"),
            event_on(project, "2026-03-03", "crawler", "signup_completed", is_bot=True),
            payment_on(project, "2026-03-05", "ada", "10"),
        ],
    )
    first, last = "2026-03-02", "2026-03-05"
    for name, expected, with_bots in (
        ("new_registrations", [0, 0, 1, 0], [1, 1, 0, 0]),
        ("signup_to_payment_conversion", [None, None, 1, None], [1, 0, None, None]),
        ("payments_per_signup", [None, None, 0, None], [0, 0, None, None]),
    ):
        assert list((await values(database, project, name, first, last, now=NOW)).values()) == expected
        found = await values(database, project, name, first, last, now=NOW, include_bots=True)
        assert list(found.values()) == with_bots, name


async def test_conversion_of_a_cohort_gross_net_and_lifetime(database: Database, project: Project) -> None:
    """200 signups on a day, 30 pay within 30 days, 4 of them are refunded in full, 6 pay later, 5 had paid before."""
    signup = "2026-05-04"
    events = [event_on(project, signup, f"p{number}", "signup_completed") for number in range(200)]
    for number in range(30):
        # The last instant of the window belongs to it.
        day = "2026-06-03" if number == 0 else "2026-05-20"
        events.append(payment_on(project, day, f"p{number}", "10", payment_id=f"pay-{number}"))
    for number in range(4):
        refund = {"payment_id": f"pay-{number + 1}", "amount": "10", "currency": "USD"}
        events.append(event_on(project, "2026-05-25", None, "payment_refunded", event_data=refund))
    partly = {"payment_id": "pay-9", "amount": "9.99", "currency": "USD"}
    events.append(event_on(project, "2026-05-25", None, "payment_refunded", event_data=partly))
    events += [payment_on(project, "2026-06-04", f"p{number}", "10") for number in range(30, 36)]
    events += [payment_on(project, "2026-05-01", f"p{number}", "10") for number in range(40, 45)]
    events += [payment_on(project, "2026-05-20", f"p{number}", "0") for number in range(50, 60)]
    await record(database, events)

    found = await point(database, project, "signup_to_payment_conversion", signup, now=NOW)
    assert these(found.figure.value, found.figure.numerator, found.figure.denominator) == (
        Decimal("0.15"),
        30,
        200,
    )
    assert found.figure.details == {"converted_net": 26, "paid_later": 6, "paid_before_signup": 5}
    assert found.state is State.FINAL

    so_far = await point(database, project, "signup_to_payment_conversion", signup, now=at("2026-06-03"))
    assert so_far.state is State.SETTLING
    nobody = await point(database, project, "signup_to_payment_conversion", "2026-05-05", now=NOW)
    assert these(nobody.figure.value, nobody.figure.denominator) == (None, 0)


async def test_user_churn(database: Database, project: Project) -> None:
    """April 100 active, 70 of them in May, with 20 new and 5 resurrected."""
    events = [event_on(project, "2026-02-10", f"old{number}") for number in range(5)]
    events += [event_on(project, "2026-04-10", f"p{number}") for number in range(100)]
    events += [event_on(project, "2026-05-10", f"p{number}") for number in range(70)]
    events += [event_on(project, "2026-05-10", f"new{number}") for number in range(20)]
    events += [event_on(project, "2026-05-10", f"old{number}") for number in range(5)]
    await record(database, events)
    found = await values(database, project, "churn_rate", "2026-02-01", "2026-05-31", now=NOW)
    assert list(found.values()) == [None, 1, None, Decimal("0.3")]
    assert (await point(database, project, "mau", "2026-05-01", now=NOW)).figure.value == 95
    stages = {"new": 20, "current": 70, "resurrected": 5, "dormant": 30}
    for stage, persons in stages.items():
        figure = (await point(database, project, f"monthly_lifecycle_{stage}", "2026-05-01", now=NOW)).figure
        assert {stage: figure.value, **figure.details} == stages, persons
    still_open = await point(database, project, "churn_rate", "2026-05-10", now=at("2026-05-20"))
    assert still_open.state is State.OPEN


async def test_subscriber_churn(database: Database, project: Project) -> None:
    """Start 100, 20 new, 8 of the start leave, 2 of the new leave, 3 more are scheduled for later."""
    events = [subscription_on(project, "2026-03-10", f"s{number}", "created", "10") for number in range(100)]
    events += [subscription_on(project, "2026-04-05", f"n{number}", "created", "10") for number in range(20)]
    leaving = [f"s{number}" for number in range(8)] + ["n0", "n1"]
    events += [subscription_on(project, "2026-04-20", person, "cancelled") for person in leaving]
    events += [
        subscription_on(project, "2026-04-20", f"s{number}", "cancelled", ends_at="2026-05-10T00:00:00Z")
        for number in range(20, 23)
    ]
    await record(database, events)
    found = await point(database, project, "subscriber_churn", "2026-04-01", now=NOW)
    assert these(found.figure.value, found.figure.numerator) == (Decimal("0.08"), 8)
    assert found.figure.details == {
        "churned_events": 10, "new_and_churned_inside": 2, "scheduled_cancellations": 3, "customers_end": 110,
    }  # fmt: skip
    later = await point(database, project, "subscriber_churn", "2026-05-01", now=NOW)
    assert these(later.figure.numerator, later.figure.denominator) == (3, 110)
    first = await point(database, project, "subscriber_churn", "2026-03-01", now=NOW)
    assert these(first.figure.value, first.figure.denominator) == (None, 0)
    decided = await values(database, project, "cancelled_subscriptions", "2026-04-20", "2026-04-20", now=NOW)
    assert list(decided.values()) == [13]


async def test_revenue_churn(database: Database, project: Project) -> None:
    """Start 100; churn 10, contraction 10, expansion 10."""
    start = {"leaves": "10", "shrinks": "30", "grows": "40", "stays": "20"}
    events = [subscription_on(project, "2026-03-10", who, "created", mrr) for who, mrr in start.items()]
    events += [
        subscription_on(project, "2026-04-11", "leaves", "cancelled"),
        subscription_on(project, "2026-04-12", "shrinks", "downgraded", "20"),
        subscription_on(project, "2026-04-13", "grows", "upgraded", "50"),
        # Without an amount nothing changes; neither does the renewal of what is.
        subscription_on(project, "2026-04-14", "stays", "renewed"),
        subscription_on(project, "2026-04-14", "grows", "renewed", "50"),
    ]
    await record(database, events)
    expected = {
        "revenue_churn_gross": "0.2",
        "revenue_churn_net": "0.1",
        "grr": "0.8",
        "nrr": "0.9",
        "mrr": "90",
    }
    for name, value in expected.items():
        found = await point(database, project, name, "2026-04-30", now=NOW)
        assert found.figure.value == Decimal(value), name
    assert (await point(database, project, "nrr", "2026-03-30", now=NOW)).figure.value is None


async def test_mrr_of_years_two_subscriptions_and_withdrawn_cancellations(
    database: Database, project: Project
) -> None:
    await record(
        database,
        [
            subscription_on(project, "2026-03-01", "yearly", "created", "1200", interval="year"),
            subscription_on(project, "2026-03-01", "two", "created", "10", subscription="a"),
            subscription_on(project, "2026-03-01", "two", "created", "15", subscription="b"),
            subscription_on(project, "2026-03-01", "stays", "created", "7"),
            # One of two cancelled is contraction, not churn.
            subscription_on(project, "2026-04-02", "two", "cancelled", subscription="a"),
            subscription_on(project, "2026-04-02", "stays", "cancelled", ends_at="2026-04-20T00:00:00Z"),
            subscription_on(project, "2026-04-10", "stays", "renewed", "7"),
            # A return is a reactivation.
            subscription_on(project, "2026-05-02", "yearly", "cancelled"),
            subscription_on(project, "2026-06-02", "yearly", "created", "1200", interval="year"),
        ],
    )
    monthly = await values(database, project, "mrr", "2026-03-01", "2026-06-30", now=NOW)
    assert list(monthly.values()) == [132, 122, 22, 122]
    april = await point(database, project, "mrr", "2026-04-01", now=NOW)
    assert {name: april.figure.details[name] for name in ("contraction", "churn", "customers")} == {
        "contraction": 10, "churn": 0, "customers": 3,
    }  # fmt: skip
    june = await point(database, project, "mrr", "2026-06-01", now=NOW)
    assert (june.figure.details["new"], june.figure.details["reactivation"]) == (0, 100)
    nrr = await point(database, project, "nrr", "2026-06-01", now=NOW)
    assert nrr.figure.value == 1  # who did not pay at the start does not count
    created = await values(database, project, "new_subscriptions", "2026-06-02", "2026-06-02", now=NOW)
    assert list(created.values()) == [1]


async def test_a_new_rate_is_neither_expansion_nor_churn(database: Database, project: Project) -> None:
    async with database.write() as connection:
        rates = [("2026-03-01", "1.10"), ("2026-04-01", "1.20"), ("2026-05-01", "1.00")]
        await save_rates(
            connection,
            project,
            [Rate("EUR", date.fromisoformat(day), Decimal(rate)) for day, rate in rates],
            NOW,
        )
    await record(
        database,
        [
            subscription_on(project, "2026-03-01", "eu", "created", "100", currency="EUR"),
            subscription_on(project, "2026-04-01", "eu", "renewed", "100", currency="EUR"),
            subscription_on(project, "2026-05-01", "eu", "upgraded", "150", currency="EUR"),
        ],
    )
    april = (await point(database, project, "mrr", "2026-04-30", now=NOW)).figure
    assert these(april.value, april.details["fx"], april.details["expansion"]) == (120, 10, 0)
    may = (await point(database, project, "mrr", "2026-05-30", now=NOW)).figure
    assert these(may.value, may.details["fx"], may.details["expansion"]) == (150, -20, 50)


async def test_revenue_is_booked_on_the_day_it_happens(database: Database, project: Project) -> None:
    def back(day: str, payment: str, amount: str, kind: str = "payment_refunded") -> NewEvent:
        data = {"payment_id": payment, "amount": amount, "currency": "USD"}
        return event_on(project, day, None, kind, event_data=data)

    await record(
        database,
        [
            payment_on(project, "2026-03-02", "a", "100.10", payment_id="p1"),
            payment_on(project, "2026-03-02", "a", "100.10", payment_id="p1"),  # a webhook sent again
            payment_on(project, "2026-03-02", "b", "0.20"),
            payment_on(project, "2026-03-03", "c", "5", currency="EUR"),
            event_on(project, "2026-03-02", "d", "purchase", revenue="3"),
            event_on(project, "2026-03-02", "bot", "purchase", revenue="1000", is_bot=True),
            back("2026-03-04", "p1", "60"),
            back("2026-03-04", "p1", "60"),  # more than was paid
            back("2026-03-04", "unknown", "7"),
            back("2026-03-05", "p1", "40.10", "payment_chargeback"),
        ],
    )
    gross = await values(database, project, "revenue", "2026-03-02", "2026-03-05", now=NOW)
    assert list(gross.values()) == [Decimal("103.30"), 0, 0, 0]
    unconverted = await point(database, project, "revenue", "2026-03-03", now=NOW)
    assert unconverted.figure.details["unconverted"] == 1
    fourth = await point(database, project, "net_revenue", "2026-03-04", now=NOW)
    assert fourth.figure.value == -60
    assert (fourth.figure.details["orphan_refunds"], fourth.figure.details["oversized_refunds"]) == (1, 1)
    paid = await values(database, project, "successful_payments", "2026-03-02", "2026-03-03", now=NOW)
    assert list(paid.values()) == [3, 1]
    async with database.write() as connection:
        await save_rates(connection, project, [Rate("EUR", date(2026, 3, 3), Decimal("1.1"))], NOW)
    assert (await point(database, project, "revenue", "2026-03-03", now=NOW)).figure.value == Decimal("5.5")
    assert (await point(database, project, "monthly_revenue", "2026-03-03", now=NOW)).figure.value == Decimal(
        "108.8"
    )


async def test_a_retry_that_succeeds_is_one_success(database: Database, project: Project) -> None:
    def failed(day: str, payment: str) -> NewEvent:
        return event_on(project, day, "a", "payment_failed", event_data={"payment_id": payment})

    await record(
        database,
        [
            failed("2026-03-02", "retried"),
            payment_on(project, "2026-03-02", "a", "5", payment_id="retried"),
            failed("2026-03-02", "lost"),
            failed("2026-03-02", "lost"),
            failed("2026-03-02", "tomorrow"),
            payment_on(project, "2026-03-03", "a", "5", payment_id="tomorrow"),
        ],
    )
    found = await values(database, project, "failed_payments", "2026-03-02", "2026-03-03", now=NOW)
    assert list(found.values()) == [2, 0]


async def test_lifetime_value(database: Database, project: Project) -> None:
    """MRR 4000 of 100 payers with 5 % churn: 40 / 0.05 = 800; without churn a lower bound of 60 months only."""
    events = [subscription_on(project, "2026-01-10", f"s{number}", "created", "40") for number in range(100)]
    await record(database, events)
    unmoved = (await point(database, project, "ltv", "2026-03-01", now=at("2026-04-02"))).figure
    assert (unmoved.value, unmoved.details["lower_bound"]) == (None, 2400)
    assert unmoved.details["churn_base"] == 200  # nobody paid when January began

    for month, lost in (("2026-02-10", 5), ("2026-03-10", 5), ("2026-04-10", 5)):
        leaving = [subscription_on(project, month, f"s{month}{n}", "created", "40") for n in range(lost)]
        gone = [
            subscription_on(project, month, f"s{int(month[6]) * 10 + n}", "cancelled") for n in range(lost)
        ]
        await record(database, leaving + gone)
    found = (await point(database, project, "ltv", "2026-04-01", now=at("2026-05-02"))).figure
    assert (found.details["arpa"], found.details["churn_lost"], found.details["churn_base"]) == (40, 15, 300)
    assert found.value == 800


async def test_acquisition_cost_and_its_ratio_to_lifetime_value(database: Database, project: Project) -> None:
    """640 / 160 = 4: MRR 32 a customer with 5 % churn; 4 800 spent on 30 new payers in three months."""
    events = [subscription_on(project, "2026-01-10", f"s{number}", "created", "32") for number in range(100)]
    for month in (2, 3, 4):
        for number in range(5):
            events += [
                subscription_on(project, f"2026-0{month}-10", f"j{month}{number}", "created", "32"),
                subscription_on(project, f"2026-0{month}-10", f"s{month * 10 + number}", "cancelled"),
            ]
        events += [payment_on(project, f"2026-0{month}-15", f"m{month}{n}", "32") for n in range(10)]
    events.append(payment_on(project, "2026-03-16", "m21", "32"))  # paid before: not new
    events.append(payment_on(project, "2026-03-16", "undone", "32", payment_id="undone"))
    back = {"payment_id": "undone", "amount": "32", "currency": "USD"}
    events.append(event_on(project, "2026-04-14", None, "payment_refunded", event_data=back))
    await record(database, events)
    empty = await point(database, project, "cac", "2026-03-01", now=NOW)
    assert these(empty.figure.value, empty.figure.numerator, empty.figure.denominator) == (None, None, 10)

    spend = [
        Spend(date(2026, 2, 1), date(2026, 2, 28), "ads", "", Decimal(1600), "USD"),
        # 61 days, 31 of them in March.
        Spend(date(2026, 3, 1), date(2026, 4, 30), "ads", "", Decimal(3050), "USD"),
        Spend(date(2026, 4, 30), date(2026, 4, 30), "ads", "last", Decimal(150), "USD"),
        Spend(date(2026, 4, 30), date(2026, 4, 30), "ads", "abroad", Decimal(150), "EUR"),
        Spend(date(2026, 6, 1), date(2026, 6, 1), "ads", "", Decimal(10), "USD"),
    ]
    async with database.write() as connection:
        assert await save_spend(connection, project, spend, NOW) == 5
        assert await save_spend(connection, project, spend, NOW) == 0
    monthly = await values(database, project, "cac", "2026-02-01", "2026-06-30", now=NOW)
    assert list(monthly.values()) == [160, 155, 165, None, None]
    june = await point(database, project, "cac", "2026-06-01", now=NOW)
    assert june.figure.details["spend_without_customers"] == 10

    found = await point(database, project, "ltv_cac_ratio", "2026-04-01", now=NOW)
    assert these(found.figure.numerator, found.figure.denominator, found.figure.value) == (640, 160, 4)
    basis = found.figure.details["basis"]
    assert basis["months"] == ["2026-02-01", "2026-03-01", "2026-04-01"]
    assert (basis["new_payers"], basis["ltv_variant"], basis["cac_variant"]) == (
        30,
        "ltv_projected",
        "cac_blended",
    )
    payback = await point(database, project, "payback_months", "2026-04-01", now=NOW)
    assert these(payback.figure.numerator, payback.figure.denominator, payback.figure.value) == (160, 32, 5)
    seen_in_may = await point(database, project, "ltv_cac_ratio", "2026-05-01", now=at("2026-05-20"))
    assert seen_in_may.figure.details["basis"]["months"] == basis["months"]


async def test_what_a_signup_costs_and_how_many_payments_there_are_for_each(
    database: Database, project: Project
) -> None:
    """Payments of other people than those who signed up make it exceed 1; without spend the cost is unknown."""
    await record(
        database,
        [
            event_on(project, "2026-03-10", "a", "signup_completed"),
            event_on(project, "2026-03-10", "b", "signup_completed"),
            event_on(project, "2026-03-11", "a", "signup_completed"),
            *(payment_on(project, "2026-03-10", person, "5") for person in ("x", "y", "z")),
            payment_on(project, "2026-03-11", "a", "5"),
        ],
    )
    assert await values(database, project, "payments_per_signup", "2026-03-10", "2026-03-11", now=NOW) == {
        date(2026, 3, 10): Decimal("1.5"),
        date(2026, 3, 11): None,
    }
    unknown = await point(database, project, "cost_per_signup", "2026-03-01", now=NOW)
    assert these(unknown.figure.value, unknown.figure.denominator) == (None, 2)
    async with database.write() as connection:
        await save_spend(
            connection,
            project,
            [Spend(date(2026, 3, 1), date(2026, 3, 31), "ads", "", Decimal(62), "USD")],
            NOW,
        )
    assert (await point(database, project, "cost_per_signup", "2026-03-01", now=NOW)).figure.value == 31


async def test_revenue_per_user(database: Database, project: Project) -> None:
    await record(
        database,
        [
            payment_on(project, "2026-03-02", "a", "30"),
            payment_on(project, "2026-03-20", "a", "30"),
            event_on(project, "2026-03-02", "b"),
            event_on(project, "2026-03-02", "c"),
        ],
    )
    found = (await point(database, project, "arpu", "2026-03-01", now=NOW)).figure
    assert these(found.value, found.numerator, found.denominator) == (20, 60, 3)


async def test_weeks_start_where_the_project_says(database: Database, project: Project) -> None:
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE projects SET week_start = 7")
    sunday_project = await make_project(database)
    await record(
        database, [event_on(sunday_project, "2026-03-07", "a"), event_on(sunday_project, "2026-03-08", "b")]
    )
    found = await values(database, sunday_project, "wau", "2026-03-07", "2026-03-08", now=NOW)
    assert found == {date(2026, 3, 1): 1, date(2026, 3, 8): 1}


async def test_todays_rolling_figures_come_from_the_histogram_and_equal_the_long_way(
    database: Database, project: Project
) -> None:
    events = [
        event_on(project, day, f"p{(index * 7) % 40}") for index, day in enumerate(days("2026-10-01", 51))
    ]
    await record(database, events)
    for name in ("wau_rolling", "mau_rolling"):
        today = await values(database, project, name, "2026-11-20", "2026-11-20", now=NOW)
        long_way = await values(database, project, name, "2026-11-19", "2026-11-20", now=NOW)
        assert today[date(2026, 11, 20)] == long_way[date(2026, 11, 20)]
    # Somebody's clock is ahead at midnight: active today and, by it, tomorrow.
    await record(
        database, [event_on(project, "2026-11-20", "ahead"), event_on(project, "2026-11-21", "ahead")]
    )
    ahead = await point(database, project, "mau_rolling", "2026-11-20", now=NOW)
    assert ahead.figure.value == 31
    assert ahead.state is State.OPEN


async def test_sessions_and_page_views(database: Database, project: Project) -> None:
    """Two visits of Ada's, one that goes past midnight, one of a bot's."""
    seen = [at("2026-03-02", 9), at("2026-03-02", 9, 29), at("2026-03-02", 23, 50), at("2026-03-03", 0, 10)]
    views = [make_event(project, "page_view", occurred_at=moment) for moment in seen]
    views.append(make_event(project, "page_view", user_id="bot", is_bot=True, occurred_at=seen[0]))
    await record(database, views)
    sessions = await values(database, project, "sessions", "2026-03-02", "2026-03-03", now=NOW)
    assert list(sessions.values()) == [2, 0]
    lengths = await values(database, project, "average_session_seconds", "2026-03-02", "2026-03-03", now=NOW)
    assert list(lengths.values()) == [(29 + 20) * 60 / 2, None]
    page_views = await values(database, project, "page_views", "2026-03-02", "2026-03-03", now=NOW)
    assert list(page_views.values()) == [3, 1]
    with_bots = await point(database, project, "sessions", "2026-03-02", now=NOW, include_bots=True)
    assert with_bots.figure.value == 3

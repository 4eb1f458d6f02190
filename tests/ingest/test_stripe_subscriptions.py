"""Stripe's webhooks: the course of a subscription and what it is worth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.stripe import subscription, webhook
from tests.support.stripe_route import Stripe


async def test_the_course_of_a_subscription(stripe: Stripe) -> None:
    """Begun in January at 10, doubled in February, overdue in March, saved, ended by May; back in June for a year at 120."""
    began = subscription("sub_1", 1000, status="incomplete")
    more = subscription("sub_1", 1000, quantity=2)
    leaving = subscription(
        "sub_1", 1000, quantity=2, cancel_at_period_end=True, current_period_end=1777852800
    )
    await stripe.send(
        webhook("customer.subscription.created", "2026-01-05", began),
        webhook(
            "customer.subscription.updated",
            "2026-01-05",
            subscription("sub_1", 1000),
            previous={"status": "incomplete"},
        ),
        webhook("customer.subscription.updated", "2026-02-05", more, previous={"quantity": 1}),
        webhook(
            "customer.subscription.updated",
            "2026-03-01",
            {**more, "status": "past_due"},
            previous={"status": "active"},
        ),
        webhook("customer.subscription.updated", "2026-03-20", more, previous={"status": "past_due"}),
        webhook(
            "customer.subscription.updated", "2026-04-10", leaving, previous={"cancel_at_period_end": False}
        ),
        webhook("customer.subscription.updated", "2026-04-11", leaving, previous={"metadata": {}}),
        webhook("customer.subscription.deleted", "2026-05-04", {**leaving, "status": "canceled"}),
        webhook("customer.subscription.created", "2026-06-02", subscription("sub_2", 12000, interval="year")),
    )
    found = await stripe.movements()
    ends = [float(details["mrr_end"]) for details in found.values()]
    assert ends == [10, 20, 20, 20, 0, 10]
    assert [float(details["new"]) for details in found.values()] == [10, 0, 0, 0, 0, 0]
    assert [float(details["expansion"]) for details in found.values()] == [0, 10, 0, 0, 0, 0]
    assert [float(details["churn"]) for details in found.values()] == [0, 0, 0, 0, 20, 0]
    assert [float(details["reactivation"]) for details in found.values()] == [0, 0, 0, 0, 0, 10]
    assert await stripe.total("new_subscriptions") == 2
    assert await stripe.total("cancelled_subscriptions") == 1


async def test_who_stays_overdue_has_left_after_thirty_days(stripe: Stripe) -> None:
    late = subscription("sub_1", 1000, status="past_due")
    await stripe.send(
        webhook("customer.subscription.created", "2026-01-05", subscription("sub_1", 1000)),
        webhook("customer.subscription.updated", "2026-02-05", late, previous={"status": "active"}),
        webhook("customer.subscription.updated", "2026-02-20", late, previous={"metadata": {}}),
    )
    ends = [float(details["mrr_end"]) for details in (await stripe.movements()).values()]
    assert ends == [10, 10, 0, 0, 0, 0]
    assert await stripe.total("cancelled_subscriptions") == 0


@pytest.mark.parametrize(
    ("found", "mrr"),
    [
        (subscription("s", 1000, interval="week"), "43.333333"),
        (subscription("s", 3000, interval_count=3), "10"),
        (subscription("s", 1000, status="trialing"), "0"),
        (subscription("s", None), None),
        (subscription("s", 1000, discount={"coupon": {"duration": "forever", "percent_off": 25.5}}), "7.45"),
        (
            subscription(
                "s", 1000, discounts=[{"coupon": {"duration": "forever", "amount_off": 400}}, "di_2"]
            ),
            "6",
        ),
        (subscription("s", 1000, discount={"coupon": {"duration": "once", "percent_off": 50}}), "10"),
    ],
)
async def test_what_a_subscription_is_worth(stripe: Stripe, found: dict[str, Any], mrr: str | None) -> None:
    await stripe.send(webhook("customer.subscription.created", "2026-01-05", found))
    [change] = (await stripe.ledger())["changes"]
    assert change[5] == (None if mrr is None else pytest.approx(Decimal(mrr)))


async def test_metered_prices_are_no_recurring_revenue(stripe: Stripe) -> None:
    found = subscription("s", 1000)
    metered = {"price": {"currency": "usd", "unit_amount": 5, "recurring": {"usage_type": "metered"}}}
    found["items"]["data"].append(metered)
    await stripe.send(webhook("customer.subscription.created", "2026-01-05", found))
    assert (await stripe.ledger())["changes"][0][5] == 10

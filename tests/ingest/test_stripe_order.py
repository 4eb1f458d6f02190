"""Stripe's webhooks: neither order nor repetition matters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import in_thread
from tests.support.events import open_database
from tests.support.figures import at, values
from tests.support.stripe import Webhook, charge, invoice, subscription, webhook
from tests.support.stripe_route import NOW, Stripe, stripe_in


def history(choices: random.Random) -> list[Webhook]:
    """What happens to three customers in half a year, with several things in the same second."""
    told: list[Webhook] = []
    for number in range(3):
        customer = f"cus_{number}"
        months = sorted(choices.sample(range(1, 6), choices.randint(1, 5)))
        for paid, month in enumerate(months):
            when = f"2026-0{month}-{choices.randint(1, 28):02}T00:00:{choices.randint(0, 1):02}"
            said = subscription(
                f"sub_{number}",
                choices.choice([500, 1000, 2000]),
                customer,
                choices.choice(["active", "active", "past_due", "unpaid", "trialing", "paused"]),
                cancel_at=choices.choice([None, None, 1780272000]),
            )
            kind = "deleted" if choices.random() < 0.2 else "updated"
            if not told or told[-1]["data"]["object"].get("customer") != customer:
                kind = "created"
            told.append(webhook(f"customer.subscription.{kind}", when, said, previous={"items": {}}))
            if choices.random() < 0.5:
                again = subscription(f"sub_{number}", 700, customer)
                told.append(webhook("customer.subscription.updated", when, again, previous={"items": {}}))
            bill = invoice(f"in_{number}_{paid}", 1000, customer, payment_intent=f"pi_{number}_{paid}")
            told.append(webhook("invoice.paid", when, bill))
            back = 0
            while choices.random() < 0.4 and back < 800:
                refunded = charge(
                    f"ch_{number}_{paid}", 1000, customer=customer, payment_intent=f"pi_{number}_{paid}"
                )
                before, back = back, back + choices.choice([100, 400])
                told.append(
                    webhook(
                        "charge.refunded",
                        when,
                        {**refunded, "amount_refunded": back},
                        previous={"amount_refunded": before},
                    )
                )
    return told


async def play(url: str, choices: random.Random) -> None:
    told = history(choices)
    shuffled = told + choices.choices(told, k=len(told) // 2)
    choices.shuffle(shuffled)
    results: list[Any] = []
    async with open_database(url) as database:
        for order in (told, shuffled):
            async with stripe_in(database) as stripe:
                cut = choices.randint(0, len(order))
                for part in (order[:cut], order[cut:]):
                    await stripe.send(*part)
                found = await stripe.ledger()
                results.append(
                    (
                        {name: [_plain(row) for row in rows] for name, rows in found.items()},
                        await stripe.movements(),
                        await values(
                            database, stripe.project, "net_revenue", "2026-01-01", "2026-06-15", now=NOW
                        ),
                        await values(
                            database,
                            stripe.project,
                            "cancelled_subscriptions",
                            "2026-01-01",
                            "2026-06-15",
                            now=NOW,
                        ),
                    )
                )
                for details in results[-1][1].values():
                    moved = [details[name] for name in ("new", "reactivation", "expansion", "fx")]
                    lost = details["contraction"] + details["churn"]
                    assert details["mrr_end"] == details["mrr_start"] + sum(moved) - lost
    assert results[0] == results[1]


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """Without the persons' ids, which differ between projects."""
    return tuple(value for value in row if not hasattr(value, "bytes_le"))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_ledger_and_movements(
    database_url: str, choices: random.Random
) -> None:
    in_thread(play(database_url, choices))


async def test_which_refund_goes_beyond_the_payment_does_not_depend_on_arrival(stripe: Stripe) -> None:
    paid = webhook("invoice.paid", "2026-06-01", invoice("in_1", 1000, payment_intent="pi_1"))
    sums = (0, 400, 1100)
    refunds = [
        webhook(
            "charge.refunded",
            "2026-06-02",
            charge("ch_1", 1000, payment_intent="pi_1", amount_refunded=total),
            previous={"amount_refunded": before},
        )
        for before, total in pairwise(sums)
    ]
    await stripe.send(paid, *refunds)
    async with stripe_in(stripe.database) as other:
        await other.send(paid, *reversed(refunds))
        assert await other.total("net_revenue") == await stripe.total("net_revenue")


async def test_the_ledger_is_made_again_from_the_log(stripe: Stripe) -> None:
    from analytics_api.aggregate.rebuild import rebuild_project

    await stripe.send(*history(random.Random(7)))
    before = await stripe.ledger()
    await rebuild_project(stripe.database, stripe.project, "rebuild", clock=lambda: at("2026-06-15"))
    assert await stripe.ledger() == before

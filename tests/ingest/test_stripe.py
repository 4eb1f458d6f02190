"""Stripe's webhooks: what each of payments and customers becomes, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.ingest.stripe.mapping import translate
from analytics_api.ingest.stripe.reading import Unreadable
from tests.support.figures import event_on, point, record
from tests.support.stripe import SECRET, Webhook, charge, encoded, invoice, sign, subscription, webhook
from tests.support.stripe_route import NOW, URL, Stripe


async def test_what_means_nothing_here_is_acknowledged(stripe: Stripe) -> None:
    for kind in ("payout.paid", "customer.subscription.trial_will_end", "x" * 5000):
        assert await stripe.send(webhook(kind, "2026-06-01", {"id": "po_1"})) == [
            {"outcome": "ignored", "events": []}
        ]
    assert await stripe.send(webhook("invoice.paid", "2026-06-01", invoice("in_1", 0))) == [
        {"outcome": "ignored", "events": []}
    ]
    assert await stripe.ledger() == {"payments": [], "changes": [], "first": []}


async def test_payments_count_once_on_the_day_they_were_paid(stripe: Stripe) -> None:
    paid = invoice("in_1", 1999, status_transitions={"paid_at": 1780272000})  # 2026-06-01
    twice = [
        webhook("invoice.paid", "2026-06-02", paid),
        webhook("invoice.payment_succeeded", "2026-06-02", paid),
    ]
    assert [answer["outcome"] for answer in await stripe.send(*twice, *twice)] == [
        "accepted", "duplicate", "duplicate", "duplicate",
    ]  # fmt: skip
    assert await stripe.total("revenue") == Decimal("19.99")
    assert await stripe.total("revenue", "2026-06-01", "2026-06-01") == Decimal("19.99")
    assert await stripe.total("successful_payments") == 1
    # Nobody did anything: their bank did.
    assert await stripe.total("dau") == 0


@pytest.mark.parametrize(
    ("currency", "minor", "major"),
    [
        ("usd", 1999, "19.99"),
        ("jpy", 500, "500"),
        ("kwd", 5120, "5.120"),
        ("isk", 500, "5.00"),
        ("ugx", 500, "5.00"),
    ],
)
def test_minor_units(currency: str, minor: int, major: str) -> None:
    said = translate(webhook("invoice.paid", "2026-06-01", invoice("in_1", minor, currency=currency)))
    assert said is not None
    assert said[0]["event_data"]["amount"] == major
    assert said[0]["event_data"]["currency"] == currency.upper()


async def test_refunds_find_their_payment_in_every_api_version(stripe: Stripe) -> None:
    old = [
        webhook(
            "invoice.paid", "2026-06-01", invoice("in_old", 1000, payment_intent="pi_old", charge="ch_old")
        ),
        webhook(
            "charge.refunded",
            "2026-06-03",
            charge("ch_old", 1000, invoice="in_old", payment_intent="pi_old", amount_refunded=300),
            previous={"amount_refunded": 0},
        ),
    ]
    basil = [
        webhook("invoice.paid", "2026-06-01", invoice("in_new", 2000), api_version="2025-03-31.basil"),
        webhook(
            "invoice_payment.paid",
            "2026-06-01",
            {
                "id": "inpay_1",
                "invoice": "in_new",
                "payment": {"type": "payment_intent", "payment_intent": "pi_new"},
            },
        ),
        webhook(
            "charge.refunded",
            "2026-06-03",
            charge("ch_new", 2000, payment_intent="pi_new", amount_refunded=500),
        ),
    ]
    disputed = webhook(
        "charge.dispute.funds_withdrawn",
        "2026-06-04",
        {"id": "dp_1", "charge": "ch_old", "payment_intent": "pi_old", "amount": 700, "currency": "usd"},
    )
    await stripe.send(disputed, *reversed(basil), *reversed(old))
    assert await stripe.total("revenue") == 30
    assert await stripe.total("net_revenue") == 30 - 3 - 5 - 7
    found = await point(stripe.database, stripe.project, "net_revenue", "2026-06-03", now=NOW)
    assert found.figure.details["orphan_refunds"] == 0
    beyond = webhook(
        "charge.refunded",
        "2026-06-05",
        charge("ch_new", 2000, payment_intent="pi_new", amount_refunded=2500),
        previous={"amount_refunded": 500},
    )
    await stripe.send(beyond)
    assert await stripe.total("net_revenue") == 15
    found = await point(stripe.database, stripe.project, "net_revenue", "2026-06-05", now=NOW)
    assert found.figure.details["oversized_refunds"] == 1


async def test_single_payments_and_failures(stripe: Stripe) -> None:
    session = {"id": "cs_1", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_2"}
    await stripe.send(
        webhook("charge.succeeded", "2026-06-01", charge("ch_1", 500, invoice=None, payment_intent="pi_1")),
        webhook("charge.succeeded", "2026-06-01", charge("ch_of_an_invoice", 500, invoice="in_9")),
        webhook("charge.succeeded", "2026-06-01", charge("ch_held", 500, invoice=None, captured=False)),
        webhook(
            "checkout.session.completed",
            "2026-06-01",
            {**session, "amount_total": 250, "currency": "usd", "client_reference_id": "ada"},
            api_version="2025-03-31.basil",
        ),
        webhook("invoice.payment_failed", "2026-06-02", invoice("in_2", 900)),
        webhook("invoice.payment_failed", "2026-06-02", invoice("in_2", 900, attempt_count=2)),
        webhook("charge.failed", "2026-06-02", charge("ch_3", 100, invoice=None)),
    )
    assert await stripe.total("revenue") == Decimal("7.50")
    assert await stripe.total("successful_payments") == 2
    assert await stripe.total("failed_payments") == 2


async def test_a_customer_is_the_user_that_the_metadata_name(stripe: Stripe) -> None:
    await record(stripe.database, [event_on(stripe.project, "2026-06-01", "ada", "signup_completed")])
    await stripe.send(
        webhook("invoice.paid", "2026-06-02", invoice("in_1", 1000)),
        webhook(
            "customer.updated",
            "2026-06-03",
            {"id": "cus_1", "object": "customer", "metadata": {"user_id": "ada"}},
        ),
    )
    found = await point(
        stripe.database, stripe.project, "signup_to_payment_conversion", "2026-06-01", now=NOW
    )
    assert found.figure.value == 1


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"id": "evt_1"}, "type is missing"),
        (webhook("invoice.paid", "2026-06-01", {}), "data.object is missing"),
        (webhook("invoice.paid", "2026-06-01", {"id": "in_1", "amount_paid": "5"}), "amount_paid is no whole number"),
        (webhook("invoice.paid", "2026-06-01", invoice("in_1", 5, currency="dollar")), "currency is not a currency"),
        (webhook("invoice.paid", "2026-06-01", invoice("in_1", 5)) | {"created": "now"}, "is no time"),
        (webhook("customer.subscription.created", "2026-06-01", subscription("s", 5, interval="moon")), "interval is none"),
        (
            webhook("customer.subscription.created", "2026-06-01", subscription("s", 5, cancel_at_period_end=True)),
            "current_period_end is missing",
        ),
    ],
)  # fmt: skip
async def test_what_stripe_does_not_document_is_refused_by_name(
    stripe: Stripe, message: Webhook, words: str
) -> None:
    body = encoded(message)
    answer = await stripe.client.post(
        URL,
        content=body,
        params={"project": stripe.project.slug},
        headers={"Stripe-Signature": sign(body, SECRET, when=NOW.timestamp())},
    )
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = [
    "id", "customer", "currency", "amount_paid", "status", "items", "cancel_at", "discount", "metadata", "payment_intent",
    "status_transitions", "amount_refunded", "invoice", "pause_collection", "cancel_at_period_end", "payment", "discounts",
]  # fmt: skip
KINDS = [
    "invoice.paid", "invoice_payment.paid", "charge.refunded", "charge.succeeded", "customer.subscription.created",
    "customer.subscription.updated", "charge.dispute.funds_withdrawn", "customer.created", "checkout.session.completed",
]  # fmt: skip


@given(
    kind=st.sampled_from(KINDS), wrong=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4), whole=JSON
)
def test_no_webhook_breaks_the_reader(kind: str, wrong: dict[str, Any], whole: Any) -> None:
    for subject in ({**invoice("in_1", 5), **subscription("sub_1", 5), **wrong}, whole):
        try:
            translate(webhook(kind, "2026-06-01", subject))
        except Unreadable as error:
            assert str(error)

"""Stripe's webhooks: who is believed, what each becomes, and that neither order nor repetition matters."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.app import create_app
from analytics_api.domain.project import Project
from analytics_api.errors import BadRequest, ConfigurationError
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.stripe.mapping import translate
from analytics_api.ingest.stripe.reading import Unreadable
from analytics_api.ingest.stripe.routes import StripeRules, router
from analytics_api.ingest.stripe.signature import check_signature, parse_secrets
from analytics_api.ingest.writer import Writer
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database
from tests.support.figures import at, event_on, point, record, values
from tests.support.serving import served
from tests.support.stripe import SECRET, Webhook, encoded, invoice, sign, subscription, webhook

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
URL = "/webhooks/stripe"


class Stripe:
    """The route, its ledgers and figures."""

    def __init__(self, database: Database, project: Project, client: httpx.AsyncClient) -> None:
        self.database, self.project, self.client = database, project, client

    async def send(self, *messages: Webhook) -> list[dict[str, Any]]:
        """The answers; each webhook must be taken."""
        answers = []
        for message in messages:
            body = encoded(message)
            answer = await self.client.post(
                URL,
                content=body,
                params={"project": self.project.slug},
                headers={"Stripe-Signature": sign(body, SECRET, when=NOW.timestamp())},
            )
            assert answer.status_code == 200, answer.text
            answers.append(answer.json())
        await record(self.database, [])
        return answers

    async def total(self, metric: str, first: str = "2026-01-01", last: str = "2026-06-15") -> Decimal:
        """A daily figure added up."""
        found = await values(self.database, self.project, metric, first, last, now=NOW)
        return sum((value or Decimal(0) for value in found.values()), Decimal(0))

    async def ledger(self) -> dict[str, list[Any]]:
        """All entries but for their places in the log."""
        statements = {
            "payments": "SELECT DISTINCT kind, entry_id, payment_id, person_id, has_person, occurred_at, day, amount, currency "
            "FROM payments WHERE project_id = $1 ORDER BY 1, 2",
            "changes": "SELECT DISTINCT subscription_id, person_id, kind, occurred_at, effective_at, mrr, currency "
            "FROM subscription_changes WHERE project_id = $1 ORDER BY 1, 4",
            "first": "SELECT user_id, first_payment_at, last_active_day FROM persons WHERE project_id = $1 ORDER BY 1",
        }
        return {
            name: [tuple(row) for row in await self.database.pool.fetch(statement, self.project.id)]
            for name, statement in statements.items()
        }

    async def movements(self) -> dict[date, Any]:
        """MRR month by month with its movements."""
        return {
            month: (await point(self.database, self.project, "mrr", month, now=NOW)).figure.details
            for month in await values(self.database, self.project, "mrr", "2026-01-01", "2026-06-15", now=NOW)
        }


@asynccontextmanager
async def stripe_in(database: Database) -> AsyncIterator[Stripe]:
    """A project of its own behind the route."""
    project = await make_project(database, f"p{uuid4().hex[:12]}")
    writer = Writer(database, Partitions(), queue_bytes=10_000_000)
    writer.start()
    app = FastAPI()
    app.include_router(router)
    problems.install(app)
    app.state.stripe = StripeRules({project.slug: (SECRET,)}, lambda: NOW)
    app.state.authenticator = Authenticator(database, open_on_loopback=False)
    app.state.intake = Intake(writer, IntakeLimits(), clock=lambda: NOW)
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as client:
            yield Stripe(database, project, client)
    finally:
        await writer.close()


@pytest.fixture
async def stripe(database_url: str) -> AsyncIterator[Stripe]:
    async with open_database(database_url) as database, stripe_in(database) as found:
        yield found


# Who is believed


def test_a_signature_of_any_known_secret_is_enough() -> None:
    body, when = b'{"id": "evt_1"}', NOW.timestamp()
    check_signature(sign(body, SECRET, when=when), body, (SECRET,), NOW)
    # Rolled over: Stripe signs with both, or we know both.
    check_signature(sign(body, "whsec_old-old-old-old", SECRET, when=when), body, (SECRET,), NOW)
    check_signature(sign(body, SECRET, when=when), body, ("whsec_old-old-old-old", SECRET), NOW)
    for late in (-299, 299):
        check_signature(sign(body, SECRET, when=when + late), body, (SECRET,), NOW)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "is missing"),
        ("", "is missing"),
        ("v1=00", "cannot be read"),
        (f"t={NOW.timestamp():.0f}", "cannot be read"),
        ("t=now,v1=00", "cannot be read"),
        (f"t={NOW.timestamp():.0f},v1=00", "does not fit the body"),
        (f"t={NOW.timestamp():.0f},v1=é", "does not fit the body"),
        (sign(b"{}", "whsec_of-somebody-else", when=NOW.timestamp()), "does not fit the body"),
        (sign(b"{ }", SECRET, when=NOW.timestamp()), "does not fit the body"),
        (sign(b"{}", SECRET, when=NOW.timestamp()).replace("v1=", "v0="), "cannot be read"),
        (sign(b"{}", SECRET, when=NOW.timestamp() - 301), "more than 300 seconds"),
        (sign(b"{}", SECRET, when=NOW.timestamp() + 301), "more than 300 seconds"),
    ],
)
def test_anything_else_is_not_believed(header: str | None, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        check_signature(header, b"{}", (SECRET,), NOW)


def test_secrets_belong_to_projects() -> None:
    assert parse_secrets(f"{SECRET}, whsec_b-b-b-b-b-b-b,shop=whsec_c-c-c-c-c-c-c") == {
        "default": (SECRET, "whsec_b-b-b-b-b-b-b"),
        "shop": ("whsec_c-c-c-c-c-c-c",),
    }
    with pytest.raises(ConfigurationError, match="STRIPE_WEBHOOK_SECRETS"):
        parse_secrets("shop=")


async def test_over_http_with_the_settings(database_url: str) -> None:
    app = create_app(Settings(_env_file=None, stripe_webhook_secrets=SECRET), database_url)
    path = f"/api/v1/analytics{URL}"
    body = encoded(webhook("invoice.paid", "2026-06-01", invoice("in_1", 1999)))
    async with app.router.lifespan_context(app), served(app) as server:
        post = server.client.post
        header = {"Stripe-Signature": sign(body, SECRET, when=datetime.now(UTC).timestamp())}
        taken = await post(path, content=body, headers=header)
        assert (taken.status_code, taken.json()) == (
            200,
            {"outcome": "accepted", "events": ["payment_completed"]},
        )
        assert (await post(path, content=body, headers=header)).json()["outcome"] == "duplicate"
        assert (await post(path, content=body)).status_code == 400
        assert (await post(path, content=body + b" ", headers=header)).status_code == 400
        assert (await post(f"{path}?project=shop", content=body, headers=header)).status_code == 404
        metrics = (await server.client.get("/metrics")).text
        assert (
            'analytics_webhooks_total{outcome="accepted",provider="stripe",type="invoice.paid"} ' in metrics
        )


# What each becomes


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


def charge(number: str, cents: int, **more: Any) -> dict[str, Any]:
    created = 1780272000
    common = {"object": "charge", "customer": "cus_1", "currency": "usd", "created": created}
    return {"id": number, "amount": cents, "amount_captured": cents, "captured": True, **common, **more}


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


# Neither order nor repetition matters


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

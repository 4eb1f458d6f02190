"""Stripe's webhooks: who is believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analytics_api.app import create_app
from analytics_api.errors import BadRequest, ConfigurationError
from analytics_api.ingest.stripe.signature import check_signature, parse_secrets
from analytics_api.settings import Settings
from tests.support.serving import served
from tests.support.stripe import SECRET, encoded, invoice, sign, webhook
from tests.support.stripe_route import NOW, URL


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

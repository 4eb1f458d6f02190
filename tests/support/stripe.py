"""Webhooks as Stripe sends them: the fields that matter, signed."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime
from typing import Any

Webhook = dict[str, Any]

SECRET = "whsec_of-the-tests-0001"
_numbers = itertools.count(1)


def seconds(when: str) -> int:
    """Epoch seconds of an ISO time in UTC."""
    return int(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp())


def sign(body: bytes, *secrets: str, when: float) -> str:
    """The header, with one signature for each secret."""
    signatures = [
        "v1=" + hmac.new(secret.encode(), b"%d." % int(when) + body, hashlib.sha256).hexdigest()
        for secret in secrets
    ]
    return ",".join([f"t={int(when)}", *signatures, "v0=00"])


def webhook(kind: str, when: str, subject: dict[str, Any], **more: Any) -> Webhook:
    """One webhook; `previous` is what changed."""
    data = {"object": subject}
    if "previous" in more:
        data["previous_attributes"] = more.pop("previous")
    number = f"evt_{next(_numbers)}"
    return {"id": number, "object": "event", "type": kind, "created": seconds(when), "data": data, **more}


def invoice(number: str, cents: int, customer: str = "cus_1", **more: Any) -> dict[str, Any]:
    """A paid invoice."""
    return {
        "id": number,
        "object": "invoice",
        "customer": customer,
        "currency": "usd",
        "amount_paid": cents,
        "amount_due": cents,
        "attempt_count": 1,
        "status_transitions": {},
        **more,
    }


def subscription(
    number: str, cents: int | None, customer: str = "cus_1", status: str = "active", **more: Any
) -> dict[str, Any]:
    """A subscription of one item; `interval`, `interval_count` and `quantity` may be given."""
    price = {
        "currency": "usd",
        "unit_amount": cents,
        "recurring": {
            "interval": more.pop("interval", "month"),
            "interval_count": more.pop("interval_count", 1),
            "usage_type": "licensed",
        },
    }
    item = {"price": price, "quantity": more.pop("quantity", 1)}
    return {
        "id": number,
        "object": "subscription",
        "customer": customer,
        "status": status,
        "items": {"object": "list", "data": [item]},
        "cancel_at": None,
        "cancel_at_period_end": False,
        **more,
    }


def encoded(message: Webhook) -> bytes:
    """The body, laid out as Stripe does."""
    return json.dumps(message, indent=2).encode()


def charge(number: str, cents: int, **more: Any) -> dict[str, Any]:
    created = 1780272000
    common = {"object": "charge", "customer": "cus_1", "currency": "usd", "created": created}
    return {"id": number, "amount": cents, "amount_captured": cents, "captured": True, **common, **more}

"""Which events of ours a webhook of Stripe's becomes.

Everything here is a function of one webhook. Ids are made of what is said, not of who said it, so that a webhook which comes
again, or another one that tells of the same payment, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from analytics_api.domain.event import EventType
from analytics_api.ingest.stripe.reading import (
    Object,
    Unreadable,
    as_text,
    currency_of,
    identifier,
    instant,
    listed,
    major_units,
    part,
    required,
    whole,
)
from analytics_api.ingest.stripe.subscriptions import SUBSCRIPTION_TYPES, changes

BASIL = "2025-03-31"
"""The API version from which on charges do not say to which invoice they belong (changelog of 2025-03-31.basil)."""

Event = dict[str, Any]


def translate(webhook: Object) -> list[Event] | None:
    """The events that a webhook says, ready for intake; None for a type that means nothing here.

    Raises Unreadable when it is not what Stripe documents.
    """
    kind = webhook.get("type")
    if not isinstance(kind, str):
        raise Unreadable("type is missing")
    read = _READERS.get(kind)
    if read is None:
        return None
    subject = part(part(webhook, "data"), "object")
    if not subject:
        raise Unreadable("data.object is missing")
    return [*read(webhook, subject), *_alias(webhook, subject)]


def known_type(kind: str) -> bool:
    """Whether webhooks of that type mean something here."""
    return kind in _READERS


def _event(kind: EventType, name: str, subject: Object, moment: datetime, data: Event) -> Event:
    return {
        "event_type": kind.value,
        "event_id": f"stripe:{name}",
        "user_id": identifier(subject, "customer") or _user_of(subject),
        "timestamp": moment.isoformat(),
        "event_data": {key: value for key, value in data.items() if value is not None},
        # Stripe's clock sends it, not the person: it makes nobody active.
        "context": {"automatic": True, "library": {"name": "stripe"}},
    }


def _user_of(subject: Object) -> str | None:
    """The product's own id of the customer, when the product has told Stripe."""
    user = part(subject, "metadata").get("user_id") or subject.get("client_reference_id")
    return user if isinstance(user, str) and user else None


def _money(amount: int, subject: Object) -> Event:
    currency = currency_of(subject)
    return {"amount": as_text(major_units(amount, currency)), "currency": currency}


def _payment(payment: str, amount: int, subject: Object, moment: datetime, **data: Any) -> list[Event]:
    """A captured payment; none when nothing was paid, as for an invoice of a trial."""
    if amount <= 0:
        return []
    data = {"payment_id": payment, **_money(amount, subject), **data}
    return [_event(EventType.PAYMENT_COMPLETED, f"payment:{payment}", subject, moment, data)]


def _invoice_paid(webhook: Object, invoice: Object) -> list[Event]:
    payment = required(identifier(invoice, "id"), "data.object.id")
    paid_at = part(invoice, "status_transitions").get("paid_at")
    moment = instant(webhook.get("created") if paid_at is None else paid_at, "paid_at")
    payments = [part(each, "payment") for each in listed(invoice, "payments")]
    references = [
        identifier(holder, name) for holder in (invoice, *payments) for name in ("payment_intent", "charge")
    ]
    return _payment(
        payment,
        whole(invoice, "amount_paid"),
        invoice,
        moment,
        references=list(filter(None, references)) or None,
        subscription_id=_subscription_of(invoice),
        billing_reason=invoice.get("billing_reason"),
    )


def _subscription_of(invoice: Object) -> str | None:
    details = part(part(invoice, "parent"), "subscription_details")
    return identifier(invoice, "subscription") or identifier(details, "subscription")


def _invoice_payment_paid(webhook: Object, paid: Object) -> list[Event]:
    """Under which ids refunds will name the payment of an invoice, since charges do not name the invoice any more."""
    invoice = required(identifier(paid, "invoice"), "data.object.invoice")
    payment = part(paid, "payment")
    references = list(filter(None, (identifier(payment, "payment_intent"), identifier(payment, "charge"))))
    if not references:
        return []
    moment = instant(webhook.get("created"), "created")
    data = {"payment_id": invoice, "references": references}
    return [_event(EventType.PAYMENT_LINKED, f"link:{':'.join(references)}", paid, moment, data)]


def _invoice_failed(webhook: Object, invoice: Object) -> list[Event]:
    payment = required(identifier(invoice, "id"), "data.object.id")
    attempt = whole(invoice, "attempt_count", 0)
    data = {"payment_id": payment, **_money(whole(invoice, "amount_due", 0), invoice)}
    moment = instant(webhook.get("created"), "created")
    return [_event(EventType.PAYMENT_FAILED, f"failure:{payment}:{attempt}", invoice, moment, data)]


def _stands_alone(charge: Object) -> bool:
    """Whether a charge says that it belongs to no invoice; those of invoices come as invoices."""
    return "invoice" in charge and charge["invoice"] is None


def _charge_succeeded(_webhook: Object, charge: Object) -> list[Event]:
    if not _stands_alone(charge) or charge.get("captured") is False:
        return []
    amount = whole(charge, "amount_captured", whole(charge, "amount", 0))
    return _payment(_paid(charge), amount, charge, instant(charge.get("created"), "data.object.created"))


def _charge_failed(_webhook: Object, charge: Object) -> list[Event]:
    if not _stands_alone(charge):
        return []
    number = required(identifier(charge, "id"), "data.object.id")
    data = {
        "payment_id": _paid(charge),
        **_money(whole(charge, "amount", 0), charge),
        "error": charge.get("failure_code"),
    }
    moment = instant(charge.get("created"), "data.object.created")
    return [_event(EventType.PAYMENT_FAILED, f"failure:{number}", charge, moment, data)]


def _checkout(webhook: Object, session: Object) -> list[Event]:
    """A single payment. Before BASIL its charge has said so already."""
    alone = session.get("mode") == "payment" and identifier(session, "invoice") is None
    if not alone or session.get("payment_status") != "paid" or str(webhook.get("api_version") or "") < BASIL:
        return []
    payment = identifier(session, "payment_intent") or required(identifier(session, "id"), "data.object.id")
    moment = instant(webhook.get("created"), "created")
    return _payment(payment, whole(session, "amount_total"), session, moment)


def _paid(subject: Object) -> str:
    """The payment that a charge, a refund or a dispute is about."""
    found = identifier(subject, "payment_intent") or identifier(subject, "charge")
    return found or required(identifier(subject, "id"), "data.object.id")


def _charge_refunded(webhook: Object, charge: Object) -> list[Event]:
    """A charge tells the sum of its refunds; the sum also names the refund, since each makes it larger."""
    number = required(identifier(charge, "id"), "data.object.id")
    total = whole(charge, "amount_refunded")
    before = whole(part(part(webhook, "data"), "previous_attributes"), "amount_refunded", 0)
    if total <= before:
        return []
    refund = f"{number}:{total}"
    data = {
        "payment_id": identifier(charge, "invoice") or _paid(charge),
        "refund_id": refund,
        **_money(total - before, charge),
    }
    moment = instant(webhook.get("created"), "created")
    return [_event(EventType.PAYMENT_REFUNDED, f"refund:{refund}", charge, moment, data)]


def _dispute(webhook: Object, dispute: Object) -> list[Event]:
    """Money that the bank takes back while it is in dispute."""
    number = required(identifier(dispute, "id"), "data.object.id")
    data = {
        "payment_id": _paid(dispute),
        "refund_id": number,
        **_money(whole(dispute, "amount"), dispute),
        "reason": dispute.get("reason"),
    }
    moment = instant(webhook.get("created"), "created")
    return [_event(EventType.PAYMENT_CHARGEBACK, f"chargeback:{number}", dispute, moment, data)]


def _subscription(webhook: Object, subscription: Object) -> list[Event]:
    number = required(identifier(subscription, "id"), "data.object.id")
    said = required(identifier(webhook, "id"), "id")
    return [
        _event(
            change.event_type,
            f"{said}:{place}",
            subscription,
            change.moment,
            {"subscription_id": number, **change.data},
        )
        for place, change in enumerate(changes(webhook, subscription))
    ]


def _nothing(_webhook: Object, _subject: Object) -> list[Event]:
    return []


def _alias(webhook: Object, subject: Object) -> list[Event]:
    """Stripe's customer is the product's user: known when the product has told Stripe so in the metadata."""
    customer = identifier(subject, "id" if subject.get("object") == "customer" else "customer")
    user = _user_of(subject)
    if customer is None or user is None or user == customer:
        return []
    said = required(identifier(webhook, "id"), "id")
    moment = instant(webhook.get("created"), "created")
    event = _event(EventType.ALIAS, f"{said}:alias", subject, moment, {"from_user_id": customer})
    return [{**event, "user_id": user}]


_READERS: dict[str, Callable[[Object, Object], list[Event]]] = {
    "invoice.paid": _invoice_paid,
    # The same payment under its older name: one id, so that it counts once.
    "invoice.payment_succeeded": _invoice_paid,
    "invoice_payment.paid": _invoice_payment_paid,
    "invoice.payment_failed": _invoice_failed,
    "charge.succeeded": _charge_succeeded,
    "charge.captured": _charge_succeeded,
    "charge.failed": _charge_failed,
    "charge.refunded": _charge_refunded,
    "charge.dispute.funds_withdrawn": _dispute,
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "customer.created": _nothing,
    "customer.updated": _nothing,
    **dict.fromkeys(SUBSCRIPTION_TYPES, _subscription),
}

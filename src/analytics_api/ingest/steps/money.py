"""Captured payments: what an event says was paid."""

from __future__ import annotations

from analytics_api.domain.event import PAYMENT_COMPLETED
from analytics_api.domain.money import parse_amount, parse_currency
from analytics_api.domain.plan import WarningKind
from analytics_api.ingest.draft import Draft, Reception, Rejected


def put_revenue(draft: Draft, reception: Reception) -> None:
    """Top-level `revenue` and `currency`, else `event_data.amount` of a completed payment. Server keys only."""
    payload = draft.payload
    if payload.revenue is not None:
        _put_top_level(draft, reception)
    elif payload.event_type == PAYMENT_COMPLETED:
        _put_payment(draft, reception)


def _put_top_level(draft: Draft, reception: Reception) -> None:
    payload = draft.payload
    try:
        amount = parse_amount(payload.revenue, "revenue")
        currency = parse_currency(payload.currency or reception.project.currency, "currency")
    except ValueError as error:
        raise Rejected(str(error)) from None
    if amount < 0:
        raise Rejected("revenue is negative: send payment_refunded for money given back")
    if not reception.trusted:
        text = "revenue was not counted: only a server key may report money"
        draft.warn(WarningKind.MONEY, "revenue", text)
        return
    draft.revenue, draft.currency = amount, currency


def _put_payment(draft: Draft, reception: Reception) -> None:
    amount = draft.event_data.get("amount")
    if amount is None:
        return
    if not reception.trusted:
        text = "event_data.amount was not counted: only a server key may report money"
        draft.warn(WarningKind.MONEY, "event_data.amount", text)
        return
    try:
        value = parse_amount(amount, "event_data.amount")
        currency = draft.event_data.get("currency") or reception.project.currency
        code = parse_currency(currency, "event_data.currency")
        if value < 0:
            raise ValueError("event_data.amount is negative: send payment_refunded for money given back")
    except ValueError as error:
        # The payment itself is true and must not be lost for a slip in its amount.
        draft.warn(WarningKind.MONEY, "event_data.amount", f"the amount was not counted: {error}")
        return
    draft.revenue, draft.currency = value, code

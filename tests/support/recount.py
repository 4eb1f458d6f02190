"""Figures recounted event by event in plain Python: the oracle that SQL is held against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, NewEvent
from analytics_api.domain.period import Period, bucket_of, next_bucket
from analytics_api.domain.project import Project

Ratio = tuple[int, int]


class Recount:
    """Figures of the events of one project, given in the order of their arrival. Slow and plain."""

    def __init__(self, project: Project, events: Sequence[NewEvent]) -> None:
        self.project = project
        self.events = list(events)
        self.payments = self._first_of_each("payment_completed", "payment_id")
        self.refunds = self._first_of_each("payment_refunded", "refund_id")

    def _first_of_each(self, kind: str, key: str) -> dict[str, NewEvent]:
        found: dict[str, NewEvent] = {}
        for event in self.events:
            if event.event_type == kind:
                found.setdefault(json.loads(event.event_data).get(key) or str(event.event_id), event)
        return found

    def day(self, event: NewEvent) -> date:
        """Local day of an event."""
        return event.occurred_at.astimezone(self.project.zone).date()

    def _within(self, event: NewEvent, first: date, after: date) -> bool:
        return first <= self.day(event) < after

    def active(self, first: date, after: date, *, bots: bool = False) -> set[UUID]:
        """Persons with an active event from `first` up to the day before `after`."""
        return {
            event.person_id
            for event in self.events
            if event.has_person
            and event.event_type not in INACTIVE_EVENT_TYPES
            and json.loads(event.context).get("automatic") is not True
            and (bots or not event.is_bot)
            and self._within(event, first, after)
        }

    def rolling(self, day: date, length: int, *, bots: bool = False) -> int:
        """Persons active in the `length` days that end with a day."""
        return len(self.active(day - timedelta(days=length - 1), day + timedelta(days=1), bots=bots))

    def new_persons(self, first: date, after: date, *, bots: bool = False) -> int:
        """Persons whose first event is in a bucket."""
        firsts: dict[UUID, date] = {}
        for event in self.events:
            if event.has_person and (bots or not event.is_bot):
                firsts[event.person_id] = min(firsts.get(event.person_id, date.max), self.day(event))
        return sum(first <= day < after for day in firsts.values())

    def signups(self, *, bots: bool) -> dict[UUID, NewEvent]:
        """First signup_completed of each person."""
        found: dict[UUID, NewEvent] = {}
        for event in self.events:
            known = found.get(event.person_id)
            if event.event_type == "signup_completed" and event.has_person and (bots or not event.is_bot):
                found[event.person_id] = (
                    event if known is None or event.occurred_at < known.occurred_at else known
                )
        return found

    def registrations(self, first: date, after: date, *, bots: bool = False) -> int:
        """Persons whose first signup is in a bucket."""
        return sum(self._within(event, first, after) for event in self.signups(bots=bots).values())

    def first_payments(self) -> dict[UUID, datetime]:
        """When each person first paid more than 0."""
        found: dict[UUID, datetime] = {}
        for event in self.payments.values():
            if event.revenue and event.has_person:
                moment = found.get(event.person_id, event.occurred_at)
                found[event.person_id] = min(moment, event.occurred_at)
        return found

    def new_payers(self, first: date, after: date) -> int:
        """Persons whose first payment above 0 is in a bucket."""
        moments = self.first_payments().values()
        return sum(first <= moment.astimezone(self.project.zone).date() < after for moment in moments)

    def payers(self, first: date, after: date, *, bots: bool = False) -> set[UUID]:
        """Persons with a payment above 0 in a bucket."""
        return {
            event.person_id
            for event in self.payments.values()
            if event.revenue
            and event.has_person
            and (bots or not event.is_bot)
            and self._within(event, first, after)
        }

    def conversion(self, first: date, after: date, *, bots: bool = False) -> Ratio:
        """(converted, signups) of the persons who signed up in a bucket."""
        paid = self.first_payments()
        cohort = [event for event in self.signups(bots=bots).values() if self._within(event, first, after)]
        converted = sum(
            signup.occurred_at <= paid[signup.person_id] <= signup.occurred_at + timedelta(hours=720)
            for signup in cohort
            if signup.person_id in paid
        )
        return converted, len(cohort)

    def churn(self, bucket: date, period: Period, *, bots: bool = False) -> Ratio:
        """(not active in the bucket, active in the one before)."""
        before = bucket_of(bucket - timedelta(days=1), period, self.project.week_start)
        base = self.active(before, bucket, bots=bots)
        return len(base - self.active(bucket, next_bucket(bucket, period), bots=bots)), len(base)

    def lifecycle(self, bucket: date, period: Period, *, bots: bool = False) -> dict[str, int]:
        """Persons of a bucket by what they did before."""
        now = self.active(bucket, next_bucket(bucket, period), bots=bots)
        before = self.active(
            bucket_of(bucket - timedelta(days=1), period, self.project.week_start), bucket, bots=bots
        )
        ever = self.active(date.min, bucket, bots=bots)
        return {
            "new": len(now - ever),
            "current": len(now & before),
            "resurrected": len(now & ever - before),
            "dormant": len(before - now),
        }

    def revenue(self, first: date, after: date, *, bots: bool = False) -> Decimal:
        """Captured payments in the project's currency."""
        return sum(
            (
                event.revenue or Decimal(0)
                for event in self.payments.values()
                if self._within(event, first, after)
                and (bots or not event.is_bot)
                and event.currency in (None, self.project.currency)
            ),
            Decimal(0),
        )


class Subscription:
    """One subscription replayed change by change."""

    def __init__(
        self, changes: Sequence[NewEvent], rates: dict[tuple[str, date], Decimal], currency: str
    ) -> None:
        self._rates = rates
        self._currency = currency
        # Arrival breaks ties in time.
        self._changes = sorted(changes, key=lambda change: change.occurred_at)
        self.customer = self._changes[0].person_id
        self._effective = sorted(
            ((self._takes_effect(change), change) for change in self._changes if not self._withdrawn(change)),
            key=lambda pair: pair[0],
        )

    @staticmethod
    def _kind(change: NewEvent) -> str:
        return change.event_type.removeprefix("subscription_")

    def _takes_effect(self, change: NewEvent) -> datetime:
        ends_at = json.loads(change.event_data).get("ends_at")
        if self._kind(change) != "cancelled" or ends_at is None:
            return change.occurred_at
        return max(change.occurred_at, datetime.fromisoformat(ends_at))

    def _withdrawn(self, change: NewEvent) -> bool:
        later = self._changes[self._changes.index(change) + 1 :]
        return self._kind(change) == "cancelled" and any(
            self._kind(other) in ("created", "renewed") and other.occurred_at < self._takes_effect(change)
            for other in later
        )

    def worth(self, until: datetime) -> tuple[bool, Decimal]:
        """Whether it is paid for and its monthly worth in the project's currency, before an instant."""
        plan: tuple[Decimal, str, date] | None = None
        running = False
        for moment, change in self._effective:
            if moment >= until:
                break
            data = json.loads(change.event_data)
            running = self._kind(change) != "cancelled"
            if running and "amount" in data:
                currency = data.get("currency", self._currency)
                plan = Decimal(data["amount"]), currency, change.occurred_at.date()
        if not running or plan is None or not plan[0]:
            return False, Decimal(0)
        amount, currency, day = plan
        rate = Decimal(1) if currency == self._currency else self._rates.get((currency, day), Decimal(0))
        return True, amount * rate


def replay_subscriptions(
    project: Project, events: Sequence[NewEvent], rates: dict[tuple[str, date], Decimal]
) -> list[Subscription]:
    """All subscriptions of the events, which are given in the order of their arrival."""
    changes: dict[str, list[NewEvent]] = {}
    for event in events:
        if event.event_type.startswith("subscription_"):
            changes.setdefault(json.loads(event.event_data)["subscription_id"], []).append(event)
    return [Subscription(list_, rates, project.currency) for list_ in changes.values()]

"""Figures against a recount in plain Python, over random histories, zones and weeks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_api.domain.event import NewEvent
from analytics_api.domain.period import Period, bucket_of, buckets, next_bucket, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Rate, save_rates
from analytics_api.store.metrics.figure import Span
from analytics_api.store.metrics.lifecycle import STAGES
from analytics_api.store.metrics.subscriptions import MOVEMENTS, SubscriptionBucket, subscription_buckets
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import at, points, record
from tests.support.recount import Recount, replay_subscriptions

# +05:45, -03:30, the southern and the northern summer, half an hour of it, and a day that midnight skips.
ZONES = [
    "UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana",
]  # fmt: skip
# Clocks change in Berlin on 2026-03-29, in Havana at midnight of 2026-03-08, on Lord Howe on 2026-04-05.
START = datetime(2026, 2, 20, tzinfo=UTC)
DAYS = 80
NOW = at("2026-11-20")
FIRST, LAST = START.date() - timedelta(days=3), START.date() + timedelta(days=DAYS + 40)
TYPES = ["feature_used"] * 4 + [
    "signup_completed", "signup_completed", "payment_completed", "payment_completed", "subscription_renewed",
]  # fmt: skip
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

minutes = st.one_of(
    st.integers(0, DAYS * 1440),
    # Around midnight, and exactly 30 days after another.
    st.integers(0, DAYS).map(lambda day: day * 1440),
    st.integers(0, 40).map(lambda day: day * 1440 + 720),
)
happening = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(TYPES),
        "person": st.sampled_from(["a", "b", "c", "d", None]),
        "minutes": minutes,
        "is_bot": st.sampled_from([False, False, False, True]),
        "payment": st.sampled_from(["p1", "p2", "p3", None, None]),
        "amount": st.sampled_from(["0", "9.99", "100"]),
    }
)


def build(project: Project, happenings: Sequence[dict[str, Any]]) -> list[NewEvent]:
    return [
        make_event(
            project,
            item["kind"],
            user_id=item["person"],
            event_id=f"{project.slug}-{index}",
            occurred_at=START + timedelta(minutes=item["minutes"]),
            event_data={"payment_id": item["payment"]} if item["kind"] == "payment_completed" else {},
            revenue=item["amount"] if item["kind"] == "payment_completed" else None,
            is_bot=item["is_bot"],
        )
        for index, item in enumerate(happenings)
    ]


async def compare(
    database: Database, project: Project, recount: Recount, name: str, expected: Any, *, bots: bool = False
) -> None:
    """Every bucket of a metric equals `expected(first day, day after)`: a number, or (numerator, denominator)."""
    for point in await points(database, project, name, FIRST, LAST, now=NOW, include_bots=bots):
        wanted = expected(point.bucket, next_bucket(point.bucket, point.metric.period))
        where = f"{name} {point.bucket} {project.zone.key}"
        if isinstance(wanted, tuple):
            numerator, denominator = wanted
            assert (point.figure.numerator, point.figure.denominator) == wanted, where
            assert point.figure.value == (Decimal(numerator) / denominator if denominator else None), where
        else:
            assert point.figure.value == wanted, where


async def play(url: str, happenings: Sequence[dict[str, Any]], zone: str, week_start: int) -> None:
    async with open_database(url) as database:
        slug = f"p{uuid4().hex[:12]}"
        await make_project(database, slug, time_zone=zone)
        await database.pool.execute("UPDATE projects SET week_start = $1 WHERE slug = $2", week_start, slug)
        project = await make_project(database, slug)
        events = build(project, happenings)
        await record(database, events)
        count = Recount(project, events)

        def rolling(length: int, bots: bool) -> Any:
            return lambda day, _after: count.rolling(day, length, bots=bots)

        for bots in (False, True):

            def active(first: date, after: date, bots: bool = bots) -> int:
                return len(count.active(first, after, bots=bots))

            def revenue(first: date, after: date, bots: bool = bots) -> Decimal:
                return count.revenue(first, after, bots=bots)

            def new(first: date, after: date, bots: bool = bots) -> int:
                return count.new_persons(first, after, bots=bots)

            def sticky(day: date, after: date, bots: bool = bots) -> tuple[int, int]:
                return len(count.active(day, after, bots=bots)), count.rolling(day, 30, bots=bots)

            def payers(first: date, after: date, bots: bool = bots) -> int:
                return len(count.payers(first, after, bots=bots))

            def registrations(first: date, after: date, bots: bool = bots) -> int:
                return count.registrations(first, after, bots=bots)

            def conversion(first: date, after: date, bots: bool = bots) -> tuple[int, int]:
                return count.conversion(first, after, bots=bots)

            def per_payer(first: date, after: date, bots: bool = bots) -> tuple[Decimal, int]:
                return count.revenue(first, after, bots=bots), len(count.payers(first, after, bots=bots))

            for period in (Period.WEEKLY, Period.MONTHLY):

                def churn(
                    bucket: date, _after: date, bots: bool = bots, period: Period = period
                ) -> tuple[int, int]:
                    return count.churn(bucket, period, bots=bots)

                name = "churn_rate" if period is Period.MONTHLY else "weekly_churn_rate"
                await compare(database, project, count, name, churn, bots=bots)
                for stage in STAGES:

                    def persons(
                        bucket: date,
                        _after: date,
                        bots: bool = bots,
                        period: Period = period,
                        stage: str = stage,
                    ) -> int:
                        return count.lifecycle(bucket, period, bots=bots)[stage]

                    name = f"{period}_lifecycle_{stage}"
                    await compare(database, project, count, name, persons, bots=bots)

            for name, expected in {
                "dau": active, "wau": active, "mau": active, "wau_rolling": rolling(7, bots),
                "mau_rolling": rolling(30, bots), "stickiness": sticky, "new_persons": new,
                "revenue": revenue, "weekly_revenue": revenue, "monthly_revenue": revenue,
                "monthly_payers": payers, "arppu": per_payer, "new_registrations": registrations,
                "weekly_new_users": registrations, "monthly_new_users": registrations,
                "signup_to_payment_conversion": conversion,
            }.items():  # fmt: skip
                await compare(database, project, count, name, expected, bots=bots)
        for name in ("new_payers", "monthly_new_payers"):
            await compare(database, project, count, name, count.new_payers)


@slow
@given(
    happenings=st.lists(happening, min_size=1, max_size=60),
    zone=st.sampled_from(ZONES),
    week_start=st.integers(1, 7),
)
def test_figures_equal_a_recount(
    database_url: str, happenings: list[dict[str, Any]], zone: str, week_start: int
) -> None:
    in_thread(play(database_url, happenings, zone, week_start))


change = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["created", "created", "renewed", "upgraded", "downgraded", "cancelled"]),
        "subscription": st.sampled_from(["s1", "s2", "s3", "s4"]),
        "person": st.sampled_from(["a", "b"]),
        "minutes": minutes,
        "amount": st.sampled_from([None, "0", "10", "25.50", "60"]),
        "currency": st.sampled_from(["USD", "USD", "EUR"]),
        "ends_after_days": st.sampled_from([None, 0, 7, 31]),
    }
)


def build_changes(project: Project, changes: Sequence[dict[str, Any]]) -> list[NewEvent]:
    events = []
    for index, item in enumerate(changes):
        moment = START + timedelta(minutes=item["minutes"])
        data = {"subscription_id": item["subscription"]}
        if item["kind"] == "cancelled" and item["ends_after_days"] is not None:
            data["ends_at"] = (moment + timedelta(days=item["ends_after_days"])).isoformat()
        elif item["kind"] != "cancelled" and item["amount"] is not None:
            data |= {"amount": item["amount"], "currency": item["currency"]}
        # Each subscription belongs to one person, but a renewal may come without: the first change says whose it is.
        person = {"s1": "a", "s2": "a", "s3": "b", "s4": "c"}[item["subscription"]]
        events.append(
            make_event(
                project,
                f"subscription_{item['kind']}",
                user_id=None if item["kind"] == "renewed" else person,
                event_id=f"{project.slug}-{index}",
                occurred_at=moment,
                event_data=data,
            )
        )
    return events


async def play_changes(url: str, changes: Sequence[dict[str, Any]], zone: str, rates: dict[int, str]) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        known = {("EUR", START.date() + timedelta(days=day)): Decimal(rate) for day, rate in rates.items()}
        async with database.write() as connection:
            await save_rates(connection, project, [Rate(*key, rate) for key, rate in known.items()], NOW)
        events = build_changes(project, changes)
        await record(database, events)
        subscriptions = replay_subscriptions(project, events, known)

        def snapshot(day: date) -> dict[Any, Decimal]:
            """Paying customers and their MRR when a local day begins."""
            customers: dict[Any, Decimal] = {}
            for subscription in subscriptions:
                running, worth = subscription.worth(start_of_day(day, project.zone))
                if running:
                    customers[subscription.customer] = (
                        customers.get(subscription.customer, Decimal(0)) + worth
                    )
            return customers

        for period in (Period.DAILY, Period.MONTHLY):
            span = Span(project, period, bucket_of(FIRST, period), bucket_of(LAST, period), NOW)
            async with database.read() as connection:
                found = await subscription_buckets(connection, span)
            assert list(found) == list(buckets(FIRST, LAST, period))
            for bucket, figures in found.items():
                check(figures, snapshot(bucket), snapshot(next_bucket(bucket, period)))


def check(found: SubscriptionBucket, before: dict[Any, Decimal], after: dict[Any, Decimal]) -> None:
    assert (found.customers_start, found.customers_end) == (len(before), len(after)), found
    assert found.lost == len(before.keys() - after.keys()), found
    assert found.mrr_start == sum(before.values()), found
    assert found.mrr_end == sum(after.values()), found
    gained = found.new + found.reactivation + found.expansion - found.contraction - found.churn + found.fx
    assert found.mrr_end == found.mrr_start + gained, found
    assert all(getattr(found, name) >= 0 for name in MOVEMENTS if name != "fx"), found


def _made(kind: str, subscription: str, minutes: int, **more: Any) -> dict[str, Any]:
    given = {"person": "a", "amount": None, "currency": "USD", "ends_after_days": None}
    return {"kind": kind, "subscription": subscription, "minutes": minutes, **given, **more}


@slow
@example(
    # The first change, which says whose subscription it is, is a cancellation that is withdrawn.
    changes=[
        _made("cancelled", "s1", 0, ends_after_days=7),
        _made("renewed", "s1", 1),
        _made("created", "s1", 2, amount="10"),
        _made("created", "s2", 0, amount="10"),
    ],
    zone="UTC",
    rates={},
)
@given(
    changes=st.lists(change, min_size=1, max_size=30),
    zone=st.sampled_from(ZONES),
    rates=st.dictionaries(st.integers(0, DAYS), st.sampled_from(["1.1", "0.9", "1.25"]), max_size=60),
)
def test_mrr_and_its_movements_equal_a_replay_every_day(
    database_url: str, changes: list[dict[str, Any]], zone: str, rates: dict[int, str]
) -> None:
    in_thread(play_changes(database_url, changes, zone, rates))

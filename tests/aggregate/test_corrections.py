"""Whatever comes when: kept figures equal those made anew from the rollups, and revisions tell every change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.custom_metrics import add_metric
from analytics_api.domain.event import NewEvent
from analytics_api.domain.metrics import METRICS, Metric
from analytics_api.domain.period import bucket_of, local_day
from analytics_api.domain.project import Project
from analytics_api.query.chart_memory import ChartMemory
from analytics_api.query.charts import chart
from analytics_api.query.metrics import json_default, point_answer
from analytics_api.store.custom_metrics import own_metrics
from analytics_api.store.engine import Database
from analytics_api.store.ledger import Rate, Spend, save_rates, save_spend
from analytics_api.store.metrics.answer import Figures, Point
from analytics_api.store.metrics.calculate import calculate
from analytics_api.store.metrics.conversion import paid_later
from analytics_api.store.metrics.figure import Figure, Span
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import LATE_DAYS, record

START = datetime(2026, 2, 20, tzinfo=UTC)
STAGES = [
    timedelta(days=12),
    timedelta(days=47),
    timedelta(days=52),
    timedelta(days=110),
    timedelta(days=111),
]
CAUSES = {
    "late_events", "fx", "spend", "backfill", "merge", "split", "merge of customers", "split of customers",
}  # fmt: skip
OWN: list[dict[str, Any]] = [
    {"name": "own_persons", "measure": {"of": "persons", "events": ["feature_used", "signup_completed"]}},
    {"name": "own_average", "measure": {"of": "average", "property": "event_data.amount"}},
]
CHARTS = {"dau", "mau_rolling", "net_revenue", "new_payers", "wau", "mrr", "own_persons"}
ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]

happening = st.fixed_dictionaries(
    {
        "stage": st.integers(0, len(STAGES) - 1),
        # Share of the time up to its stage: everything is late by something between minutes and months.
        "share": st.floats(0, 1),
        "kind": st.sampled_from(
            [
                "feature_used",
                "feature_used",
                "signup_completed",
                "payment_completed",
                "payment_failed",
                "payment_refunded",
                "subscription_created",
                "subscription_cancelled",
                "subscription_upgraded",
                "$identify",
                "$alias",
                "$unalias",
            ]
        ),
        "person": st.sampled_from(["a", "b", "c"]),
        "by_device": st.booleans(),
        "other": st.sampled_from(["a", "b", "c"]),
        "payment": st.sampled_from(["p1", "p2", "p3"]),
        "amount": st.sampled_from(["5", "10", "30"]),
        "currency": st.sampled_from(["USD", "EUR"]),
    }
)
entry = st.fixed_dictionaries(
    {
        "stage": st.integers(0, len(STAGES) - 1),
        "day": st.integers(-5, 115),
        "rate": st.sampled_from(["1.1", "0.8"]),
    }
)


def build(project: Project, items: Sequence[dict[str, Any]], stage: int) -> list[NewEvent]:
    events = []
    for index, item in enumerate(items):
        if item["stage"] != stage:
            continue
        kind, person, amount = item["kind"], item["person"], item["amount"]
        data = {"payment_id": item["payment"], "amount": amount, "currency": item["currency"]}
        if kind.startswith("subscription"):
            # Without an id it is the person's only one.
            data["subscription_id"] = None if item["by_device"] else f"s-{person}"
        elif kind in ("$alias", "$unalias"):
            data = {"from_user_id": item["other"]}
        by_device = item["by_device"] and not kind.startswith("$")
        events.append(
            make_event(
                project,
                kind,
                user_id=None if by_device else person,
                anonymous_id=f"d-{item['other']}" if by_device or kind == "$identify" else None,
                event_id=f"{project.slug}-{index}",
                occurred_at=START + STAGES[stage] * item["share"],
                event_data=data,
                revenue=amount if kind == "payment_completed" else None,
                currency=item["currency"],
            )
        )
    return events


async def play(
    url: str, items: list[dict[str, Any]], entries: list[dict[str, Any]], zone: str, closings: list[bool]
) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        memory = ChartMemory(most_bytes=200_000)
        for definition in OWN:
            await add_metric(database, project, definition, START)
        for stage, after in enumerate(STAGES):
            now = START + after + timedelta(hours=1)
            await record(database, build(project, items, stage))
            await enter(database, project, [item for item in entries if item["stage"] == stage], now)
            await compare(database, project, now, memory)
            if closings[stage] or stage == len(STAGES) - 1:
                await close_due_days(database, now, late_days=LATE_DAYS)
                await compare(database, project, now, memory)
        assert (
            await database.pool.fetchval("SELECT count(*) FROM dirty_days WHERE project_id = $1", project.id)
            == 0
        )
        await follow_revisions(database, project)


async def enter(database: Database, project: Project, entries: list[dict[str, Any]], now: datetime) -> None:
    days = [(START.date() + timedelta(days=item["day"]), item["rate"]) for item in entries]
    if not days:
        return
    async with database.write() as connection:
        await save_rates(connection, project, [Rate("EUR", day, Decimal(rate)) for day, rate in days], now)
        await save_spend(
            connection,
            project,
            [
                Spend(day, day + timedelta(days=9), "ads", "", Decimal(rate) * 100, "EUR")
                for day, rate in days
            ],
            now,
        )


async def compare(database: Database, project: Project, now: datetime, memory: ChartMemory) -> None:
    """What the API answers, from kept figures and texts where there are any, equals what the rollups say."""
    first, last = START.date() - timedelta(days=5), local_day(now, project.zone)
    async with database.read() as connection:
        figures = await Figures.of(connection, project, now, LATE_DAYS)
        for metric in [*METRICS, *await own_metrics(connection, project.id)]:
            answered = await figures.points(metric, first, last)
            if metric.name in CHARTS:
                text = await chart(figures, metric, first, last, include_bots=False, memory=memory)
                rendered = [point_answer(point, project, include_bots=False) for point in answered]
                assert orjson.loads(text) == orjson.loads(orjson.dumps(rendered, default=json_default))
            span = Span(project, metric.period, *ends(metric, first, last), now)
            made = await calculate(connection, metric, span)
            if metric.name == "signup_to_payment_conversion":
                later = await paid_later(connection, span)
                made = {day: figure.explained(paid_later=later.get(day, 0)) for day, figure in made.items()}
            assert [plain(point.figure) for point in answered] == [
                plain(made[point.bucket]) for point in answered
            ], (
                metric.name,
                [
                    explain(point, made[point.bucket])
                    for point in answered
                    if plain(point.figure) != plain(made[point.bucket])
                ],
            )


def ends(metric: Metric, first: date, last: date) -> tuple[date, date]:
    return bucket_of(first, metric.period), bucket_of(last, metric.period)


def plain(figure: Figure) -> Any:
    details = json.loads(orjson.dumps(figure.details, default=float))
    return figure.value, figure.numerator, figure.denominator, details


def explain(point: Point, made: Figure) -> Any:
    return point.bucket, point.calculated_at, plain(point.figure), plain(made)


async def follow_revisions(database: Database, project: Project) -> None:
    """The revisions of a bucket lead from one value to the next, and the last one to today's."""
    rows = await database.pool.fetch(
        """
        SELECT r.metric_type, r.period, r.metric_date, r.old_value, r.new_value, r.cause, a.value
        FROM metric_revisions r JOIN aggregated_metrics a USING (project_id, metric_type, period, metric_date)
        WHERE r.project_id = $1 ORDER BY r.id
        """,
        project.id,
    )
    latest: dict[Any, Any] = {}
    for row in rows:
        key = row["metric_type"], row["period"], row["metric_date"]
        assert row["old_value"] != row["new_value"]
        assert latest.get(key, row["old_value"]) == row["old_value"]
        assert {cause.split("(")[0] for cause in row["cause"].split(", ")} <= CAUSES
        latest[key] = row["new_value"]
    assert all(latest[row["metric_type"], row["period"], row["metric_date"]] == row["value"] for row in rows)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(happening, min_size=1, max_size=30),
    entries=st.lists(entry, max_size=4),
    zone=st.sampled_from(ZONES),
    closings=st.lists(st.booleans(), min_size=len(STAGES), max_size=len(STAGES)),
)
def test_kept_figures_equal_new_ones_whatever_came_late(
    database_url: str,
    items: list[dict[str, Any]],
    entries: list[dict[str, Any]],
    zone: str,
    closings: list[bool],
) -> None:
    in_thread(play(database_url, items, entries, zone, closings))

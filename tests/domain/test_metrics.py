"""The catalogue of metrics: complete, documented, and right about states and reach."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics_api.domain.metrics import METRICS, METRICS_BY_NAME, State, find_metric, metric_names
from analytics_api.domain.period import Period
from analytics_api.store.metrics.calculate import COMPUTATIONS

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_metric_has_one_computation() -> None:
    assert set(COMPUTATIONS) == set(metric_names())
    assert len(METRICS) == len(METRICS_BY_NAME)


def test_the_page_of_metrics_is_the_catalogue() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `") and line.count("|") == 6]
    assert rows == [
        f"| `{m.name}` | {m.period} | {m.unit} | {'yes' if m.takes_bots else 'no'} | {m.definition} |"
        for m in METRICS
    ]


def test_a_metric_is_found_by_its_name_and_its_own_period() -> None:
    assert find_metric("dau") is find_metric("dau", Period.DAILY) is METRICS_BY_NAME["dau"]
    assert find_metric("dau", Period.MONTHLY) is None
    assert find_metric("moo") is None
    assert metric_names(Period.WEEKLY)[:4] == [
        "wau",
        "weekly_revenue",
        "weekly_new_users",
        "weekly_churn_rate",
    ]


@pytest.mark.parametrize(
    ("metric", "bucket", "late_days", "settling_from", "final_from"),
    [
        ("dau", "2026-03-02", 7, "2026-03-03", "2026-03-10"),
        ("dau", "2026-03-02", 0, None, "2026-03-03"),
        ("wau", "2026-03-02", 7, "2026-03-09", "2026-03-16"),
        ("mau", "2026-02-01", 7, "2026-03-01", "2026-03-08"),
        ("signup_to_payment_conversion", "2026-03-02", 7, "2026-03-03", "2026-04-02"),
        ("signup_to_payment_conversion", "2026-03-02", 45, "2026-03-03", "2026-04-17"),
        ("cac", "2026-02-01", 7, "2026-03-01", "2026-03-31"),
    ],
)
def test_states(metric: str, bucket: str, late_days: int, settling_from: str | None, final_from: str) -> None:
    first, final = date.fromisoformat(bucket), date.fromisoformat(final_from)
    over = date.fromisoformat(settling_from) if settling_from else final
    found = METRICS_BY_NAME[metric]
    day = first
    while day <= final + timedelta(days=40):
        expected = State.OPEN if day < over else State.SETTLING if day < final else State.FINAL
        assert found.state(first, day, late_days) is expected, day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("metric", "day", "reached"),
    [
        ("dau", "2026-03-10", ("2026-03-10", "2026-03-10")),
        ("mau_rolling", "2026-03-02", ("2026-03-02", "2026-03-31")),
        ("wau", "2026-03-08", ("2026-03-02", "2026-03-02")),
        ("churn_rate", "2026-01-01", ("2026-01-01", "2026-02-01")),
        ("mrr", "2026-03-10", ("2026-03-01", None)),
        ("signup_to_payment_conversion", "2026-03-31", ("2026-03-01", None)),
    ],
)
def test_how_far_a_changed_day_reaches(metric: str, day: str, reached: tuple[str, str | None]) -> None:
    first, last = METRICS_BY_NAME[metric].reached(date.fromisoformat(day), 1)
    assert (str(first), None if last is None else str(last)) == reached

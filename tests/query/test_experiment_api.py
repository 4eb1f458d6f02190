"""POST /analysis/experiment: who counts where, and the statistics by hand."""

from __future__ import annotations

from statistics import mean, variance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analytics_api.domain.project import Project
from analytics_api.domain.statistics import Sample, compare_means, compare_shares, sample_ratio
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event
from tests.support.figures import at, record

EXPOSURE = {"event": "experiment_viewed"}


def happened(project: Project, person: str, kind: str, hour: int, day: int = 2, **data: Any) -> Any:
    return make_event(
        project, kind, user_id=person, occurred_at=at(f"2026-03-{day:02}", hour), event_data=data
    )


async def test_who_counts_where(api: Api, database: Database, project: Project) -> None:
    def saw(person: str, variant: str | None, hour: int = 10, day: int = 2) -> Any:
        data = {} if variant is None else {"variant": variant}
        return happened(project, person, "experiment_viewed", hour, day, **data)

    await record(
        database,
        [
            # What came before the exposure does not count, nor what comes when its time is over.
            happened(project, "a1", "buy", 9, amount=100),
            saw("a1", "a"),
            happened(project, "a1", "buy", 10, amount=10),
            happened(project, "a1", "buy", 12, amount="5"),
            happened(project, "a1", "buy", 10, 3, amount=1000),
            saw("a2", "a"),
            saw("a2", "a", 15),
            happened(project, "a2", "buy", 16, amount="much"),
            saw("b1", "b"),
            saw("b2", None, 9),
            saw("b2", "b"),
            saw("both", "a"),
            saw("both", "b", 11),
            happened(project, "both", "buy", 12, amount=7),
            saw("late", "b", 11, 20),
            happened(project, "nobody", "buy", 12, amount=7),
        ],
    )
    asked = {
        "start_date": "2026-03-01",
        "exposure": EXPOSURE,
        "metrics": [
            {"event": "buy", "before_seconds": 86_400},
            {"event": "buy", "measure": "mean", "property": "event_data.amount", "before_seconds": 86_400},
            {"event": "buy", "measure": "mean", "name": "Purchases"},
        ],
    }
    answer = await api.post("/analysis/experiment", asked)
    assert answer["variants"] == [{"variant": "a", "persons": 2}, {"variant": "b", "persons": 3}]
    assert (answer["control"], answer["in_several"]) == ("a", 1)
    share, amount, purchases = answer["metrics"]
    assert [(each["numerator"], each["denominator"]) for each in share["results"]] == [(2, 2), (0, 2)]
    assert [(each["numerator"], each["denominator"]) for each in amount["results"]] == [(15, 2), (0, 2)]
    assert [(each["numerator"], each["denominator"]) for each in purchases["results"]] == [(4, 2), (0, 3)]
    assert [metric["pending"] for metric in answer["metrics"]] == [1, 1, 0]
    assert (share["name"], purchases["name"]) == ("buy", "Purchases")
    assert share["results"][0]["against_control"] is None
    against = share["results"][1]["against_control"]
    assert (against["test"], against["difference"], against["relative"]) == ("z", -1.0, -1.0)
    assert against["p_value"] == pytest.approx(0.0455, abs=1e-4)
    for metric, variant, outcome, expected in [
        (1, "a", "exposed", {"a1", "a2"}),
        (1, "a", "converted", {"a1", "a2"}),
        (2, "a", "converted", {"a1"}),
        (1, "b", "exposed", {"b1", "b2", "late"}),
        (1, "b", "not_converted", {"b1", "b2"}),
    ]:
        cell = {"variant": variant, "metric": metric, "outcome": outcome}
        page = await api.post(
            "/analysis/people", {"of": {"analysis": "experiment", "question": asked, "cell": cell}}
        )
        assert {person["user_id"] for person in page["persons"]} == expected, cell
    other = await api.post("/analysis/experiment", {**asked, "control": "b"})
    assert other["metrics"][0]["results"][0]["against_control"]["relative"] is None


async def test_a_split_that_is_not_what_it_should_be(api: Api, database: Database, project: Project) -> None:
    people = ["a"] * 60 + ["b"] * 20
    await record(
        database,
        [
            happened(project, f"p{n}", "experiment_viewed", 10, variant=variant)
            for n, variant in enumerate(people)
        ],
    )
    asked: dict[str, Any] = {"start_date": "2026-03-01", "exposure": EXPOSURE, "metrics": [{"event": "buy"}]}
    answer = await api.post("/analysis/experiment", asked)
    # (60 - 40)^2 / 40 twice.
    assert answer["sample_ratio"]["chi_square"] == 20
    assert answer["sample_ratio"]["mismatch"] is True
    answer = await api.post("/analysis/experiment", {**asked, "shares": {"a": 3, "b": 1}})
    assert answer["sample_ratio"] == {"chi_square": 0, "p_value": 1, "mismatch": False}


async def test_a_variant_that_nobody_saw(api: Api, database: Database, project: Project) -> None:
    await record(
        database, [happened(project, f"p{n}", "experiment_viewed", 10, variant="a") for n in range(12)]
    )
    asked: dict[str, Any] = {"start_date": "2026-03-01", "exposure": EXPOSURE, "metrics": [{"event": "buy"}]}
    answer = await api.post("/analysis/experiment", asked)
    assert (answer["variants"], answer["control"]) == ([{"variant": "a", "persons": 12}], "a")
    assert answer["sample_ratio"] is None
    [result] = answer["metrics"][0]["results"]
    assert (result["value"], result["denominator"], result["against_control"]) == (0, 12, None)
    # Who says what the shares should be is told that one of them is missing.
    answer = await api.post("/analysis/experiment", {**asked, "shares": {"a": 1, "b": 1}})
    assert answer["sample_ratio"]["chi_square"] == 12
    assert answer["sample_ratio"]["mismatch"] is True


async def test_groups_that_do_not_vary(api: Api, database: Database, project: Project) -> None:
    """A mean of 0.1 three times is off by rounding alone, which is no difference that could be tested."""
    people = ["a"] * 3 + ["b"] * 7
    await record(
        database,
        [
            event
            for n, variant in enumerate(people)
            for event in (
                happened(project, f"p{n}", "experiment_viewed", 10, variant=variant),
                happened(project, f"p{n}", "buy", 11, amount=0.1),
            )
        ],
    )
    metrics = [{"event": "buy"}, {"event": "buy", "measure": "mean", "property": "event_data.amount"}]
    answer = await api.post(
        "/analysis/experiment", {"start_date": "2026-03-01", "exposure": EXPOSURE, "metrics": metrics}
    )
    for metric in answer["metrics"]:
        against = metric["results"][1]["against_control"]
        assert against["difference"] == pytest.approx(0)
        assert (against["statistic"], against["p_value"], against["interval"]) == (None, None, None)


async def test_nobody_saw_anything(api: Api, project: Project) -> None:
    answer = await api.post("/analysis/experiment", {"exposure": EXPOSURE, "metrics": [{"event": "buy"}]})
    assert (answer["variants"], answer["control"], answer["sample_ratio"]) == ([], None, None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"metrics": []}, "metrics"),
        ({"metrics": [{"event": "buy", "property": "event_data.a"}]}, "measure mean"),
        ({"metrics": [{"after_seconds": 5, "before_seconds": 5}]}, "before_seconds"),
        ({"control": "c"}, "nobody saw 'c'"),
        ({"shares": {"a": 1, "c": 1}}, "b should have"),
        ({"shares": {"a": 0, "b": 1}}, "shares"),
        ({"variant": "event_data.card"}, "at most 20"),
    ],
)
async def test_what_cannot_be_asked(
    api: Api, database: Database, project: Project, more: dict[str, Any], words: str
) -> None:
    await record(
        database,
        [
            happened(project, f"p{n}", "experiment_viewed", 10, variant="ab"[n % 2], card=str(n))
            for n in range(21)
        ],
    )
    asked = {"start_date": "2026-03-01", "exposure": EXPOSURE, "metrics": [{"event": "buy"}], **more}
    answer = await api.post("/analysis/experiment", asked, 422)
    assert words in answer["detail"], answer


numbers = st.lists(st.integers(-100, 100), min_size=2, max_size=30)


@given(numbers, numbers)
def test_welch_as_scipy_has_it(one: list[int], other: list[int]) -> None:
    samples = [Sample(len(values), mean(values), variance(values)) for values in (one, other)]
    found = compare_means(*samples)
    assert found is not None
    if not (samples[0].variance and samples[1].variance):
        return
    expected = stats.ttest_ind(one, other, equal_var=False)
    interval = expected.confidence_interval()
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=5), st.data())
def test_the_sample_ratio_as_scipy_has_it(counts: list[int], data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(0.1, 10), min_size=len(counts), max_size=len(counts)))
    found = sample_ratio(counts, shares)
    if not sum(counts):
        assert found is None
        return
    expected = stats.chisquare(counts, [sum(counts) * share / sum(shares) for share in shares])
    assert found == pytest.approx((expected.statistic, expected.pvalue), rel=1e-6, abs=1e-9)


def test_shares_of_nobody_and_of_equals() -> None:
    assert compare_shares(0, 0, 1, 2) is None
    equal = compare_shares(2, 2, 3, 3)
    assert equal is not None
    assert (equal.difference, equal.statistic, equal.p_value) == (0, None, None)

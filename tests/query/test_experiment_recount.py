"""POST /analysis/experiment over random histories: who is in it counted one by one, the statistics by scipy and the standard library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.query.api import Api
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import record

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 8
HOUR = 3600
OWNERS = {"d1": "u1", "d2": "u2"}
"""Whose devices they turn out to be, if an event says so."""

HAPPENING = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["seen", "seen", "seen", "buy", "buy", "$identify"]),
        "who": st.sampled_from(["u1", "u2", "u3", "u4", "u5", "u6", "d1", "d2"]),
        "hours": st.integers(0, 24 * DAYS - 1),
        "variant": st.sampled_from(["a", "a", "b", "b", "c", None]),
        "amount": st.sampled_from([3, 2.5, "4", 0, -1, 0.1, "much", None]),
        "is_bot": st.sampled_from([False, False, False, False, True]),
    }
)
METRIC = st.fixed_dictionaries(
    {
        "measure": st.sampled_from(["conversion", "mean", "amount"]),
        "after": st.sampled_from([0, 1, 24]),
        "before": st.sampled_from([None, 25, 72]),
    }
)
ASKED = st.fixed_dictionaries(
    {
        "first": st.integers(0, 3),
        "last": st.integers(4, DAYS - 1),
        "bots": st.booleans(),
        "metrics": st.lists(METRIC, min_size=1, max_size=3),
    }
)


def number(given: Any) -> float | None:
    return None if given in (None, "much") else float(given)


class Recount:
    """The groups, person by person."""

    def __init__(self, happenings: list[dict[str, Any]], asked: dict[str, Any]) -> None:
        self.as_of = START + timedelta(days=DAYS)
        known = {OWNERS[item["who"]]: item["who"] for item in happenings if said_whose(item)}
        events: dict[str, list[Any]] = defaultdict(list)
        order = sorted(range(len(happenings)), key=lambda place: happenings[place]["hours"])
        for item in (happenings[place] for place in order):
            if item["is_bot"] and not asked["bots"]:
                continue
            owner = OWNERS.get(item["who"])
            events[owner if owner in known else item["who"]].append(item)
        self.behind: dict[str, list[tuple[datetime, list[Any]]]] = defaultdict(list)
        self.several = 0
        for items in events.values():
            seen = [
                place
                for place, item in enumerate(items)
                if item["kind"] == "seen"
                and item["variant"] is not None
                and asked["first"] <= item["hours"] // 24 <= asked["last"]
            ]
            variants = {items[place]["variant"] for place in seen}
            if len(variants) > 1:
                self.several += 1
            elif variants:
                at = START + timedelta(hours=items[seen[0]]["hours"])
                self.behind[variants.pop()].append((at, items[seen[0] + 1 :]))

    def values(self, variant: str, metric: dict[str, Any]) -> Iterator[float]:
        """Of those whose time is over."""
        for at, items in self.behind[variant]:
            if metric["before"] is not None and at + timedelta(hours=metric["before"]) > self.as_of:
                continue
            total, some = 0.0, False
            for item in items:
                since = START + timedelta(hours=item["hours"]) - at
                late = metric["before"] is not None and since >= timedelta(hours=metric["before"])
                if item["kind"] != "buy" or since < timedelta(hours=metric["after"]) or late:
                    continue
                some = True
                total += (number(item["amount"]) or 0) if metric["measure"] == "amount" else 1
            yield float(some) if metric["measure"] == "conversion" else total


def said_whose(item: dict[str, Any]) -> bool:
    return item["kind"] == "$identify" and item["who"] in OWNERS


async def try_it(url: str, happenings: list[dict[str, Any]], asked: dict[str, Any]) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}")
        await record(
            database,
            [
                make_event(
                    project,
                    item["kind"] if item["kind"] != "$identify" or said_whose(item) else "page_view",
                    user_id=OWNERS[item["who"]] if said_whose(item) else None if item["who"] in OWNERS else item["who"],
                    anonymous_id=item["who"] if item["who"] in OWNERS else None,
                    occurred_at=START + timedelta(hours=item["hours"]),
                    event_data={name: item[name] for name in ("variant", "amount") if item[name] is not None},
                    is_bot=item["is_bot"],
                )
                for item in happenings
            ],
        )  # fmt: skip
        api = Api(database)
        api.now = START + timedelta(days=DAYS)
        question = {
            "start_date": str((START + timedelta(days=asked["first"])).date()),
            "end_date": str((START + timedelta(days=asked["last"])).date()),
            "include_bots": asked["bots"],
            "exposure": {"event": "seen"},
            "metrics": [
                {
                    "event": "buy",
                    "measure": "conversion" if metric["measure"] == "conversion" else "mean",
                    **({"property": "event_data.amount"} if metric["measure"] == "amount" else {}),
                    "after_seconds": metric["after"] * HOUR,
                    **({} if metric["before"] is None else {"before_seconds": metric["before"] * HOUR}),
                }
                for metric in asked["metrics"]
            ],
        }
        async with api.client:
            answer = await api.post(f"/analysis/experiment?project={project.slug}", question)
    check(answer, Recount(happenings, asked), asked)


def check(answer: dict[str, Any], expected: Recount, asked: dict[str, Any]) -> None:
    names = sorted(expected.behind)
    assert answer["variants"] == [{"variant": name, "persons": len(expected.behind[name])} for name in names]
    assert answer["in_several"] == expected.several
    assert answer["control"] == (names[0] if names else None)
    if len(names) < 2:
        assert answer["sample_ratio"] is None
    else:
        chi = stats.chisquare([len(expected.behind[name]) for name in names])
        found = answer["sample_ratio"]
        assert (found["chi_square"], found["p_value"]) == pytest.approx((chi.statistic, chi.pvalue))
    for metric, of in zip(answer["metrics"], asked["metrics"], strict=True):
        groups = {name: np.array(list(expected.values(name, of))) for name in names}
        assert metric["pending"] == sum(len(expected.behind[name]) - len(groups[name]) for name in names)
        for result in metric["results"]:
            values = groups[result["variant"]]
            assert result["denominator"] == len(values)
            assert result["numerator"] == pytest.approx(values.sum())
            assert result["value"] == (pytest.approx(values.mean()) if len(values) else None)
            against = result["against_control"]
            if result["variant"] == names[0] or not len(values) or not len(groups[names[0]]):
                assert against is None
            elif of["measure"] == "conversion":
                check_z(against, values, groups[names[0]])
            else:
                check_t(against, values, groups[names[0]])


def check_z(found: dict[str, Any], one: Any, control: Any) -> None:
    table = np.array([[sum(each), len(each) - sum(each)] for each in (one, control)])
    assert found["test"] == "z"
    assert found["difference"] == pytest.approx(one.mean() - control.mean())
    if not table.sum(axis=0).all():
        assert (found["statistic"], found["p_value"]) == (None, None)
    else:
        chi = stats.chi2_contingency(table, correction=False)
        assert found["statistic"] ** 2 == pytest.approx(chi.statistic)
        assert found["p_value"] == pytest.approx(chi.pvalue)
    spreads = [(each.mean() * (1 - each.mean()) / len(each)) ** 0.5 for each in (one, control)]
    if not any(spreads):
        assert found["interval"] is None
        return
    means = float(one.mean() - control.mean()), float(np.hypot(*spreads))
    low, high = (NormalDist(*means).inv_cdf(share) for share in (0.025, 0.975))
    assert found["interval"]["low"] == pytest.approx(max(-1, low))
    assert found["interval"]["high"] == pytest.approx(min(1, high))


def check_t(found: dict[str, Any], one: Any, control: Any) -> None:
    assert found["test"] == "t"
    assert found["difference"] == pytest.approx(one.mean() - control.mean())
    if min(len(one), len(control)) < 2 or (np.ptp(one) < 1e-9 and np.ptp(control) < 1e-9):
        assert (found["statistic"], found["p_value"], found["interval"]) == (None, None, None)
        return
    welch = stats.ttest_ind(one, control, equal_var=False)
    interval = welch.confidence_interval()
    assert found["statistic"] == pytest.approx(welch.statistic)
    assert found["p_value"] == pytest.approx(welch.pvalue)
    assert found["degrees_of_freedom"] == pytest.approx(welch.df)
    assert (found["interval"]["low"], found["interval"]["high"]) == pytest.approx(
        (interval.low, interval.high)
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(HAPPENING, max_size=60), asked=ASKED)
def test_an_experiment_equals_a_recount(
    database_url: str, happenings: list[dict[str, Any]], asked: dict[str, Any]
) -> None:
    in_thread(try_it(database_url, happenings, asked))

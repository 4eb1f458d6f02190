"""Filters as they are given: JSON, query strings, and what is said of a mistake."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from analytics_api.domain.filters import (
    AllOf,
    AnyOf,
    Condition,
    Operator,
    Path,
    asks_person,
    in_words,
    parse_filter_text,
    parse_filters,
)

PLAN = Path("event_data", ("plan",))


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("event_data.plan is pro", ("pro",)),
        ("event_data.plan is pro plan", ("pro plan",)),
        ("event_data.plan is 5", (Decimal(5),)),
        ('event_data.plan is "5"', ("5",)),
        ("event_data.plan is true", (True,)),
        ("event_data.plan is null", ("null",)),
        ('event_data.plan is ["pro", "team"]', ("pro", "team")),
        ("event_data.plan is [broken", ("[broken",)),
        ('{"path": "event_data.plan", "op": "is", "value": "pro"}', ("pro",)),
    ],
)
def test_query_strings(given: str, values: tuple[Any, ...]) -> None:
    assert parse_filter_text([given]) == AllOf((Condition(PLAN, Operator.IS, values),))


def test_groups_and_words() -> None:
    filters = parse_filters(
        [
            {
                "any_of": [
                    {"path": "person.plan", "op": "is", "value": ["pro", "team"]},
                    {"path": "user_id", "op": "not_exists"},
                ]
            },
            {"path": "event_data.cart.total", "op": "between", "value": [10, 20.5]},
        ]
    )
    assert isinstance(filters.parts[0], AnyOf)
    assert in_words(filters) == (
        "(person.plan is pro or team or user_id not exists) and event_data.cart.total between 10 and 20.5"
    )
    assert asks_person(filters)
    assert not asks_person(parse_filter_text(["event_data.plan exists"]))
    assert in_words(parse_filters([])) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("pro", "filters[0]: write an object"),
        ([{"path": "event_dat.plan", "op": "exists"}], "filters[0].path: 'event_dat.plan' leads nowhere; did you mean event_data.plan?"),
        ([{"op": "exists"}], "filters[0].path: use a text"),
        ([{"path": "user_id.x", "op": "exists"}], "filters[0].path: 'user_id.x' leads nowhere; user_id has no parts"),
        ([{"path": "event_data", "op": "exists"}], "filters[0].path: 'event_data' is no path"),
        ([{"path": "event_data.a\0", "op": "exists"}], "filters[0].path: use a text"),
        ([{"path": "event_data.a", "op": "like", "value": "x"}], "filters[0].op: use one of is, is_not"),
        ([{"path": "event_data.a", "op": ["is"], "value": "x"}], "filters[0].op: use one of"),
        ([{"path": "event_data.a", "op": "is"}], "filters[0].value: use texts"),
        ([{"path": "event_data.a", "op": "is", "value": []}], "filters[0].value: give one to 200 values"),
        ([{"path": "event_data.a", "op": "is", "value": {"b": 1}}], "filters[0].value: use texts"),
        ([{"path": "event_data.a", "op": "is", "value": float("nan")}], "filters[0].value: use a number below 1e100"),
        ([{"path": "event_data.a", "op": "is", "value": "\ud800"}], "filters[0].value: use texts"),
        ([{"path": "event_data.a", "op": "exists", "value": 1}], "filters[0].value: leave it out"),
        ([{"path": "event_data.a", "op": "matches", "value": 1}], "filters[0].value: matches compares with texts"),
        ([{"path": "event_data.a", "op": ">", "value": [1, 2]}], "filters[0].value: > compares with one number or text"),
        ([{"path": "event_data.a", "op": ">", "value": True}], "filters[0].value: > compares with a number or a text"),
        ([{"path": "event_data.a", "op": "between", "value": 1}], "filters[0].value: give the two ends"),
        ([{"path": "event_data.a", "op": "between", "value": [1, "2"]}], "filters[0].value: between compares with"),
        ([{"path": "event_data.a", "op": "is", "value": 1, "values": 2}], "filters[0].values: is not known here"),
        ([{"any_of": []}], "filters[0].any_of: give a list of filters"),
        ([{"any_of": [{"path": "x", "op": "exists"}]}], "filters[0].any_of[0].path: 'x' leads nowhere"),
        ([{"any_of": [{"all_of": [{"any_of": [{}]}]}]}], "filters[0].any_of[0].all_of[0].any_of: nest"),
        ([{"path": "event_data.a", "op": "exists"}] * 51, "filters: give at most 50 conditions"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(given: Any, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_filters(given)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize("given", ["[" * 60_000, "{broken", "", "event_data.plan", "event_data.plan is"])
def test_a_query_string_that_cannot_be_read(given: str) -> None:
    with pytest.raises(ValueError, match=r"^filter\[0\]"):
        parse_filter_text([given])

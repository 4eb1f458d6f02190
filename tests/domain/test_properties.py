"""User properties within bounds: whatever events say, what is kept of a person can be stored, read and added to."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain import properties as module
from analytics_api.domain.properties import State, apply_operations, fit_together

KEYS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "$set": st.dictionaries(KEYS, NUMBERS),
        "$set_once": st.dictionaries(KEYS, NUMBERS),
        "$add": st.dictionaries(KEYS, NUMBERS),
        "$append": st.dictionaries(KEYS, NUMBERS),
        "$unset": st.dictionaries(KEYS, st.just(True)),
    },
)


def state_after(*events: dict[str, Any]) -> State:
    state: State = {}, {}
    for at, operations in enumerate(events):
        apply_operations(*state, operations, at)
    return state


@given(st.lists(OPERATIONS, max_size=12))
def test_sums_of_any_numbers_can_be_stored_and_read_back(events: list[dict[str, Any]]) -> None:
    properties, _ = state_after(*events)
    assert orjson.loads(orjson.dumps(properties)) == properties


def test_a_sum_beyond_what_is_exact_is_a_double_and_one_beyond_a_double_is_left_out() -> None:
    assert state_after(*[{"$add": {"n": 2**64 - 1}}] * 2)[0] == {"n": float(2**65)}
    assert state_after(*[{"$add": {"n": 1e308}}] * 3)[0] == {"n": 1e308}


def test_large_values_are_left_out_when_there_is_no_room_and_small_ones_go_on() -> None:
    text = "x" * 60_000
    events = [{"$set": {f"p{n}": text}} for n in range(100)] + [{"$append": {"list": text}}] * 100
    properties, _ = state_after(*events, {"$set": {"small": 1, "p1": "short"}})
    assert len(orjson.dumps(properties)) < module.MOST_CHARACTERS + 1_000
    assert (properties["p0"], properties["p1"], properties["small"]) == (text, "short", 1)
    assert "p99" not in properties
    freed, _ = state_after(*events, {"$unset": {"p0": True}}, {"$set": {"p99": text}})
    assert freed["p99"] == text


def test_names_are_bounded_in_length_and_number_those_that_were_removed_included() -> None:
    events = [{"$set": {f"n{n}": n}, "$unset": {f"n{n - 1}": True}} for n in range(6_000)]
    properties, times = state_after(*events, {"$set": {"k" * 2_000: 1}, "$append": {"k" * 2_000: 1}})
    assert len(times) == module.MOST_TIMES
    assert all(len(name) < 10 for name in properties)
    known, _ = state_after(*events, {"$set": {"n5": "again"}})
    assert known["n5"] == "again"


def test_two_persons_fit_together_unless_something_would_be_left_out() -> None:
    some = state_after({"$set": {"a": "x" * 600_000}})
    assert fit_together(some, state_after({"$set": {"b": 1}}))
    assert not fit_together(some, state_after({"$set": {"b": "x" * 600_000}}))
    many = state_after({"$set": {f"n{n}": n for n in range(1_500)}})
    assert not fit_together(many, many)

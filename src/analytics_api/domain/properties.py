"""User properties: what operations do to the properties of a person (definitions, decision 10).

The newest `occurred_at` wins per key, so that history imported later never overwrites a newer value. `times` holds, per
key, the instant of the last `$set` or `$unset` in microseconds, or `{"once": instant}` when only `$set_once` was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_PROPERTIES = 2_000
"""Per person, as Mixpanel has it; further keys are left out."""

MOST_TIMES = 2 * MOST_PROPERTIES
"""Keys of which it is known when they were last written, those that were removed among them."""

LONGEST_NAME = 1_000

LARGE = 1_000
"""Characters of a value up to which it is kept whatever there is beside it."""

MOST_CHARACTERS = 1_000_000
"""Of a person's properties, with which a large value is left out: each event of the person reads and writes all of them."""

MOST_APPENDED = 1_000

WHOLE_NUMBERS = range(-(2**63), 2**64)
"""Those that are kept exactly; a sum beyond is a double."""

Properties = dict[str, Any]
Times = dict[str, Any]
State = tuple[Properties, Times]


def apply_operations(
    properties: Properties, times: Times, operations: Mapping[str, Mapping[str, Any]], at: int
) -> None:
    """Change properties and times in place by the operations of one event that occurred `at` (microseconds)."""
    for key, value in operations.get("$set_once", {}).items():
        _set_once(properties, times, key, value, at)
    for key, value in operations.get("$set", {}).items():
        if _may_write(times, key, at) and _room(properties, times, key, value):
            properties[key] = value
            times[key] = at
    for key, amount in operations.get("$add", {}).items():
        _add(properties, times, key, amount, at)
    for key, value in operations.get("$append", {}).items():
        _append(properties, times, key, value, at)
    for key in operations.get("$unset", {}):
        if _may_write(times, key, at) and _may_name(times, key):
            properties.pop(key, None)
            times[key] = at


def _may_write(times: Times, key: str, at: int) -> bool:
    last = times.get(key)
    return not isinstance(last, int) or at >= last


def _may_name(times: Times, key: str) -> bool:
    return key in times or (len(times) < MOST_TIMES and len(key) <= LONGEST_NAME)


def _room(properties: Properties, times: Times, key: str, value: Any) -> bool:
    if not _may_name(times, key) or (key not in properties and len(properties) >= MOST_PROPERTIES):
        return False
    size = _size(value)
    if size <= LARGE:
        return True
    return size + sum(_size(held) for name, held in properties.items() if name != key) <= MOST_CHARACTERS


def _size(value: Any) -> int:
    """About as many characters as the value's JSON has."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return 2 + sum(len(name) + 4 + _size(inner) for name, inner in value.items())
    if isinstance(value, list):
        return 2 + sum(1 + _size(inner) for inner in value)
    return 8


def fit_together(one: State, other: State) -> bool:
    """Whether nothing needs to be left out when two persons become one."""
    return (
        len(one[0]) + len(other[0]) <= MOST_PROPERTIES
        and len(one[1]) + len(other[1]) <= MOST_TIMES
        and _size(one[0]) + _size(other[0]) <= MOST_CHARACTERS
    )


def _set_once(properties: Properties, times: Times, key: str, value: Any, at: int) -> None:
    last = times.get(key)
    if isinstance(last, int) or not _room(properties, times, key, value):
        return
    if last is None and key in properties:
        return
    if last is None or at < last["once"]:
        properties[key] = value
        times[key] = {"once": at}


def _add(properties: Properties, times: Times, key: str, amount: float, at: int) -> None:
    current = properties.get(key, 0)
    if isinstance(current, bool) or not isinstance(current, int | float):
        return
    total = current + amount
    if isinstance(total, int) and total not in WHOLE_NUMBERS:
        total = float(total)
    if math.isfinite(total) and _may_write(times, key, at) and _room(properties, times, key, total):
        properties[key] = total


def _append(properties: Properties, times: Times, key: str, value: Any, at: int) -> None:
    current = properties.get(key, [])
    items = current if isinstance(current, list) else [current]
    longer = [*items[:MOST_APPENDED], value]
    if len(items) < MOST_APPENDED and _may_write(times, key, at) and _room(properties, times, key, longer):
        properties[key] = longer


def newest_of(one: State, other: State) -> State:
    """Properties of two persons who are one, without knowing how they came about: the newest of each key.

    Exact where the two have no key in common.
    """
    properties, times = dict(one[0]), dict(one[1])
    for key in other[0].keys() | other[1].keys():
        if (key not in properties and key not in times) or _rank(other[1].get(key)) > _rank(times.get(key)):
            _copy((properties, times), key, other)
    return properties, times


def completed(state: State, known: State) -> State:
    """`state`, with those of the known properties that nothing in it speaks of."""
    for key in known[0].keys() | known[1].keys():
        if key not in state[0] and key not in state[1]:
            _copy(state, key, known)
    return state


def _copy(state: State, key: str, source: State) -> None:
    for target, given in zip(state, source, strict=True):
        target.pop(key, None)
        if key in given:
            target[key] = given[key]


def _rank(time: Any) -> tuple[int, int]:
    """`$set` and `$unset` count most, the newest first; then `$set_once`, the oldest first."""
    if isinstance(time, int):
        return 2, time
    return (1, -time["once"]) if time else (0, 0)

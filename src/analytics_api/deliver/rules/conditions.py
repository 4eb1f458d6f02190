"""Conditions on events, as functions that answer for any event."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from analytics_api.deliver.rules.declared import Condition, Operator
from analytics_api.deliver.rules.draft import Draft
from analytics_api.deliver.rules.paths import Path

Test = Callable[[Draft], bool]
_Values = list[Any]
_Holds = Callable[[Any, _Values], bool]

_NEGATED = {
    Operator.IS_NOT: Operator.IS,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_EXISTS: Operator.EXISTS,
}


def test_of(condition: Condition) -> Test:
    """Whether an event is as the condition says. What an event does not have only a negated operator holds for."""
    path, op = Path.parse(condition.path), condition.op
    negated = op in _NEGATED
    holds = _HOLDS[_NEGATED.get(op, op)]
    wanted: _Values = condition.value if isinstance(condition.value, list) else [condition.value]

    def test(draft: Draft) -> bool:
        found = draft.value(path)
        return (found is not None and holds(found, wanted)) is not negated

    return test


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _is(found: Any, wanted: _Values) -> bool:
    return any(same(found, value) for value in wanted)


def _contains(found: Any, wanted: _Values) -> bool:
    """A text contains a text, a list contains a value."""
    if isinstance(found, str):
        return any(isinstance(value, str) and value in found for value in wanted)
    return isinstance(found, list) and any(_is(item, wanted) for item in found)


def _starts(found: Any, wanted: _Values) -> bool:
    return isinstance(found, str) and found.startswith(tuple(wanted))


def _ends(found: Any, wanted: _Values) -> bool:
    return isinstance(found, str) and found.endswith(tuple(wanted))


def _ordered(compare: Callable[[Any, Any], bool]) -> _Holds:
    """Numbers with numbers, texts with texts (so ISO 8601 times with such times); other values are in no order."""

    def holds(found: Any, wanted: _Values) -> bool:
        (limit,) = wanted
        if isinstance(limit, str):
            return isinstance(found, str) and compare(found, limit)
        return isinstance(found, int | float) and not isinstance(found, bool) and compare(found, limit)

    return holds


_HOLDS: dict[Operator, _Holds] = {
    Operator.IS: _is,
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts,
    Operator.ENDS_WITH: _ends,
    Operator.EXISTS: lambda _found, _wanted: True,
    Operator.GREATER: _ordered(operator.gt),
    Operator.AT_LEAST: _ordered(operator.ge),
    Operator.LESS: _ordered(operator.lt),
    Operator.AT_MOST: _ordered(operator.le),
}

"""Whether a filter holds for an event, worked out in plain Python from the filter's JSON; and strategies for both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

_NUMERAL = re.compile(r" *[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})? *")
_INDEX = re.compile(r"\s*[+-]?[0-9]{1,9}")
_MISSING = object()
_OF_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda found, value: value in found,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "matches": lambda found, value: re.search(value, found) is not None,
}


def meets(filters: Any, event: Mapping[str, Any]) -> bool:
    """`event`: columns by name, JSON columns as values with Decimal numbers, `person` and `first_touch` beside them."""
    if isinstance(filters, list):
        return all(meets(part, event) for part in filters)
    if "all_of" in filters:
        return all(meets(part, event) for part in filters["all_of"])
    if "any_of" in filters:
        return any(meets(part, event) for part in filters["any_of"])
    found = look_up(filters["path"], event)
    wanted = filters.get("value")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    op = filters["op"]
    for negated, plain in (
        ("is_not", "is"),
        ("not_contains", "contains"),
        ("not_matches", "matches"),
        ("not_exists", "exists"),
    ):
        if op == negated:
            return not _holds(plain, found, wanted)
    return _holds(op, found, wanted)


def look_up(path: str, event: Mapping[str, Any]) -> Any:
    """The value at a path; None when it is null or not there."""
    section, *names = path.split(".")
    found = _inside(event[section], names) if names else event[section]
    return None if found is _MISSING else found


def _inside(value: Any, names: list[str]) -> Any:
    if not names:
        return value
    for length in range(len(names), 0, -1):
        key = ".".join(names[:length])
        inner: Any = _MISSING
        if isinstance(value, dict):
            inner = value.get(key, _MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(key) and -len(value) <= int(key) < len(value):
            inner = value[int(key)]
        if inner is not _MISSING:
            found = _inside(inner, names[length:])
            if found is not _MISSING:
                return found
    return _MISSING


def _holds(op: str, found: Any, wanted: list[Any]) -> bool:
    if found is None:
        return False
    if op == "exists":
        return True
    if op == "is":
        return any(_same(found, value) for value in wanted)
    if op == "contains" and isinstance(found, list):
        return any(_same(item, value) for item in found for value in wanted)
    if op in _OF_TEXT:
        return isinstance(found, str) and any(
            _OF_TEXT[op](found, value) for value in wanted if isinstance(value, str)
        )
    limits = list(zip([op] if op != "between" else [">=", "<="], wanted, strict=True))
    return all(_ordered(found, sign, limit) for sign, limit in limits)


def number_of(found: Any) -> Decimal | None:
    """The number that a value is or is written as."""
    if isinstance(found, bool):
        return None
    if isinstance(found, int | Decimal):
        return Decimal(found)
    if isinstance(found, str) and _NUMERAL.fullmatch(found):
        return Decimal(found.strip(" "))
    return None


def _same(found: Any, value: Any) -> bool:
    if isinstance(value, str):
        return _written(found) == value
    if isinstance(value, bool):
        return _written(found) == str(value).lower()
    return number_of(found) == Decimal(str(value))


def _written(found: Any) -> str | None:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, int | Decimal):
        return f"{Decimal(found) + 0:f}" if found == 0 else f"{Decimal(found):f}"
    return found if isinstance(found, str) else None


def _ordered(found: Any, sign: str, limit: Any) -> bool:
    left: Any = number_of(found)
    right: Any = limit if isinstance(limit, str) else Decimal(str(limit))
    if isinstance(limit, str):
        left = found if isinstance(found, str) else None
    if left is None:
        return False
    answers: dict[str, bool] = {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return answers[sign]


# Few keys and values, so that a filter often hits.

_SPECIAL = ["%_", "\\", "[5]", "[]", '{"a": 5}']
_TEXTS = st.sampled_from(
    [
        *["", "a", "pro", "pro plan", "5", "5.0", " 7 ", "1e2", "true", "null", "ä", "A", "0.1", "x.y", "+3"],
        *_SPECIAL,
    ]
)
_NUMBERS = st.sampled_from([0, 1, 5, -3, 100, 7, 2**40, 0.1, 5.0, -2.5, 1e16, 1.5e-7])
_SCALARS = st.none() | st.booleans() | _NUMBERS | _TEXTS
_KEYS = st.sampled_from(["a", "b", "a.b", "b.c", "0", "-1", "c"])
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(_KEYS, VALUES, max_size=4)
_PATHS = st.builds(
    lambda section, names: ".".join([section, *names]),
    st.sampled_from(["event_data", "event_data", "context", "user_properties", "person", "first_touch"]),
    st.lists(st.sampled_from(["a", "b", "c", "0", "-1"]), min_size=1, max_size=3),
) | st.sampled_from(["event_type", "user_id", "anonymous_id", "session_id", "revenue", "currency", "is_bot"])
_ANY = st.booleans() | _NUMBERS | _TEXTS | st.sampled_from(["page_view", "signup", "ada", "EUR", "9.99"])


def _condition(ops: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"path": _PATHS, "op": st.sampled_from(ops), "value": values})


CONDITIONS = st.one_of(
    _condition(["is", "is_not", "contains", "not_contains"], _ANY | st.lists(_ANY, min_size=1, max_size=3)),
    _condition(["starts_with", "ends_with"], _TEXTS | st.lists(_TEXTS, min_size=1, max_size=3)),
    _condition(["matches", "not_matches"], st.sampled_from(["^p", "o$", "[0-9]+", "^(a|pro)$", "", "5[.]0"])),
    _condition([">", ">=", "<", "<="], _NUMBERS | _TEXTS),
    _condition(
        ["between"], st.lists(_NUMBERS, min_size=2, max_size=2) | st.lists(_TEXTS, min_size=2, max_size=2)
    ),
    st.fixed_dictionaries({"path": _PATHS, "op": st.sampled_from(["exists", "not_exists"])}),
)
FILTERS = st.lists(
    CONDITIONS
    | st.builds(
        lambda name, parts: {name: parts},
        st.sampled_from(["any_of", "all_of"]),
        st.lists(CONDITIONS, min_size=1, max_size=3),
    ),
    max_size=3,
)


def exact(value: Any) -> Any:
    """A JSON value with its numbers as they are written."""
    return json.loads(json.dumps(value), parse_float=Decimal)

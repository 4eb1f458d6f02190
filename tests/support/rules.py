"""Rules for tests, and strategies for any of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from analytics_api.deliver.rules import Rules, RuleSet


def rule_set(**declared: Any) -> RuleSet:
    """Rules as JSON declares them."""
    return RuleSet(Rules.model_validate(declared))


PATTERNS = st.lists(
    st.sampled_from(["*", "page_view", "p*", "*a*e", "$*", "api_*", "purchase", "Größe*", "none"]), max_size=3
)
_NAMES = st.sampled_from(
    ["time", "plan", "a", "b", "a.b", "page.url", "os.name", "ip", "token", "$insert_id"]
)
PROPERTIES = st.builds(
    lambda section, name: f"{section}.{name.lstrip('$')}",
    st.sampled_from(["event_data", "user_properties", "context"]),
    _NAMES,
)
_VALUES = st.sampled_from(["a", "", "page", 0, 1, 1.5, -3, True, False, 10**20])
_CONDITIONS = st.builds(
    lambda path, op, value, many: (
        {"path": path, "op": op}
        | (
            {}
            if "exists" in op
            else {"value": [value] if many and op in ("is", "is_not", "contains") else value}
        )
    ),
    PROPERTIES
    | st.sampled_from(["event_type", "user_id", "revenue", "currency", "is_bot", "session_id", "context"]),
    st.sampled_from(
        ["is", "is_not", "contains", "not_contains", "exists", "not_exists", ">", ">=", "<", "<="]
    ),
    _VALUES.filter(lambda value: not isinstance(value, bool)),
    st.booleans(),
)


def _tree(names: list[str]) -> list[str]:
    """Of the paths those that do not lead into each other."""
    kept: list[str] = []
    for name in names:
        if not any(
            f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}.") for other in kept
        ):
            kept.append(name)
    return kept


_PATHS = st.lists(PROPERTIES, max_size=4).map(_tree)


def _renames(olds: list[str], news: list[str]) -> dict[str, str]:
    def theirs(path: str) -> bool:
        return path.startswith("user_properties.")

    return {old: new for old, new in zip(olds, news, strict=False) if theirs(old) is theirs(new)}


MAPPINGS = st.fixed_dictionaries(
    {},
    optional={
        "events": PATTERNS.filter(bool),
        "keep": _PATHS,
        "drop": st.lists(PROPERTIES | st.sampled_from(["context", "user_properties", "revenue"]), max_size=3),
        "rename": st.builds(_renames, _PATHS, _PATHS),
        "set": _PATHS.flatmap(lambda paths: st.fixed_dictionaries(dict.fromkeys(paths, _VALUES))),
        "rename_event": st.sampled_from(["Other", "page_view"]),
    },
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "include": PATTERNS,
        "exclude": PATTERNS,
        "all_of": st.lists(_CONDITIONS, max_size=2),
        "any_of": st.lists(_CONDITIONS, max_size=2),
        "consent": st.fixed_dictionaries(
            {"purposes": st.sampled_from([["analytics"], ["analytics", "ads"]])},
            optional={"not_stated": st.sampled_from(["skip", "send"])},
        ),
        "sample": st.fixed_dictionaries({"percent": st.floats(0.001, 100)}),
        "mapping": st.lists(MAPPINGS, max_size=3),
    },
)
"""Any rules that can be saved."""

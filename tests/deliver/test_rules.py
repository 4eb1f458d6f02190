"""What rules make of an event: examples of each rule, and what holds for any rules and any event."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analytics_api.deliver.rules import NO_RULES, Rules, RuleSet, parse_rules
from analytics_api.deliver.rules.patterns import matcher
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Skipped, SkipReason
from analytics_api.errors import ConfigurationError
from tests.support.rules import MAPPINGS, RULES, rule_set
from tests.support.stored import STORED_EVENTS, stored_event

FILTERED = Skipped(SkipReason.FILTER)
OPERATIONS = {"$set", "$set_once", "$add", "$append", "$unset"}


def passes(event: StoredEvent, **declared: Any) -> bool:
    return isinstance(rule_set(**declared).apply(event), StoredEvent)


def mapped(event: StoredEvent, *mapping: dict[str, Any]) -> StoredEvent:
    found = rule_set(mapping=list(mapping)).apply(event)
    assert isinstance(found, StoredEvent)
    return found


def data(event: StoredEvent) -> Any:
    return json.loads(event.event_data)


# Which event types


@pytest.mark.parametrize(
    ("include", "exclude", "let_through"),
    [
        ([], [], {"page_view", "signup_started", "signup_completed", "$identify"}),
        (["signup_*"], [], {"signup_started", "signup_completed"}),
        (["*_view", "$identify"], [], {"page_view", "$identify"}),
        (["*"], ["signup_*"], {"page_view", "$identify"}),
        ([], ["*_started", "$*"], {"page_view", "signup_completed"}),
        (["*", "api_request"], ["*_*e*"], {"$identify"}),
        (["*", "api_*"], ["signup_*"], {"page_view", "$identify", "api_request"}),
        (["none"], [], set()),
    ],
)
def test_event_types(include: list[str], exclude: list[str], let_through: set[str]) -> None:
    types = ("page_view", "signup_started", "signup_completed", "$identify", "api_request")
    rules = rule_set(include=include, exclude=exclude)
    verdicts = {name: rules.apply(stored_event(name)) for name in types}
    assert {name for name, found in verdicts.items() if found != FILTERED} == let_through


@given(st.text("ab*", max_size=8), st.text("abc", max_size=12))
def test_a_star_stands_for_any_characters(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert matcher([pattern])(text) is bool(re.fullmatch(expression, text, re.DOTALL))


# Conditions

EVENT = stored_event(
    "purchase",
    user_id="ada",
    event_data={
        "plan": "pro",
        "n": 5,
        "yes": True,
        "tags": ["a", 1],
        "none": None,
        "cart": {"total": 9.5},
        "a.b": {"c": 1},
        "at": "2026-03-10",
    },
    user_properties={
        "$set": {"tier": "gold"},
        "$set_once": {"tier": "tin", "first": "x"},
        "$unset": {"old": True},
    },
    context={"page": {"url": "https://example.org/a"}, "country": "DE"},
    revenue="9.99",
)


@pytest.mark.parametrize(
    ("path", "op", "value", "holds"),
    [
        ("event_data.plan", "is", "pro", True),
        ("event_data.plan", "is", ["free", "pro"], True),
        ("event_data.plan", "is", "Pro", False),
        ("event_data.plan", "is_not", ["free", "pro"], False),
        ("event_data.nothing", "is_not", "pro", True),
        ("event_data.nothing", "is", "pro", False),
        ("event_data.n", "is", 5.0, True),
        ("event_data.n", "is", "5", False),
        ("event_data.yes", "is", True, True),
        ("event_data.yes", "is", 1, False),
        ("event_data.n", "is", True, False),
        ("event_data.plan", "contains", "r", True),
        ("event_data.plan", "contains", ["x", "o"], True),
        ("event_data.tags", "contains", "a", True),
        ("event_data.tags", "contains", "A", False),
        ("event_data.tags", "contains", 1, True),
        ("event_data.n", "contains", 5, False),
        ("event_data.tags", "not_contains", "z", True),
        ("event_data.nothing", "not_contains", "z", True),
        ("event_data.plan", "starts_with", "p", True),
        ("event_data.plan", "ends_with", ["x", "ro"], True),
        ("event_data.n", "starts_with", "5", False),
        ("event_data.plan", "exists", None, True),
        ("event_data.none", "exists", None, False),
        ("event_data.none", "not_exists", None, True),
        ("event_data.cart", "exists", None, True),
        ("event_data.n", ">", 4, True),
        ("event_data.n", ">", 5, False),
        ("event_data.n", ">=", 5, True),
        ("event_data.n", "<", 5.1, True),
        ("event_data.n", "<=", 4, False),
        ("event_data.n", ">", "4", False),
        ("event_data.yes", ">", 0, False),
        ("event_data.nothing", "<", 5, False),
        ("event_data.at", ">=", "2026-03-01", True),
        ("event_data.at", "<", "2026-03-01", False),
        ("event_data.cart.total", "is", 9.5, True),
        ("event_data.plan.total", "exists", None, False),
        ("event_data.a.b.c", "is", 1, True),
        ("user_properties.tier", "is", "gold", True),
        ("user_properties.first", "is", "x", True),
        ("user_properties.old", "exists", None, False),
        ("context.page.url", "contains", "example.org", True),
        ("context.country", "is", ["DE", "AT"], True),
        ("event_type", "is", "purchase", True),
        ("user_id", "starts_with", "a", True),
        ("anonymous_id", "exists", None, False),
        ("revenue", ">=", 9.99, True),
        ("revenue", "is", 9.99, True),
        ("currency", "is", "EUR", True),
        ("is_bot", "is", False, True),
        ("context", "exists", None, True),
    ],
)
def test_conditions(path: str, op: str, value: Any, holds: bool) -> None:
    condition = {"path": path, "op": op} | ({} if value is None else {"value": value})
    assert passes(EVENT, all_of=[condition]) is holds
    assert passes(EVENT, any_of=[condition]) is holds


def test_all_of_and_any_of_together() -> None:
    pro = {"path": "event_data.plan", "op": "is", "value": "pro"}
    german = {"path": "context.country", "op": "is", "value": "DE"}
    french = {"path": "context.country", "op": "is", "value": "FR"}
    assert passes(EVENT, all_of=[pro], any_of=[german, french])
    assert not passes(EVENT, all_of=[pro, french])
    assert not passes(EVENT, any_of=[french])
    assert not passes(EVENT, all_of=[french], any_of=[german])


# Consent


@pytest.mark.parametrize(
    ("consent", "not_stated_skips", "not_stated_sends"),
    [
        ({"analytics": True, "ads": True}, True, True),
        ({"analytics": True, "ads": False}, False, False),
        ({"analytics": True}, False, True),
        ({"analytics": True, "ads": None}, False, True),
        ({"analytics": True, "ads": "granted"}, True, True),
        ({"analytics": True, "ads": "denied"}, False, False),
        ({"analytics": True, "ads": 1}, False, False),
        ({"categoryPreferences": {"analytics": True, "ads": True}}, True, True),
        ({"categoryPreferences": {"analytics": True, "ads": False}, "ads": True}, False, False),
        ({"categoryPreferences": {}}, False, True),
        ({}, False, True),
        ("yes", False, True),
        (None, False, True),
    ],
)
def test_consent(consent: Any, not_stated_skips: bool, not_stated_sends: bool) -> None:
    event = stored_event(context={} if consent is None else {"consent": consent})
    for not_stated, sent in (("skip", not_stated_skips), ("send", not_stated_sends)):
        gate = {"purposes": ["analytics", "ads"], "not_stated": not_stated}
        found = rule_set(consent=gate).apply(event)
        assert found == (event if sent else Skipped(SkipReason.CONSENT))


def test_without_a_word_on_it_no_consent_is_taken_for_granted() -> None:
    assert rule_set(consent={"purposes": ["ads"]}).apply(stored_event()) == Skipped(SkipReason.CONSENT)


# Sampling


@given(st.uuids(), st.floats(0.001, 100), st.floats(0.001, 100), st.text("äb ", max_size=5))
def test_a_person_is_wholly_in_or_out_and_stays_in_when_there_are_more(
    person: UUID, one: float, other: float, seed: str
) -> None:
    events = [
        replace(stored_event(name, event_data={"n": n}), person_id=person)
        for n, name in enumerate(("page_view", "$identify", "purchase"))
    ]
    few, many = sorted((one, other))

    def verdicts(percent: float) -> set[bool]:
        seeded = {"percent": percent, "seed": seed}
        return {passes(event, sample=seeded) for event in events}

    assert verdicts(few) in ({True}, {False})
    assert verdicts(few) == {False} or verdicts(many) == {True}
    assert verdicts(100) == {True}


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
@pytest.mark.parametrize("seed", ["", "b"])
def test_the_share_is_as_declared(percent: float, seed: str) -> None:
    """Within five standard deviations of a binomial distribution: one false alarm in two million runs."""
    rules = rule_set(sample={"percent": percent, "seed": seed})
    event, number = stored_event(), 20_000
    found = sum(
        rules.apply(replace(event, person_id=uuid4())) != Skipped(SkipReason.SAMPLED) for _ in range(number)
    )
    share = percent / 100
    assert abs(found - number * share) < 5 * math.sqrt(number * share * (1 - share))


def test_another_seed_chooses_others() -> None:
    events = [stored_event(user_id=f"user {n}") for n in range(400)]
    chosen = [
        {event.person_id for event in events if passes(event, sample={"percent": 50, "seed": seed})}
        for seed in ("a", "b")
    ]
    assert 50 < len(chosen[0] & chosen[1]) < 150


def test_the_first_reason_counts() -> None:
    declared: dict[str, Any] = {
        "exclude": ["purchase"],
        "consent": {"purposes": ["ads"]},
        "sample": {"percent": 1e-9},
    }
    consenting = stored_event(context={"consent": {"ads": True}})
    rules = rule_set(**declared)
    assert rules.apply(stored_event("purchase")) == FILTERED
    assert rules.apply(stored_event()) == Skipped(SkipReason.CONSENT)
    assert rules.apply(consenting) == Skipped(SkipReason.SAMPLED)


# Mapping


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"keep": ["event_data.a", "event_data.c.d"]}, {"a": 1, "c": {"d": 3}}),
        ({"keep": ["context.x"]}, {"a": 1, "b": None, "c": {"d": 3, "e": 4}, "f.g": 5}),
        (
            {"drop": ["event_data.c.d", "event_data.nothing", "event_data.f.g"]},
            {"a": 1, "b": None, "c": {"e": 4}},
        ),
        ({"drop": ["event_data"]}, {}),
        (
            {"rename": {"event_data.a": "event_data.b", "event_data.b": "event_data.a"}},
            {"a": None, "b": 1, "c": {"d": 3, "e": 4}, "f.g": 5},
        ),
        (
            {"drop": ["event_data.c"], "rename": {"event_data.f.g": "event_data.new.deep.g"}},
            {"a": 1, "b": None, "new": {"deep": {"g": 5}}},
        ),
        (
            {"rename": {"context.page.url": "event_data.url"}, "drop": ["event_data.c", "event_data.f.g"]},
            {"a": 1, "b": None, "url": "u"},
        ),
        (
            {"drop": ["event_data"], "set": {"event_data.a": [1], "event_data.c.d": {"x": None}}},
            {"a": [1], "c": {"d": {"x": None}}},
        ),
        ({"keep": ["event_data.a"], "set": {"event_data.a.b": 2}}, {"a": {"b": 2}}),
        ({"events": ["other"], "drop": ["event_data"]}, {"a": 1, "b": None, "c": {"d": 3, "e": 4}, "f.g": 5}),
    ],
)
def test_event_data(mapping: dict[str, Any], expected: dict[str, Any]) -> None:
    event = stored_event(
        event_data={"a": 1, "b": None, "c": {"d": 3, "e": 4}, "f.g": 5}, context={"page": {"url": "u"}}
    )
    assert data(mapped(event, mapping)) == expected


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"keep": ["user_properties.a"]}, {"$set": {"a": 1}, "$unset": {"a": True}}),
        ({"drop": ["user_properties.a"]}, {"$set": {"b": {"x": 2, "y": 3}}, "$add": {"n": 1}}),
        ({"drop": ["user_properties"]}, None),
        (
            {"rename": {"user_properties.a": "user_properties.z"}},
            {"$set": {"z": 1, "b": {"x": 2, "y": 3}}, "$unset": {"z": True}, "$add": {"n": 1}},
        ),
        (
            {"set": {"user_properties.a": 9}, "drop": ["user_properties.b.x"]},
            {"$set": {"a": 9, "b": {"y": 3}}, "$add": {"n": 1}},
        ),
    ],
)
def test_user_properties(mapping: dict[str, Any], expected: Any) -> None:
    operations = {"$set": {"a": 1, "b": {"x": 2, "y": 3}}, "$unset": {"a": True}, "$add": {"n": 1}}
    found = mapped(stored_event(user_properties=operations), mapping).user_properties
    assert (None if found is None else json.loads(found)) == expected


def test_event_types_are_renamed_but_those_that_join_ids() -> None:
    renamed = {"events": ["signup_*", "$*"], "rename_event": "Signed Up"}
    assert mapped(stored_event("signup_completed"), renamed).event_type == "Signed Up"
    assert mapped(stored_event("page_view"), renamed).event_type == "page_view"
    assert mapped(stored_event("$identify"), renamed).event_type == "$identify"


def test_mappings_follow_each_other_and_choose_by_the_stored_event_type() -> None:
    first = {"rename_event": "Other", "rename": {"event_data.a": "event_data.b"}}
    second = {
        "events": ["page_view"],
        "rename": {"event_data.b": "event_data.c"},
        "set": {"event_data.n": {"x": 1}},
    }
    third = {"events": ["Other"], "drop": ["event_data"]}
    last = {"drop": ["event_data.n.x"]}
    rules = rule_set(mapping=[first, second, third, last])
    for _ in range(2):
        found = rules.apply(stored_event(event_data={"a": 1}))
        assert isinstance(found, StoredEvent)
        # A value that a rule sets is another object for each event.
        assert (found.event_type, data(found)) == ("Other", {"c": 1, "n": {}})


def test_revenue_can_be_withheld() -> None:
    found = mapped(stored_event(revenue="5"), {"drop": ["revenue"]})
    assert (found.revenue, found.currency) == (None, None)


# Whatever the rules, whatever the event


@given(STORED_EVENTS, RULES)
def test_what_becomes_of_an_event_depends_on_the_event_alone(
    event: StoredEvent, declared: dict[str, Any]
) -> None:
    rules = rule_set(**declared)
    found = rules.apply(event)
    rules.apply(stored_event("purchase", event_data={"a": {"b": 1}}))
    assert rules.apply(event) == found
    assert rule_set(**declared).apply(event) == found


@given(STORED_EVENTS, st.lists(MAPPINGS, max_size=3))
def test_ids_person_and_times_are_the_stored_ones(event: StoredEvent, mapping: list[dict[str, Any]]) -> None:
    """And what JSON the event has stays an object of the form that providers read."""
    found = mapped(event, *mapping) if event.event_type != "api_request" else event
    changeable = ("event_type", "event_data", "user_properties", "context", "revenue", "currency")
    assert replace(found, **{name: getattr(event, name) for name in changeable}) == event
    assert isinstance(data(found), dict)
    assert isinstance(json.loads(found.context), dict)
    operations = json.loads(found.user_properties) if found.user_properties else {}
    assert operations.keys() <= OPERATIONS
    assert all(isinstance(given, dict) for given in operations.values())


@given(STORED_EVENTS)
def test_without_rules_an_event_is_as_it_is_and_requests_to_this_api_stay_here(event: StoredEvent) -> None:
    assert NO_RULES.apply(event) == (FILTERED if event.event_type == "api_request" else event)


@given(RULES)
def test_stored_and_read_again_they_are_the_same(declared: dict[str, Any]) -> None:
    rules = Rules.model_validate(declared)
    assert parse_rules(rules.text(), "rules") == rules


# What cannot be saved


@pytest.mark.parametrize(
    ("declared", "field", "words"),
    [
        ({"inclde": []}, "inclde", "Extra inputs"),
        ({"include": "page_view"}, "include", "list"),
        ({"include": [""]}, "include.0", "at least 1"),
        ({"include": ["*" * 11]}, "include.0", "at most 10 *"),
        ({"include": ["a\n"]}, "include.0", "printable"),
        (
            {"all_of": [{"path": "eventdata.plan", "op": "exists"}]},
            "all_of.0.path",
            "did you mean event_data.plan",
        ),
        ({"all_of": [{"path": "revenue.x", "op": "exists"}]}, "all_of.0.path", "revenue has no parts"),
        ({"all_of": [{"path": "event_data..x", "op": "exists"}]}, "all_of.0.path", "with a dot between"),
        (
            {"all_of": [{"path": "user_properties.$set.x", "op": "exists"}]},
            "all_of.0.path",
            "user_properties.x",
        ),
        ({"all_of": [{"path": "context.x", "op": "equals"}]}, "all_of.0.op", "'is'"),
        ({"all_of": [{"path": "context.x", "op": "is"}]}, "all_of.0", "not_exists"),
        ({"all_of": [{"path": "context.x", "op": "is", "value": []}]}, "all_of.0", "one to 200"),
        ({"all_of": [{"path": "context.x", "op": "is", "value": {"a": 1}}]}, "all_of.0", "value: use texts"),
        ({"all_of": [{"path": "context.x", "op": ">", "value": [1]}]}, "all_of.0", "value: > compares"),
        ({"all_of": [{"path": "context.x", "op": "<=", "value": True}]}, "all_of.0", "value: <= compares"),
        ({"all_of": [{"path": "context.x", "op": "starts_with", "value": 1}]}, "all_of.0", "with texts"),
        ({"all_of": [{"path": "context.x", "op": "exists", "value": 1}]}, "all_of.0", "leave value out"),
        ({"consent": {}}, "consent.purposes", "required"),
        ({"consent": {"purposes": []}}, "consent.purposes", "at least 1"),
        ({"consent": {"purposes": ["a"], "not_stated": "maybe"}}, "consent.not_stated", "'skip' or 'send'"),
        ({"sample": {"percent": 0}}, "sample.percent", "greater than 0"),
        ({"sample": {"percent": 101}}, "sample.percent", "less than or equal to 100"),
        ({"mapping": [{"rename_event": "$identify"}]}, "mapping.0.rename_event", "does not begin with $"),
        ({"mapping": [{"rename_event": "api_request"}]}, "mapping.0.rename_event", "not api_request"),
        ({"mapping": [{"drop": ["user_id"]}]}, "mapping.0.drop.0", "cannot be changed"),
        ({"mapping": [{"set": {"revenue": 1}}]}, "mapping.0.set.revenue.[key]", "cannot be changed"),
        ({"mapping": [{"keep": ["context"]}]}, "mapping.0.keep.0", "cannot be changed"),
        (
            {"mapping": [{"keep": ["context.a", "context.a.b"]}]},
            "mapping.0",
            "keep: context.a and context.a.b",
        ),
        (
            {"mapping": [{"rename": {"context.a": "context.c", "context.b": "context.c"}}]},
            "mapping.0",
            "rename: context.c and context.c",
        ),
        (
            {"mapping": [{"rename": {"event_data.a": "user_properties.a"}}]},
            "mapping.0",
            "user properties stay among themselves",
        ),
        ({"mapping": [{"set": {"context.a": "\0"}}]}, "", "NUL"),
        ({"mapping": [{"set": {"context.a": float("nan")}}]}, "", "NaN"),
        ({"mapping": [{"set": {"context.a": "\ud800"}}]}, "", "surrogates"),
        ({"mapping": [{"set": {"context.a": "x" * 70_000}}]}, "", "use up to 65536"),
        ([], "", "valid dictionary"),
    ],
)
def test_mistakes_name_the_field_and_the_fix(declared: Any, field: str, words: str) -> None:
    with pytest.raises(ValidationError) as found:
        Rules.model_validate(declared)
    first = found.value.errors()[0]
    assert ".".join(map(str, first["loc"])) == field
    assert words in first["msg"] or (words == "required" and first["type"] == "missing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "F is not JSON"),
        ('{"include": [1]}', "F: include.0: input should be a valid string."),
        ("[]", "F: input should be"),
    ],
)
def test_a_file_with_a_mistake(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        parse_rules(text, "F")
    assert found.value.detail.startswith(words)


def test_rule_sets_hold_what_was_declared() -> None:
    assert RuleSet(Rules(include=["a"])).declared.text() == '{"include":["a"]}'

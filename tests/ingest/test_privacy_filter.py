"""A project's policy at work on single events: modes, its own fields, exceptions, visitor ids. No database is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.event import NewEvent
from analytics_api.domain.personal_data import Mode, Rule
from analytics_api.domain.privacy import PrivacyPolicy, default_modes
from analytics_api.domain.project import Project
from analytics_api.domain.times import PUBLIC_REACH
from analytics_api.ingest.draft import Draft, Reception
from analytics_api.ingest.pipeline import draft_event, run_steps
from analytics_api.ingest.privacy.filter import PersonalDataFilter

NAMESPACE = UUID("6d1b6c7e-8f0a-4b52-9a55-0d3f5f7f2c11")
PROJECT = Project(1, "default", "Default", NAMESPACE, ZoneInfo("UTC"), "EUR", 1)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PUBLIC = Reception(PROJECT, False, NOW, timedelta(), PUBLIC_REACH, keep_pii=False)


def take(event: dict[str, Any], reception: Reception = PUBLIC) -> tuple[NewEvent, Draft]:
    draft = draft_event(json.dumps({"event_type": "note", **event}).encode(), 0, 65_536)
    return run_steps(draft, reception), draft


def under(policy: PrivacyPolicy, key: bytes = b"k" * 32) -> Reception:
    return replace(PUBLIC, pii=PersonalDataFilter(policy, key))


def modes(**chosen: Mode) -> dict[Rule, Mode]:
    return default_modes() | {Rule(name): mode for name, mode in chosen.items()}


def test_values_are_masked_wherever_they_are_and_counted_by_rule_and_field() -> None:
    event, draft = take(
        {
            "event_data": {
                "notes": ["call +49 30 1234567", {"text": "ada@example.com"}],
                "ada@example.com": 1,
            },
            "context": {"page": {"url": "https://a.example/?token=abc&page=2"}},
            "user_properties": {"$set": {"pay": 4111111111111111}},
        }
    )
    assert json.loads(event.event_data) == {"notes": ["call [phone]", {"text": "[email]"}], "[email]": 1}
    assert json.loads(event.context)["page"]["url"] == "https://a.example/?token=[url_secret]&page=2"
    assert json.loads(event.user_properties or "") == {"$set": {"pay": "[card]"}}
    assert sorted((one.rule, one.path) for one in draft.removed) == [
        (Rule.CARD, "user_properties.$set.pay"),
        (Rule.EMAIL, "event_data"),
        (Rule.EMAIL, "event_data.notes.text"),
        (Rule.PHONE, "event_data.notes"),
        (Rule.URL_SECRET, "context.page.url"),
    ]
    said = [warning.text for warning in draft.warnings]
    assert "event_data.notes held personal data (phone), replaced" in said
    assert "1234567" not in "".join(said)


def test_modes_are_chosen_rule_by_rule() -> None:
    policy = PrivacyPolicy(modes=modes(email=Mode.HASH, phone=Mode.DROP, card=Mode.KEEP, field=Mode.MASK))
    data = {"a": "x Ada@Example.com", "b": "ada@example.com", "c": "+49301234567", "d": "4111111111111111"}
    made = json.loads(take({"event_data": data | {"Full-Name": "Ada"}}, under(policy))[0].event_data)
    assert made["a"] == "x " + made["b"], "the same address, the same hash"
    assert made["b"].startswith("[email:")
    assert {"c" in made, made["d"], made["Full-Name"]} == {False, "4111111111111111", "[field]"}
    other = json.loads(take({"event_data": data}, under(policy, b"j" * 32))[0].event_data)
    assert other["b"] != made["b"], "another project's key"


def test_a_project_adds_fields_and_excepts_others() -> None:
    policy = PrivacyPolicy(
        fields=("customer number",), kept_paths=("event_data.plan.name", "event_data.mail")
    )
    data = {"customerNumber": 7, "plan": {"name": "Pro"}, "name": "Ada", "mail": "ada@example.com"}
    event, _ = take({"event_data": data}, under(policy))
    assert json.loads(event.event_data) == {"plan": {"name": "Pro"}, "mail": "ada@example.com"}


def test_ids_that_join_others_are_no_data() -> None:
    event, _ = take({"event_type": "$alias", "user_id": "u1", "event_data": {"alias": "ada@example.com"}})
    assert json.loads(event.event_data) == {"alias": "ada@example.com"}


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(
    st.recursive(
        TEXT | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["ada@example.com", "DE89370400440532013000", "4111 1111 1111 1111", "+44 20 7946 0958"]),
)
def test_nothing_planted_survives_at_any_depth(noise: Any, planted: str) -> None:
    event, _ = take(
        {"event_data": {"noise": noise, "deep": [{"x": [planted, {planted: noise}]}], "E-Mail": planted}}
    )
    assert planted not in event.event_data
    assert planted not in event.context


def test_visitors_without_ids_get_one_that_changes_with_the_salt() -> None:
    def visitor(salt: bytes | None, ip: str = "192.0.2.7", **event: Any) -> str | None:
        reception = replace(PUBLIC, visitor_salt=salt, ip=ip, user_agent="Mozilla/5.0")
        return take(event, reception)[0].anonymous_id

    today, tomorrow = b"a" * 32, b"b" * 32
    assert visitor(None) is None
    assert visitor(today) == visitor(today) != visitor(tomorrow)
    assert visitor(today) != visitor(today, ip="192.0.2.8")
    assert visitor(today, anonymous_id="mine") == "mine"
    assert visitor(today, user_id="ada") is None
    assert "192.0.2.7" not in (visitor(today) or "")
    server = replace(PUBLIC, trusted=True, visitor_salt=today, ip="192.0.2.7")
    assert take({}, server)[0].anonymous_id is None, "a server's own address is nobody's"

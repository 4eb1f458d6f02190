"""What every provider must do, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.deliver.dispatch import Dispatch
from analytics_api.deliver.parcel import Parcel, RequestSize
from analytics_api.deliver.providers.port import Payload
from analytics_api.deliver.rendering import render
from analytics_api.deliver.rules import NO_RULES
from analytics_api.domain.clock import system_clock
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import (
    Dead,
    Delivered,
    Outcome,
    Paused,
    Retry,
    Skipped,
    SkipReason,
    TooLarge,
    Unknown,
)
from analytics_api.outbound import http
from analytics_api.outbound.connections import Client
from tests.providers_contract.conftest import Case
from tests.support.providers import Fault, StandIn
from tests.support.rules import RULES, rule_set
from tests.support.stored import STORED_EVENTS, stored_event

RICH = {
    "event_data": {"plan": "pro", "items": [{"sku": "a", "n": 1}], "ratio": 0.5, "none": None},
    "user_properties": {"$set": {"plan": "pro"}, "$add": {"logins": 1}, "$unset": {"trial": True}},
    "context": {"page": {"url": "https://example.org/a", "path": "/a"}},
}


def payloads_of(case: Case, *events: StoredEvent) -> list[Payload]:
    """The payloads of events that the provider must not turn down."""
    found: list[Payload] = []
    for event in events:
        rendered = case.provider.render(event)
        assert isinstance(rendered, list), rendered
        found += rendered
    return found


async def send(case: Case, client: Client, payloads: list[Payload]) -> list[Outcome]:
    """Send payloads, one request for each endpoint in turn."""
    outcomes: list[Outcome] = []
    for _, group in groupby(payloads, key=lambda payload: payload.endpoint):
        outcomes += await case.provider.send(client, list(group))
    return outcomes


def stand_in_of(case: Case) -> StandIn:
    assert case.stand_in is not None
    return case.stand_in


async def test_a_second_rendering_gives_the_same_bytes(case: Case) -> None:
    event = stored_event(**RICH)  # type: ignore[arg-type]
    assert payloads_of(case, event) == payloads_of(case, event)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=STORED_EVENTS, rules=st.just({}) | RULES)
async def test_whatever_the_log_holds_is_taken_or_turned_down_with_a_reason(
    case: Case, client: Client, event: StoredEvent, rules: dict[str, Any]
) -> None:
    """By any rules."""
    rendered = render(case.provider, rule_set(**rules), event).outcome
    if isinstance(rendered, Dead):
        assert rendered.words
        return
    if isinstance(rendered, Skipped):
        return
    assert rendered
    for payload in rendered:
        json.loads(payload.body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    outcomes = await send(case, client, rendered)
    assert outcomes == [Delivered()] * len(rendered)
    assert case.dropped() == 0


async def test_what_arrives_twice_is_there_once_or_must_not_be_sent_twice(
    remote: Case, client: Client
) -> None:
    payloads = payloads_of(remote, *(stored_event(event_data={"n": n}) for n in range(5)))
    assert await send(remote, client, payloads) == [Delivered()] * 5
    assert await send(remote, client, payloads) == [Delivered()] * 5
    if remote.provider.dedupes_for == timedelta(0):
        assert all(payload.once for payload in payloads)
        assert len(remote.stored()) == 10
    else:
        assert len(remote.stored()) == 5


async def test_events_arrive_in_their_order(remote: Case, client: Client) -> None:
    payloads = payloads_of(remote, *(stored_event(event_data={"n": n}) for n in range(20)))
    await send(remote, client, payloads)
    assert [remote.number(record) for record in remote.stored()] == list(range(20))


async def test_user_properties_arrive(remote: Case, client: Client) -> None:
    assert remote.profile is not None
    event = stored_event(user_properties={"$set": {"plan": "Pró", "seats": 3}})
    await send(remote, client, payloads_of(remote, event))
    assert {"plan": "Pró", "seats": 3}.items() <= remote.profile().items()


async def test_letters_of_all_languages_arrive(remote: Case, client: Client) -> None:
    event = stored_event(event_data={"n": 'größer 購入 🎉 \u2028 "quoted"'})
    await send(remote, client, payloads_of(remote, event))
    assert [remote.number(record) for record in remote.stored()] == ['größer 購入 🎉 \u2028 "quoted"']


@pytest.mark.parametrize("kept", [False, True])
async def test_no_address_is_made_up_and_none_is_withheld_that_was_kept(case: Case, kept: bool) -> None:
    context = {"ip": "192.0.2.77", "user_agent": "agent/1.0"} if kept else {"country": "DE"}
    (payload,) = payloads_of(case, stored_event(context=context))
    sent = payload.body.decode() + payload.endpoint
    assert ("192.0.2.77" in sent) is kept
    assert "127.0.0.1" not in sent
    assert "$remote" not in sent


async def test_nothing_is_added_about_a_person(case: Case) -> None:
    """Rendering may leave out and rename; every text in a payload comes from the event or is one of a few marks."""
    payloads = payloads_of(case, stored_event(event_data={"n": 1}, user_properties={"$set": {"plan": "pro"}}))
    sent = "".join(payload.body.decode() + payload.endpoint for payload in payloads)
    for word in ("@", "e-mail", "email", "phone", "hostname", 'user_agent":"'):
        assert word not in sent


async def test_an_event_that_is_too_large_for_one_request_is_turned_down_or_taken(
    remote: Case, client: Client
) -> None:
    event = stored_event(event_data={f"field_{n}": "x" * 1000 for n in range(1200)})
    rendered = remote.provider.render(event)
    if isinstance(rendered, list):
        assert await send(remote, client, rendered) == [Delivered()] * len(rendered)
        assert remote.dropped() == 0
    else:
        assert isinstance(rendered, Dead)
        assert rendered.words


async def test_requests_to_this_api_are_forwarded_only_when_the_rules_ask_for_them(case: Case) -> None:
    request = stored_event("api_request")
    assert render(case.provider, NO_RULES, request).outcome == Skipped(SkipReason.FILTER)
    for include, forwarded in ((["*"], False), (["page_view"], False), (["*", "api_request"], True)):
        made = render(case.provider, rule_set(include=include), request)
        assert isinstance(made.outcome, list) is forwarded


async def test_by_other_rules_it_is_recognised_as_the_same_event(remote: Case, client: Client) -> None:
    """Rules that change between an attempt whose answer was lost and the next one must not double the event."""
    if remote.provider.dedupes_for == timedelta(0):
        pytest.skip("recognises no repetition")
    event = stored_event(event_data={"n": 1, "a": 2}, anonymous_id="browser-1", session_id="1773144000000")
    first = rule_set(mapping=[{"rename_event": "First"}])
    later = rule_set(
        mapping=[
            {
                "rename_event": "Later",
                "drop": ["event_data.a", "context", "revenue"],
                "set": {"event_data.distinct_id": "x", "event_data.time": 1, "context.consent.ads": True},
            }
        ]
    )
    made = render(remote.provider, first, event)
    again = render(remote.provider, later, event, made.sent_as)
    assert made.sent_as == again.sent_as == "First"
    for each in (made, again):
        assert isinstance(each.outcome, list)
        assert await send(remote, client, each.outcome) == [Delivered()] * len(each.outcome)
    assert len(remote.stored()) == 1


async def test_nobody_listens(remote: Case, client: Client) -> None:
    payloads = payloads_of(remote, stored_event())
    stand_in = stand_in_of(remote)
    await stand_in.__aexit__(None, None, None)
    outcomes = await send(remote, client, payloads)
    assert [type(found) for found in outcomes] == [Retry]
    assert "no connection" in str(outcomes[0])


@pytest.mark.parametrize("kind", ["hang", "reset", "truncate", "html", "garbage"])
async def test_a_lost_or_strange_answer_leaves_it_open(
    remote: Case, client: Client, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    stand_in_of(remote).faults.append(Fault(kind))
    outcomes = await send(remote, client, payloads_of(remote, stored_event(), stored_event()))
    # A webhook's receiver may say what it likes; any 2xx means that it has the events.
    believed = kind in ("html", "garbage") and not remote.reads_bodies
    assert [type(found) for found in outcomes] == [Delivered if believed else Unknown] * 2


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, Unknown),
        (502, Unknown),
        (504, Unknown),
        (503, Retry),
        (429, Retry),
        (404, Retry),
        (302, Retry),
        (410, Retry),
        (401, Paused),
        (403, Paused),
        (413, TooLarge),
    ],
)
async def test_statuses(remote: Case, client: Client, status: int, expected: type[Outcome]) -> None:
    stand_in_of(remote).faults.append(Fault("status", status=status, body={"error": "words of the provider"}))
    outcomes = await send(remote, client, payloads_of(remote, stored_event(), stored_event()))
    assert [type(found) for found in outcomes] == [remote.statuses.get(status, expected)] * 2
    assert "words of the provider" in str(outcomes[0])


@pytest.mark.parametrize("status", [429, 503, 500])
async def test_retry_after_in_seconds(remote: Case, client: Client, status: int) -> None:
    stand_in_of(remote).faults.append(Fault("status", status=status, headers={"Retry-After": "17"}))
    (outcome,) = await send(remote, client, payloads_of(remote, stored_event()))
    assert isinstance(outcome, Retry | Unknown)
    assert outcome.after == 17.0


async def test_retry_after_as_a_date(remote: Case, client: Client) -> None:
    moment = datetime.now(UTC) + timedelta(minutes=5)
    header = {"Retry-After": format_datetime(moment, usegmt=True)}
    stand_in_of(remote).faults.append(Fault("status", status=503, headers=header))
    (outcome,) = await send(remote, client, payloads_of(remote, stored_event()))
    assert isinstance(outcome, Retry)
    assert outcome.after is not None
    assert 200 < outcome.after <= 300


@pytest.mark.parametrize("header", ["soon", "nan", "-5", ""])
async def test_a_useless_retry_after_does_no_harm(remote: Case, client: Client, header: str) -> None:
    stand_in_of(remote).faults.append(Fault("status", status=503, headers={"Retry-After": header}))
    (outcome,) = await send(remote, client, payloads_of(remote, stored_event()))
    assert isinstance(outcome, Retry)
    assert outcome.after in (None, 0.0)


async def test_wrong_credentials_pause(remote: Case, client: Client) -> None:
    wrong = remote.wrong_credentials
    if wrong is None:
        pytest.skip("answers 2xx whatever the credentials")
    rendered = wrong.render(stored_event())
    assert isinstance(rendered, list)
    (outcome,) = await wrong.send(client, rendered)
    assert isinstance(outcome, Paused)
    assert "nvalid" in outcome.words
    assert not remote.stored()


async def test_one_bad_event_does_not_take_the_others_with_it(remote: Case, client: Client) -> None:
    """Where the provider refuses all of a request, it is halved until the culprit stands alone."""
    if not remote.refuses_bad_events:
        pytest.skip("refuses no single event")
    events = [stored_event(event_data={"n": n, "bad": n == 2}) for n in range(5)]
    if remote.names_bad_events:
        outcomes = await send(remote, client, payloads_of(remote, *events))
        assert [index for index, found in enumerate(outcomes) if isinstance(found, Dead)] == [2]
    parcels = [Parcel(event) for event in events]
    await dispatch(remote, client).run(parcels, set(), probe=False)
    dead = [parcel.fate for parcel in parcels if isinstance(parcel.fate, Dead)]
    assert [parcel.event.seq for parcel in parcels if parcel.fate in dead] == [events[2].seq]
    assert all(found.words for found in dead)
    assert {remote.number(record) for record in remote.stored()} == {0, 1, 3, 4}


def dispatch(case: Case, client: Client) -> Dispatch:
    """The core that sends, as the readers use it."""

    async def mark(_parcels: Sequence[Parcel]) -> None:
        return None

    async def kept_out(_persons: Iterable[UUID]) -> set[UUID]:
        return set()

    size = RequestSize(100, case.provider.limits)
    return Dispatch(case.provider, client, size, system_clock, mark, kept_out, stopping=lambda: False)


async def test_too_large_a_request_is_said_to_be_so(remote: Case, client: Client) -> None:
    stand_in_of(remote).largest = 300
    outcomes = await send(remote, client, payloads_of(remote, *(stored_event() for _ in range(5))))
    assert [type(found).__name__ for found in outcomes] == [remote.too_large] * 5


async def test_too_large_a_request_is_halved_until_all_are_there(remote: Case, client: Client) -> None:
    parcels = [Parcel(stored_event(event_data={"n": n})) for n in range(8)]
    one = payloads_of(remote, parcels[0].event)
    await send(remote, client, one)
    stand_in_of(remote).largest = 2 * len(stand_in_of(remote).requests[-1].body)
    await dispatch(remote, client).run(parcels, set(), probe=False)
    assert [parcel.fate for parcel in parcels] == [Delivered()] * 8
    assert {remote.number(record) for record in remote.stored()} == set(range(8))


async def test_secrets_are_named_so_that_they_can_be_withheld(remote: Case) -> None:
    assert remote.provider.secrets
    assert all(remote.provider.secrets)

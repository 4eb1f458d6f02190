"""The webhook: what is sent, how it is signed, what answers mean."""

from __future__ import annotations

import base64
import json

import pytest

from analytics_api.deliver.providers.registry import make_provider
from analytics_api.deliver.providers.webhook.provider import name_of
from analytics_api.domain.outcome import Delivered, Paused, Refused, Retry
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client
from tests.support.providers import Fault, WebhookStandIn
from tests.support.stored import stored_event

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def payload(**given: object) -> dict[str, object]:
    rendered = make_provider("webhook", {"url": "https://example.org", "secret": SECRET}).render(
        stored_event(**given)  # type: ignore[arg-type]
    )
    assert isinstance(rendered, list)
    found: dict[str, object] = json.loads(rendered[0].body)
    return found


def test_the_whole_event_goes_out_also_one_of_nobody() -> None:
    sent = payload(
        user_id=None,
        event_data={"n": 1},
        user_properties={"$set": {"plan": "pro"}},
        context={"country": "DE"},
        revenue="9.99",
    )
    assert sent["user_id"] is None
    assert sent["event_data"] == {"n": 1}
    assert sent["user_properties"] == {"$set": {"plan": "pro"}}
    assert sent["context"] == {"country": "DE"}
    assert (sent["revenue"], sent["currency"]) == ("9.99", "EUR")
    assert sent["timestamp"] == "2026-03-10T12:00:00.123456+00:00"


def test_the_same_events_have_the_same_id_and_others_another() -> None:
    assert name_of(b"[1]") == name_of(b"[1]") != name_of(b"[2]")


async def test_a_secret_that_is_plain_text(client: Client) -> None:
    text = "0123456789abcdef of mine"
    encoded = "whsec_" + base64.b64encode(text.encode()).decode()
    async with WebhookStandIn(encoded) as receiver:
        provider = make_provider("webhook", {"url": f"{receiver.url}/hook", "secret": text})
        rendered = provider.render(stored_event())
        assert isinstance(rendered, list)
        assert await provider.send(client, rendered) == [Delivered()]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered),
        (204, Delivered),
        (400, Refused),
        (422, Refused),
        (404, Paused),
        (410, Paused),
        (405, Retry),
        (408, Retry),
        (409, Retry),
        (429, Retry),
    ],
)
async def test_answers(client: Client, status: int, expected: type) -> None:
    async with WebhookStandIn() as receiver:
        receiver.faults.append(Fault("status", status=status))
        provider = make_provider("webhook", {"url": f"{receiver.url}/hook", "secret": receiver.secret})
        rendered = provider.render(stored_event())
        assert isinstance(rendered, list)
        (outcome,) = await provider.send(client, rendered)
    assert type(outcome) is expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "url is missing"),
        ({"url": "https://example.org"}, "secret is missing"),
        ({"url": "ftp://example.org", "secret": SECRET}, "url must start with"),
        ({"url": "https://", "secret": SECRET}, "name a host"),
        ({"url": "https://me:pass@example.org", "secret": SECRET}, "must not hold a user name"),
        ({"url": "https://example.org", "secret": "short"}, "at least 16 bytes"),
        ({"url": "https://example.org", "secret": "whsec_!!"}, "must be base64"),
    ],
)
def test_options_that_do_not_do(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make_provider("webhook", options)

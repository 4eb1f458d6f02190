"""Requests to addresses that somebody typed in stay out of the operator's own network."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from analytics_api.deliver.providers.registry import make_provider
from analytics_api.domain.outcome import Paused, Retry
from analytics_api.outbound import addresses
from analytics_api.outbound.addresses import is_public
from analytics_api.outbound.connections import make_client
from analytics_api.outbound.http import Answer, post
from analytics_api.outbound.known import post_known
from tests.support.providers import WebhookStandIn
from tests.support.providers.server import Reply
from tests.support.stored import stored_event


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "ff02::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::a00:1",
        "fec0::1",
        "::ffff:0.0.0.0",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "2001:0:0:0:0:0:80ff:fffe",
        "192.0.0.192",
        "168.63.129.16",
        "100.100.100.200",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_private(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


ways = pytest.mark.parametrize("send", [post, post_known])


@ways
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0"])
async def test_nothing_reaches_this_machine_whatever_it_is_called(send: Any, host: str) -> None:
    async with WebhookStandIn() as receiver, make_client(public_only=True) as client:
        outcome = await send(client, f"http://{host}:{receiver.port}/hook", b"[]")
        assert not receiver.requests
    assert isinstance(outcome, Paused | Retry)
    if isinstance(outcome, Paused):
        assert "ALLOW_PRIVATE_DESTINATIONS" in outcome.words


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("webhook", {"secret": "a secret of enough bytes"}),
        ("amplitude", {"api_key": "key"}),
        ("mixpanel", {"token": "token"}),
        ("posthog", {"api_key": "key"}),
        ("segment", {"write_key": "key"}),
    ],
)
async def test_no_provider_reaches_this_machine(kind: str, options: dict[str, str]) -> None:
    async with WebhookStandIn() as receiver, make_client(public_only=True) as client:
        provider = make_provider(kind, {**options, "url": f"http://127.0.0.1:{receiver.port}"})
        rendered = provider.render(stored_event())
        assert isinstance(rendered, list)
        (outcome, *_) = await provider.send(client, rendered)
        assert not receiver.requests
    assert isinstance(outcome, Paused)


@ways
async def test_a_redirect_into_the_own_network_is_not_followed(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address is declared public for once; the redirect points to this machine under another name."""
    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1")
    answer_with(monkeypatch, ["127.0.0.1"])
    async with WebhookStandIn() as receiver, WebhookStandIn() as inside:
        to = {"location": f"http://localhost:{inside.port}/hook"}
        monkeypatch.setattr(receiver, "handle", lambda _request: Reply(307, {}, headers=to))
        async with make_client(public_only=True) as client:
            answer = await send(client, f"http://hooks.example:{receiver.port}/hook", b"[]")
        assert isinstance(answer, Answer)
        assert (answer.status, len(receiver.requests), len(inside.requests)) == (307, 1, 0)


@ways
async def test_a_name_that_changes_its_address_is_checked_each_time(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public at first, private at the next look."""
    async with make_client(public_only=True) as client:
        for found in (["169.254.169.254"], ["::ffff:7f00:1"], ["0.0.0.0"]):
            answer_with(monkeypatch, found)
            assert isinstance(await send(client, "http://rebind.example/", b"[]"), Paused)


@ways
async def test_one_private_address_among_public_ones_is_enough(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    async with make_client(public_only=True) as client:
        outcome = await send(client, "http://rebind.example/", b"[]")
    assert isinstance(outcome, Paused)
    assert "10.0.0.1" in outcome.words


@ways
async def test_a_name_that_is_not_there_is_tried_again(send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_arguments: object, **_options: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fails)
    async with make_client(public_only=True) as client:
        outcome = await send(client, "http://nowhere.example/", b"[]")
    assert isinstance(outcome, Retry)
    assert "nowhere.example" in outcome.words


@ways
async def test_the_connection_goes_to_the_address_that_was_checked(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With loopback declared public for once: the request arrives there under the name's Host header."""
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    answer_with(monkeypatch, ["127.0.0.1"])
    async with WebhookStandIn() as receiver, make_client(public_only=True) as client:
        await send(client, f"http://hooks.example:{receiver.port}/hook", b"[]")
        (request,) = receiver.requests
    assert request.headers["host"] == f"hooks.example:{receiver.port}"


def answer_with(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    async def answers(*_arguments: object, **_options: object) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 0)) for text in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answers)

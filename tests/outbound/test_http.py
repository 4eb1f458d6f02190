"""One request and its fate."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from analytics_api.domain.outcome import Retry, Unknown
from analytics_api.outbound import http
from analytics_api.outbound.connections import make_client
from analytics_api.outbound.http import Answer, post
from analytics_api.outbound.known import post_known
from tests.support.providers.server import Received, Reply, StandIn


class Talkative(StandIn):
    """Answers with more than anybody asked for."""

    text = "a" * 1_000_000

    def handle(self, request: Received) -> Reply:
        return Reply(200, self.text)


ways = pytest.mark.parametrize("send", [post, post_known])


@ways
async def test_an_answer_without_end_is_read_in_bounds(send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 1_000)
    async with Talkative() as server, make_client() as client:
        answer = await send(client, server.url, b"{}")
        again = await send(client, server.url, b"{}")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, b"a" * 1_000)
    assert isinstance(again, Answer)
    assert again.body == answer.body


class Packed(StandIn):
    """Answers with little that unpacks to much."""

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        packed = gzip.compress(bytes(50_000_000))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
        )
        await writer.drain()
        return True


@ways
async def test_a_small_answer_that_unpacks_to_a_large_one_is_read_in_bounds(send: Any) -> None:
    async with Packed() as server, make_client() as client:
        answer = await send(client, server.url, b"{}")
    assert isinstance(answer, Answer)
    assert len(answer.body) == http.MOST_BYTES


class Silent(StandIn):
    """Answers on /here only."""

    def handle(self, request: Received) -> Reply:
        return Reply(200, {})

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        if request.path != "/here":
            await asyncio.Event().wait()
        return await super()._answer(request, writer)


@ways
async def test_any_number_of_requests_that_hang_keep_no_other_waiting(send: Any) -> None:
    async with Silent() as server, make_client() as client:
        hanging = [asyncio.create_task(send(client, f"{server.url}/there", b"{}")) for _ in range(150)]
        while server.in_flight < len(hanging):
            await asyncio.sleep(0.01)
        answer = await send(client, f"{server.url}/here", b"{}")
        assert isinstance(answer, Answer)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


@ways
@pytest.mark.parametrize("url", ["ftp://example.org/", "http://[::1"])
async def test_an_address_that_is_none_is_said_to_be_so(send: Any, url: str) -> None:
    async with make_client() as client:
        outcome = await send(client, url, b"{}")
    assert isinstance(outcome, Retry)
    assert "address cannot be used" in outcome.words


class Mumbling(StandIn):
    """Answers with what is no HTTP."""

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}")
        await writer.drain()
        return False


@ways
async def test_an_answer_that_is_none_leaves_open_whether_it_arrived(send: Any) -> None:
    async with Mumbling() as server, make_client() as client:
        assert isinstance(await send(client, server.url, b"{}"), Unknown)

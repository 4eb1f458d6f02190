"""Requests that no client should send, to a real process: bombs, broken framing, broken HTTP, broken JSON.

Each is answered clearly and never with a 500, memory stays bounded, and the next good event is stored.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.conftest import Target
from tests.support.raw import Client, ask, connected, request

GOOD = b'{"event_type": "a"}'
GZIP = "Content-Encoding: gzip"
CHUNKED = "Transfer-Encoding: chunked"


def zeros(size: int) -> bytes:
    """A gzip file of so many zeros."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + packer.flush()


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


DENSE_EVENT = b'{"event_type": "a", "event_data": {"x": [' + b"[]," * 20_000 + b"1]}}"


def bombs() -> Iterator[tuple[bytes, int, str]]:
    """Bodies, and how each is answered."""
    huge = zeros(300_000_000)
    yield huge, 413, "larger than 5242880 bytes when unpacked"
    yield gzip.compress(huge), 400, "neither an event"
    yield zeros(3_000_000) * 2, 413, "larger than 5242880 bytes when unpacked"
    yield gzip.compress(b"") * 200_000, 400, "more than 100 members"
    yield gzip.compress(GOOD)[:-5], 400, "ends too early"
    yield gzip.compress(GOOD) + b"garbage", 400, "not gzip to its end"
    yield GOOD, 400, "not gzip to its end"
    for dense in (
        b"[" + b"1," * 2_600_000 + b"1]",
        b"[" + b"{}," * 1_700_000 + b"1]",
        b'["\\ud800",' + b"[]," * 1_700_000 + b"1]",
        b"{" + b",".join(b'"%x":1' % number for number in range(510_000)) + b"}",
    ):
        yield gzip.compress(dense, 1), 413, "values, more than can be read at once"
    yield gzip.compress(b"[" + b"1," * 400_000 + b"1]"), 413, "400001 events; the limit is 5000"


async def test_bombs_cost_no_memory(hostile_target: Target) -> None:
    await hostile_target.still_serves()
    before = hostile_target.memory("VmHWM")
    for body, status, words in bombs():
        [answer] = await ask(hostile_target.port, request(body, GZIP))
        assert answer.status == status, answer
        assert words in answer.detail
    dense = gzip.compress(b"[" + b",".join([DENSE_EVENT] * 20) + b"]")
    for _ in range(5):
        [answer] = await ask(hostile_target.port, request(dense, GZIP))
        assert answer.json["accepted"] == 20
    assert hostile_target.memory("VmHWM") - before < 80_000_000
    await hostile_target.still_serves()


BROKEN_HTTP = [
        (request(GOOD, "Content-Encoding: br"), 400, "'br' is not supported"),
        (request(gzip.compress(GOOD), "Content-Encoding: gzip, gzip"), 400, "not supported"),
        (request(GOOD, "Content-Length: 99999999999", length=False), 413, "the limit is 5242880"),
        (request(GOOD, f"Content-Length: {'9' * 30}", length=False), 400, "Content-Length overflow"),
        (request(GOOD, "Content-Length: -5", length=False), 400, "Content-Length"),
        (request(GOOD, "Content-Length: +19", length=False), 400, "Content-Length"),
        (request(GOOD, "Content-Length: 5", length=False), 400, "not JSON"),
        (request(GOOD, length=False), 400, "The body is empty"),
        (request(GOOD, "Content-Length: 7"), 400, "Duplicate Content-Length"),
        (request(chunks(GOOD), CHUNKED), 400, "Content-Length can't be present"),
        (request(GOOD, "Transfer-Encoding: gzip", length=False), 400, "Transfer-Encoding"),
        (request(b"zz\r\n", CHUNKED, length=False), 400, "chunk size"),
        (request(chunks(*[b" " * 65_536] * 100), CHUNKED, length=False), 413, "larger than it may be"),
        (request(b"13;" + b"x" * 1_000_000, CHUNKED, length=False), 431, "64 KB"),
        (request(chunks(GOOD)[:-2] + b"X: " + b"x" * 1_000_000, CHUNKED, length=False), 431, "64 KB"),
        (request(GOOD, "X: " + "x" * 1_000_000), 431, "64 KB"),
        (request(GOOD, "X: " + "x" * 70_000), 431, "64 KB"),
        (request(GOOD, *["X: x"] * 300), 431, "200 headers"),
        (request(GOOD, *["X: x"] * 100_000), 431, "200 headers"),
        (request(GOOD, path="/?" + "x" * 100_000), 431, "64 KB"),
        (request(GOOD, method="BREW"), 400, "Invalid method"),
        (request(GOOD, method="PO\0ST"), 400, "valid HTTP"),
        (request(GOOD, "X: a\0b"), 400, "valid HTTP"),
        (request(GOOD, "X : a"), 400, "valid HTTP"),
        (request(GOOD, path="http://x"), 400, "address"),
        (request(GOOD, path="/\xff"), 400, "url"),
        (request(GOOD, path="/api/v1/analytics/events?project=%00"), 404, "There is no project"),
        (request(method="GET", path="/api/v1/analytics/metrics/dashboard?project=%00"), 404, "no project"),
        (request(method="GET", path="/api/v1/analytics/metrics/aggregated?metric_type=a%00"), 422, "U+0000"),
        (request(b" " * 2_000_000, method="PUT", path="/api/v1/analytics/tracking-plan"), 413, "1048576"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400, "valid HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "valid HTTP"),
]  # fmt: skip


async def test_broken_http_is_answered(hostile_target: Target) -> None:
    for data, status, words in BROKEN_HTTP:
        answer, *_ = await ask(hostile_target.port, data)
        assert answer.status == status, (data[:200], answer)
        assert words in answer.detail
        assert answer.headers["x-request-id"]
    await hostile_target.still_serves()


BROKEN_JSON = [
    (b"\0", 400),
    (b'{"event_type": "a\0"}', 400),
    (b'{"event_type": "\xff"}', 422),
    (b'\xff\xfe{\0"\0', 400),
    (b'{"event_type": "a", "event_type": "b"}', 202),
    (b'{"events": [], "events": [{"event_type": "b"}]}', 202),
    (b"[" * 100_000, 400),
    (b"[" * 100_000 + b"]" * 100_000, 400),
    (b'{"a":' * 100_000, 400),
    (b'{"event_type": "a", "event_data": {"x": ' + b"[" * 25_000 + b"]" * 25_000 + b"}}", 400),
    (b'{"event_type": "a", "event_data": {"x": NaN}}', 422),
    (b'{"event_type": "a", "revenue": -Infinity}', 422),
    (b'{"event_type": "a", "revenue": 1e400}', 422),
    (b'{"event_type": "a", "revenue": "1e999999999"}', 422),
    (b'{"event_type": "a", "revenue": "0e999999999"}', 422),
    (b'{"event_type": "a", "revenue": "NaN"}', 422),
    (b'{"event_type": "a", "event_data": {"x": ' + b"9" * 5_000 + b"}}", 422),
    (b'{"event_type": "a", "event_data": {"x": ' + b"9" * 308 + b"}}", 202),
    (b'{"event_type": "a", "event_data": {"x": [{"y": -' + b"9" * 309 + b"}]}}", 422),
    (b'{"event_type": "a", "user_properties": {"x": ' + b"9" * 400 + b"}}", 422),
    (b'{"event_type": "a", "user_id": "ada", "context": {"consent": {"x": ' + b"9" * 40 + b"}}}", 202),
    (b'{"event_type": "a", "user_id": ' + b"9" * 5_000 + b"}", 422),
    (b'{"event_type": "a", "timestamp": 1e308}', 422),
    (b'{"event_type": "a", "timestamp": ' + b"9" * 4_000 + b"}", 422),
    (b'{"event_type": "a", "event_data": {"\\ud800": 1}}', 422),
    (b'[{"event_type": "a", "user_id": "\\udfff"}, {"event_type": "b"}]', 202),
    (b'{"events": [{"event_type": "a"}], "key": "\\ud800"}', 401),
    (b'{"events": [{"event_type": "a"}], "sent_at": 1e300}', 400),
    (b"null", 400),
    (b"[[]]", 202),
]


async def test_broken_json_is_answered(hostile_target: Target) -> None:
    for body, status in BROKEN_JSON:
        [answer] = await ask(hostile_target.port, request(body))
        assert answer.status == status, (body[:200], answer)
    await hostile_target.still_serves()


WHOLE = [
    request(b'[{"event_type": "a", "event_data": {"x": [1, null, "\\u00e9", 1.5e3]}}, {"event_type": "b"}]', close=False),
    request(gzip.compress(GOOD), GZIP, "Idempotency-Key: k", close=False),
    request(chunks(b'{"events": [', GOOD, b'], "sent_at": 1772359200000}'), CHUNKED, length=False, close=False),
    request(b'{"name": "x", "currency": "EUR"}', method="PUT", path="/api/v1/analytics/tracking-plan", close=False),
    request(method="GET", path="/api/v1/analytics/metrics/dashboard?project=default&start_date=2026-01-01", close=False),
]  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(WHOLE), st.randoms(use_true_random=False), st.integers(1, 12))
async def test_requests_with_faults_are_never_a_500(
    hostile_target: Target, whole: bytes, dice: random.Random, faults: int
) -> None:
    data = bytearray(whole)
    for _ in range(faults):
        place = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[place] = dice.randrange(256)
            case 1:
                del data[place : place + dice.randrange(1, 20)]
            case _:
                data[place:place] = dice.choice(
                    [b"\0", b"\r\n", b"\r\n\r\n", b'"', b"{", b"\xff", b": ", b"9" * 20]
                )
    data += b"\r\n\r\n"
    async with connected(hostile_target.port) as client:
        await client.send(bytes(data))
        await hostile_target.still_serves()
        client.send_eof()
        for answer in await client.answers():
            assert answer.status in range(200, 500), (answer, bytes(data))


async def exchange(client: Client, data: bytes) -> tuple[int, int]:
    await client.send(data)
    answer = await client.answer()
    assert answer is not None
    return answer.status, answer.json.get("accepted", 0)


async def test_unusual_http_is_understood(hostile_target: Target) -> None:
    port = hostile_target.port
    [old] = await ask(port, request(GOOD, version="1.0", close=False))
    assert (old.status, old.json["accepted"]) == (202, 1)
    async with connected(port) as client:
        kept = request(GOOD, "Connection: keep-alive", version="1.0", close=False)
        assert await exchange(client, kept) == (202, 1)
        assert await client.answer() is None
    go_on, taken = await ask(port, request(GOOD, "Expect: 100-continue"))
    assert (go_on.status, taken.status, taken.json["accepted"]) == (100, 202, 1)
    [refused] = await ask(
        port, request(b"", "Expect: 100-continue", "Content-Length: 9999999", length=False, close=False)
    )
    assert (refused.status, refused.headers["connection"]) == (413, "close")
    # A trailer is no header: this key would be refused.
    trailer = chunks(GOOD)[:-2] + b"X-API-Key: wk_unknown\r\n\r\n"
    [taken] = await ask(port, request(trailer, CHUNKED, length=False))
    assert (taken.status, taken.json["accepted"]) == (202, 1)
    async with connected(port) as client:
        # As Java's client does with every request.
        java = request(
            GOOD, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEA", close=False
        )
        for data in (
            java,
            java,
            request(chunks(GOOD), CHUNKED, "Connection: Upgrade", "Upgrade: h2c", length=False, close=False),
        ):
            assert await exchange(client, data) == (202, 1)
        head, body = java.split(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        assert await exchange(client, body) == (202, 1)
        assert await exchange(client, request(GOOD)) == (202, 1)


async def test_pipelined_requests_are_answered_in_their_order(hostile_target: Target) -> None:
    """Also those before one that cannot be understood."""
    requests = [
        request(GOOD, f"X-Request-ID: n{number}", close=False)
        if number % 7
        else request(b"{", f"X-Request-ID: n{number}", close=False)
        for number in range(1000)
    ]
    answers = await ask(hostile_target.port, b"".join(requests) + b"garbage\r\n\r\n")
    assert [answer.headers["x-request-id"] for answer in answers] == [f"n{number}" for number in range(1000)]
    assert [answer.status for answer in answers] == [202 if number % 7 else 400 for number in range(1000)]
    await hostile_target.still_serves()


async def test_a_pipelined_request_that_breaks_while_it_waits_is_answered_too(hostile_target: Target) -> None:
    first = request(GOOD, close=False)
    for second in (
        request(
            b"zz\r\n",
            CHUNKED,
            method="PUT",
            path="/api/v1/analytics/tracking-plan",
            length=False,
            close=False,
        ),
        request(b"zz\r\n", CHUNKED, length=False, close=False),
    ):
        taken, refused = await ask(hostile_target.port, first + second)
        assert (taken.status, refused.status) == (202, 400)
        assert "chunk size" in refused.detail
        assert refused.headers["connection"] == "close"
    await hostile_target.still_serves()


async def test_many_pipelined_wishes_for_another_protocol(hostile_target: Target) -> None:
    wish = request(GOOD, "Connection: Upgrade", "Upgrade: h2c", close=False)
    answers = await ask(hostile_target.port, wish * 1500 + request(GOOD))
    assert [answer.status for answer in answers] == [202] * 1501
    await hostile_target.still_serves()

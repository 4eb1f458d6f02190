"""Bodies: one event, arrays, envelopes, NDJSON, gzip, and what cannot be read."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from datetime import UTC, datetime

import pytest

from analytics_api.errors import BadRequest, PayloadTooLarge
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.payloads import parse_body, unpack
from analytics_api.ingest.pipeline import draft_event


def texts(body: bytes, content_type: str | None = "application/json") -> list[object]:
    return [
        json.loads(bytes(raw)) for raw in parse_body(body, content_type).events if not isinstance(raw, str)
    ]


def test_one_event() -> None:
    body = parse_body(b' {"event_type": "a"} ', None)
    assert body.single
    assert texts(b' {"event_type": "a"} ') == [{"event_type": "a"}]


def test_an_event_that_has_a_field_events_is_still_an_event() -> None:
    assert parse_body(b'{"event_type": "a", "events": 3}', None).single


def test_array_and_envelope() -> None:
    assert texts(b'[{"a": 1}, 2]') == [{"a": 1}, 2]
    envelope = parse_body(
        b'{"events": [{"a": 1}], "sent_at": 1772359200000, "key": "wk_x", "more": 1}', "text/plain"
    )
    assert not envelope.single
    assert envelope.sent_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert envelope.key == "wk_x"
    assert texts(b"[]") == []


def test_lines() -> None:
    assert texts(b'{"a": 1}\n\n{"b": 2}\r\n', "application/x-ndjson; charset=utf-8") == [{"a": 1}, {"b": 2}]


def test_a_byte_order_mark_is_no_part_of_the_first_event() -> None:
    for body in (b'{"a": 1}', b'[{"a": 1}]', b'{"events": [{"a": 1}]}'):
        assert texts(b"\xef\xbb\xbf" + body) == texts(body)
    assert texts(b'\xef\xbb\xbf{"a": 1}\n{"b": 2}\n', "application/x-ndjson") == [{"a": 1}, {"b": 2}]


def test_the_end_of_a_line_is_no_part_of_its_event() -> None:
    """Else an event of exactly the limit would be refused where lines end as on Windows."""
    assert parse_body(b'{"a": 1}\r\n{"b": 2}\r\n', "application/x-ndjson").events == [
        b'{"a": 1}',
        b'{"b": 2}',
    ]


def test_a_number_out_of_range_is_refused_whatever_stands_beside_it() -> None:
    infinite = b'{"event_type":"a","event_data":{"x":1e400}}'
    for batch in (b"[%b]" % infinite, b'[%b,{"event_type":"\\ud800"}]' % infinite):
        with pytest.raises(Rejected, match=r"event_data.*out of range"):
            draft_event(parse_body(batch, "application/json").events[0], 0, 65_536)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_number_in_json_spoils_only_its_own_event(number: bytes) -> None:
    """Python's json writes it for a division by zero of one event, and the batch may have 500."""
    for shape in (b"[%b]", b'{"events": [%b]}'):
        body = shape % (b'{"event_type":"a","event_data":{"x":%b}},{"event_type":"b"}' % number)
        bad, good = parse_body(body, "application/json").events
        with pytest.raises(Rejected, match="the event is not JSON"):
            draft_event(bad, 0, 65_536)
        assert draft_event(good, 1, 65_536).payload.event_type == "b"
    alone = parse_body(b'{"event_type":"a","event_data":{"x":%b}}' % number, "application/json")
    with pytest.raises(Rejected, match="the event is not JSON"):
        draft_event(alone.events[0], 0, 65_536)


def test_half_a_surrogate_pair_spoils_only_its_own_event() -> None:
    for body in (
        b'[{"event_type": "a\\ud800"}, {"event_type": "b"}]',
        b'{"events": [{"event_type": "a\\ud800"}, {"event_type": "b"}], "sent_at": "2026-03-01T10:00:00Z"}',
    ):
        bad, good = parse_body(body, None).events
        assert isinstance(bad, str)
        assert "surrogate" in bad
        assert json.loads(bytes(good)) == {"event_type": "b"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is empty"),
        (b"  \n", "The body is empty"),
        (b'{"event_type": "a"', "not JSON"),
        (b'[{"event_type": "a"},]', "not JSON"),
        (b'[{"x": NaN},]', "not JSON"),
        (b'"text"', "neither an event"),
        (b"42", "neither an event"),
        (b'{"events": 3}', "The envelope cannot be read: Expected `array`"),
        (b'{"events": [], "sent_at": "noon"}', "The envelope cannot be read: sent_at is not a time"),
        (b'{"events": [], "key": 5}', "The envelope cannot be read"),
        *(
            (
                b'{"events": [{"event_type": "\\ud800"}], "sent_at": %b}' % sent_at,
                "The envelope cannot be read: sent_at",
            )
            for sent_at in (b"[]", b"{}", b"true", b"NaN", b"1e400", b'"\\ud800"')
        ),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_broken_bodies_say_why(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_body(body, "application/json")
    assert words in caught.value.detail


def test_gzip() -> None:
    packed = gzip.compress(b'{"event_type": "a"}')
    assert unpack(packed, "gzip", 100) == b'{"event_type": "a"}'
    assert unpack(b"plain", None, 100) == b"plain"
    with pytest.raises(BadRequest, match="ends too early"):
        unpack(packed[:-9], "gzip", 100)
    assert (
        unpack(packed + gzip.compress(b"\n") + packed, "gzip", 100)
        == b'{"event_type": "a"}\n{"event_type": "a"}'
    )
    for body in (b"plain", packed + b"garbage"):
        with pytest.raises(BadRequest, match="not gzip to its end"):
            unpack(body, "gzip", 100)
    with pytest.raises(BadRequest, match="more than 100 members"):
        unpack(gzip.compress(b"") * 101, "gzip", 100)
    with pytest.raises(BadRequest, match="not supported"):
        unpack(b"plain", "br", 100)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(b"0" * 200_000_000) + packer.flush()
    assert len(bomb) < 250_000
    with pytest.raises(PayloadTooLarge, match="larger than 5242880 bytes when unpacked"):
        unpack(bomb, "gzip", 5_242_880)
    half = gzip.compress(bytes(60))
    with pytest.raises(PayloadTooLarge):
        unpack(half + half, "gzip", 100)


def test_a_batch_has_a_number_of_events() -> None:
    for body, kind in (
        (b"[1,2,3]", None),
        (b'{"events":[1,2,3]}', None),
        (b"1\n\n2\n3", "application/x-ndjson"),
    ):
        assert len(parse_body(body, kind, 3).events) == 3
        with pytest.raises(PayloadTooLarge, match="The batch has 3 events; the limit is 2"):
            parse_body(body, kind, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * 2_600_000 + b"1]",
        b'["\\ud800",' + b"[]," * 1_700_000 + b"1]",
        b'{"a":[' + b"{}," * 1_700_000 + b"1]}",
        b"1\n" * 2_600_000,
        b"[" + b"\n" * 5_000_000 + b"]",
    ],
    ids=["numbers", "lists", "objects", "lines", "nothing"],
)
def test_a_body_of_nothing_but_commas_takes_no_memory(body: bytes) -> None:
    tracemalloc.start()
    try:
        for kind in ("application/json", "application/x-ndjson"):
            with pytest.raises(PayloadTooLarge, match=r"The body has \d+ values"):
                parse_body(body, kind)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()

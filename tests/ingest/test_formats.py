"""Readers of files: what each line becomes. No database is needed."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import ConfigurationError
from analytics_api.ingest.draft import Reception, Rejected
from analytics_api.ingest.formats import FORMATS, FieldMap, guess_format, open_file
from analytics_api.ingest.payloads import EventPayload
from analytics_api.ingest.pipeline import make_draft, run_steps

PROJECT = Project(1, "p", "P", UUID("6d1b6c7e-8f0a-4b52-9a55-0d3f5f7f2c11"), ZoneInfo("UTC"), "EUR", 1)
RECEPTION = Reception(PROJECT, True, datetime(2026, 3, 10, tzinfo=UTC), timedelta(), None, keep_pii=False)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def read(
    format_name: str, content: str | bytes, mapping: FieldMap | None = None
) -> list[tuple[int, EventPayload | str | None]]:
    """Line numbers with the event, the reason why there is none, or None."""
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    found = FORMATS[format_name](stream, mapping or FieldMap())
    return [(number, str(what) if isinstance(what, Rejected) else what) for number, what, _ in found]


def one(format_name: str, line: dict[str, Any] | str, mapping: FieldMap | None = None) -> EventPayload:
    """The event of a file with one line."""
    [(number, payload)] = read(format_name, line if isinstance(line, str) else json.dumps(line), mapping)
    assert number == 1
    assert isinstance(payload, EventPayload), payload
    return payload


def stored(payload: EventPayload) -> NewEvent:
    """What the pipeline makes of a line."""
    return run_steps(make_draft(payload, 1, 100), RECEPTION)


# CSV


def test_csv_as_the_data_sets_have_it() -> None:
    content = (
        "event_id,user_id,event,ts,revenue,currency,props\r\n"
        'a1,ada,bought,2026-01-02T03:04:05Z,9.90,EUR,"{""item"":""book""}"\r\n'
        "a2,,seen,2026-01-02T03:04:06Z,,,\r\n"
    )
    assert read("csv", content) == [
        (
            2,
            EventPayload(
                "bought",
                {"item": "book"},
                user_id="ada",
                event_id="a1",
                timestamp="2026-01-02T03:04:05Z",
                revenue="9.90",
                currency="EUR",
            ),
        ),
        (3, EventPayload("seen", event_id="a2", timestamp="2026-01-02T03:04:06Z")),
    ]


def test_csv_columns_and_event_types_are_mapped() -> None:
    mapping = FieldMap({"event_type": "what", "user_id": "who"}, {"signup": "signup_completed", "noise": "-"})
    content = "who,what,timestamp\nada,signup,2026-01-01\nbob,noise,2026-01-01\ncem,login,2026-01-01\n"
    (_, first), left_out, (_, third) = read("csv", content, mapping)
    assert isinstance(first, EventPayload)
    assert (first.event_type, first.user_id) == ("signup_completed", "ada")
    assert left_out == (3, None)
    assert isinstance(third, EventPayload)
    assert third.event_type == "login"


def test_csv_byte_order_mark_quoted_newlines_and_short_rows() -> None:
    content = (
        '\ufeff"event","ts","props","user_id"\n"two\nlines",2026-01-01,"{""a"":\n1}",u\nshort,2026-01-01\n'
    )
    assert read("csv", content) == [
        (4, EventPayload("two\nlines", {"a": 1}, user_id="u", timestamp="2026-01-01")),
        (5, EventPayload("short", timestamp="2026-01-01")),
    ]


def test_csv_bad_rows_are_named_by_line() -> None:
    content = 'event,ts,props\na,2026-01-01,{"x":1\nb,2026-01-01,[1]\nc,2026-01-01,,,extra\n\nd,2026-01-01,\n'
    (_, first), (_, second), *rest = read("csv", content.replace('{"x":1', '"{""x"":1"'))
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert first.startswith("event_data is not a JSON object: ")
    assert second.startswith("event_data is not a JSON object: ")
    assert rest == [
        (4, "5 cells where the header has 3"),
        (6, EventPayload("d", timestamp="2026-01-01")),
    ]


def test_csv_goes_on_after_a_row_with_broken_quotes() -> None:
    content = 'event,ts\n"a"b,2026-01-01\nc,2026-01-01\n'
    (number, reason), last = read("csv", content)
    assert number == 2
    assert isinstance(reason, str)
    assert reason.startswith("the row is not CSV")
    assert last == (3, EventPayload("c", timestamp="2026-01-01"))


@pytest.mark.parametrize(
    ("content", "mapping", "sentence"),
    [
        ("a,ts\n", FieldMap(), "The file has no column 'event' or 'event_type'.*--column event_type=COLUMN"),
        (
            "event,b\n",
            FieldMap(),
            "no column 'ts' or 'timestamp'.*--column timestamp=COLUMN .it has event, b",
        ),
        ("event,ts\n", FieldMap({"user_id": "who"}), "--column user_id=who: the file has no column 'who'"),
        ("event,ts\n", FieldMap({"user": "event"}), "--column user=...: there is no such field"),
    ],
)
def test_csv_without_a_needed_column(content: str, mapping: FieldMap, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        read("csv", content, mapping)


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_an_empty_file_has_no_lines(format_name: str) -> None:
    assert read(format_name, "") == []
    assert read(format_name, "\n\n") == []


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
            st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text()),
        ),
        max_size=5,
    )
)
def test_whatever_a_csv_writer_quotes_comes_back(rows: list[tuple[str, dict[str, Any]]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["event", "ts", "props"])
    writer.writerows((name, "2026-01-01", json.dumps(data)) for name, data in rows)
    found = read("csv", text.getvalue())
    assert [(e.event_type, e.event_data) for _, e in found if isinstance(e, EventPayload)] == rows


# JSON lines


def test_jsonl_takes_events_as_the_api_does() -> None:
    content = b'\xef\xbb\xbf{"event_type":"a","user_id":7}\n\n{"event_type":"b"}\n{"x":1}\n{"event_type":"c"\n\xff\n'
    first, second, missing, broken, bytes_ = read("jsonl", content)
    assert first == (1, EventPayload("a", user_id=7))
    assert second == (3, EventPayload("b"))
    assert missing == (4, "Object missing required field `event_type`")
    assert broken[0] == 5
    assert isinstance(broken[1], str)
    assert bytes_[0] == 6
    assert isinstance(bytes_[1], str)


def test_a_line_nested_too_deeply_stands_alone() -> None:
    deep = '{"event_type":"a","event_data":{"x":' + "[" * 100_000 + "]" * 100_000 + "}}"
    assert read("jsonl", deep + '\n{"event_type":"b"}\n') == [
        (1, "the line is nested too deeply to be read"),
        (2, EventPayload("b")),
    ]


# Segment

SEGMENT = {
    "messageId": "m-1",
    "anonymousId": "anon-1",
    "timestamp": "2026-01-02T03:04:05.678Z",
    "context": {"ip": "192.0.2.7", "userAgent": BROWSER, "locale": "en"},
}


def test_segment_track() -> None:
    payload = one(
        "segment", {**SEGMENT, "type": "track", "event": "Clicked", "userId": 42, "properties": {"x": 1}}
    )
    assert payload == EventPayload(
        "Clicked",
        {"x": 1},
        user_id=42,
        anonymous_id="anon-1",
        event_id="m-1",
        timestamp="2026-01-02T03:04:05.678Z",
        context={"ip": "192.0.2.7", "user_agent": BROWSER, "locale": "en"},
    )


def test_segment_counts_money_of_completed_orders_only() -> None:
    properties = {"revenue": 25.5, "currency": "EUR"}
    paid = one("segment", {**SEGMENT, "type": "track", "event": "Order Completed", "properties": properties})
    begun = one(
        "segment", {**SEGMENT, "type": "track", "event": "Checkout Started", "properties": properties}
    )
    assert (paid.revenue, paid.currency) == (25.5, "EUR")
    assert (begun.revenue, begun.currency) == (None, None)


def test_segment_page_and_screen() -> None:
    page = one(
        "segment", {**SEGMENT, "type": "page", "name": "Home", "properties": {"path": "/", "title": "T"}}
    )
    assert (page.event_type, page.event_data) == (
        "page_view",
        {"path": "/", "title": "T", "page_name": "Home"},
    )
    assert page.context is not None
    assert page.context["page"] == {"path": "/", "title": "T"}
    screen = one("segment", {**SEGMENT, "type": "screen", "name": "Home"})
    assert (screen.event_type, screen.event_data) == ("screen_view", {"screen_name": "Home"})


def test_segment_identity() -> None:
    identify = one(
        "segment", {**SEGMENT, "type": "identify", "userId": "u", "traits": {"plan": "pro", "$x": 1}}
    )
    assert (identify.event_type, identify.user_id, identify.anonymous_id) == ("$identify", "u", "anon-1")
    assert stored(identify).user_properties == '{"$set":{"plan":"pro","$x":1}}'
    group = one(
        "segment", {**SEGMENT, "type": "group", "userId": "u", "groupId": "g", "traits": {"seats": 3}}
    )
    assert (group.event_type, group.event_data) == (
        "$identify",
        {"group_id": "g", "group_traits": {"seats": 3}},
    )
    assert group.user_properties == {"$set": {"group_id": "g"}}
    alias = one("segment", {**SEGMENT, "type": "alias", "userId": "u", "previousId": "old"})
    assert (alias.event_type, alias.user_id, alias.event_data) == ("$alias", "u", {"alias": "old"})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "delete"}, "type 'delete' is none of track, page, screen, identify, group, alias"),
        ({"type": "track"}, "event is missing: a track message names what happened"),
        ({"type": "alias", "userId": "u"}, "previousId or userId is missing: an alias message names both"),
        ({"event": "x"}, "Object missing required field `type`"),
    ],
)
def test_segment_refusals(message: dict[str, Any], reason: str) -> None:
    assert read("segment", json.dumps(message)) == [(1, reason)]


# Amplitude

AMPLITUDE = {
    "$insert_id": "ins-1",
    "uuid": "0b9f4f60-6f0e-11f0-9d5a-0242ac120002",
    "event_type": "played",
    "event_time": "2026-01-01 10:00:00.250000",
    "user_id": "u1",
    "device_id": "d1",
    "session_id": 1767261600000,
    "event_properties": {"song": "x"},
    "user_properties": {"plan": "pro"},
    "ip_address": "192.0.2.7",
    "country": "Germany",
    "os_name": "iOS",
    "amplitude_id": 1,
}


def test_amplitude_event() -> None:
    event = stored(one("amplitude", AMPLITUDE))
    assert event.event_type == "played"
    assert event.occurred_at == datetime(2026, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert (event.user_id, event.anonymous_id, event.session_id) == ("u1", "d1", "1767261600000")
    assert json.loads(event.event_data) == {"song": "x"}
    assert event.user_properties == '{"$set":{"plan":"pro"}}'
    context = json.loads(event.context)
    assert (context["location"], context["os_name"]) == ({"country": "Germany"}, "iOS")
    assert "ip" not in context


def test_amplitude_ids_and_sessions() -> None:
    assert one("amplitude", AMPLITUDE).event_id == "ins-1"
    without = {key: value for key, value in AMPLITUDE.items() if key != "$insert_id"}
    assert one("amplitude", without).event_id == AMPLITUDE["uuid"]
    assert one("amplitude", {**AMPLITUDE, "session_id": -1}).session_id is None


def test_amplitude_operations_groups_and_reserved_names() -> None:
    given = {
        "$set": {"a": 1},
        "$setOnce": {"b": 2},
        "$add": {"c": 3},
        "$unset": {"d": "-"},
        "$remove": {"e": 1},
    }
    identify = stored(one("amplitude", {**AMPLITUDE, "event_type": "$identify", "user_properties": given}))
    assert json.loads(identify.user_properties or "") == {
        "$set": {"a": 1},
        "$set_once": {"b": 2},
        "$add": {"c": 3},
        "$unset": {"d": "-"},
    }
    assert read("amplitude", json.dumps({**AMPLITUDE, "event_type": "$groupidentify"})) == [(1, None)]
    names = {
        "[Amplitude] Page Viewed": "page_view",
        "$exposure": "exposure",
        "session_start": "session_start",
    }
    for theirs, ours in names.items():
        assert one("amplitude", {**AMPLITUDE, "event_type": theirs}).event_type == ours


def test_amplitude_revenue() -> None:
    paid = {**AMPLITUDE, "event_properties": {"$revenue": 4.99}}
    refunded = {**AMPLITUDE, "event_properties": {"$revenue": -4.99}}
    assert str(stored(one("amplitude", paid)).revenue) == "4.99"
    assert stored(one("amplitude", refunded)).revenue is None


# Mixpanel


def mixpanel(event: str = "Played", **properties: Any) -> EventPayload:
    given = {"time": 1767261600, "$insert_id": "abc", **properties}
    return one("mixpanel", {"event": event, "properties": given})


def test_mixpanel_event() -> None:
    payload = mixpanel(
        distinct_id="u1", song="x", **{"$browser": "Firefox", "$current_url": "https://example.com/a"}
    )
    assert payload == EventPayload(
        "Played",
        {"song": "x"},
        user_id="u1",
        event_id="abc",
        timestamp=1767261600000,
        context={"browser": "Firefox", "page": {"url": "https://example.com/a"}},
    )
    assert stored(payload).occurred_at == datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("time", [1767261600.25, 1767261600250])
def test_mixpanel_time_in_seconds_or_milliseconds(time: float) -> None:
    assert mixpanel(distinct_id="u", time=time).timestamp == 1767261600250


@pytest.mark.parametrize(
    ("properties", "user", "device"),
    [
        ({"distinct_id": "u1"}, "u1", None),
        ({"distinct_id": "$device:d1"}, None, "d1"),
        ({"distinct_id": "d1", "$device_id": "d1"}, None, "d1"),
        ({"distinct_id": "u1", "$device_id": "d1"}, "u1", "d1"),
        ({"distinct_id": "canonical", "$user_id": "u1", "$device_id": "d1"}, "u1", "d1"),
        ({"distinct_id": ""}, None, None),
        ({"distinct_id": 7}, "7", None),
    ],
)
def test_mixpanel_persons(properties: dict[str, Any], user: str | None, device: str | None) -> None:
    payload = mixpanel(**properties)
    assert (payload.user_id, payload.anonymous_id) == (user, device)


def test_mixpanel_identity() -> None:
    identify = mixpanel("$identify", **{"$identified_id": "u1", "$anon_id": "d1", "distinct_id": "u1"})
    assert (identify.event_type, identify.user_id, identify.anonymous_id) == ("$identify", "u1", "d1")
    alias = mixpanel("$create_alias", distinct_id="u1", alias="old")
    assert (alias.event_type, alias.user_id, alias.event_data) == ("$alias", "u1", {"alias": "old"})
    merge = mixpanel("$merge", **{"$distinct_ids": ["u1", "old"]})
    assert (merge.event_type, merge.user_id, merge.event_data) == ("$alias", "u1", {"alias": "old"})
    assert mixpanel("$ae_session", distinct_id="u").event_type == "ae_session"


def test_mixpanel_page_views() -> None:
    page = mixpanel("$mp_web_page_view", distinct_id="u", current_url_path="/a", current_page_title="A")
    assert (page.event_type, page.event_data) == ("page_view", {"path": "/a"})
    assert page.context == {"page": {"path": "/a", "title": "A"}}


# Access logs


def access(
    target: str = "/docs/?utm_source=mail&token=secret",
    *,
    ip: str = "192.0.2.7",
    time: str = "17/May/2026:10:05:03 +0200",
    status: int = 200,
    method: str = "GET",
    agent: str = BROWSER,
    referrer: str = "https://search.example/?q=private",
) -> str:
    return f'{ip} - - [{time}] "{method} {target} HTTP/1.1" {status} 512 "{referrer}" "{agent}"\n'


def test_access_log_page_view() -> None:
    payload = one("access-log", access())
    assert payload.event_type == "page_view"
    assert payload.event_data == {
        "method": "GET",
        "path": "/docs/",
        "status": 200,
        "bytes": 512,
        "referrer_host": "search.example",
    }
    assert payload.timestamp == "2026-05-17T08:05:03+00:00"
    assert payload.context == {
        "ip": "192.0.2.7",
        "user_agent": BROWSER,
        "page": {"path": "/docs/", "url": "/docs/?utm_source=mail", "referrer": "https://search.example/"},
    }
    row = repr(stored(payload))
    assert "192.0.2.7" not in row
    assert BROWSER not in row
    assert "secret" not in row
    assert "private" not in row


@pytest.mark.parametrize(
    ("line", "event_type"),
    [
        (access("/"), "page_view"),
        (access("/a.html"), "page_view"),
        (access("/a", status=304), "page_view"),
        (access("/logo.PNG"), "request"),
        (access("/feed.xml"), "request"),
        (access("/a", method="POST"), "request"),
        (access("/a", status=404), "request"),
        (access("/a", status=301), "request"),
    ],
)
def test_access_log_pages_and_other_requests(line: str, event_type: str) -> None:
    assert one("access-log", line).event_type == event_type
    flat = FieldMap(event_types={"page_view": "request"})
    assert one("access-log", line, flat).event_type == "request"


def test_access_log_visitors_are_of_one_day() -> None:
    lines = [
        access("/a"),
        access("/b", time="17/May/2026:23:59:59 +0200"),
        access("/a", time="18/May/2026:00:00:00 +0200"),
        access("/a", ip="192.0.2.8"),
        access("/a", agent="curl/8"),
    ]
    visitors = [
        payload.anonymous_id
        for _, payload in read("access-log", "".join(lines))
        if isinstance(payload, EventPayload)
    ]
    assert visitors[0] == visitors[1]
    assert len(set(visitors)) == 4
    other = one("access-log", access("/another log"))
    assert other.anonymous_id not in visitors
    by_address = one("access-log", access(), FieldMap(user_from_ip=True))
    assert (by_address.user_id, by_address.anonymous_id) == ("192.0.2.7", None)


def test_access_log_ids_survive_growth_and_rotation() -> None:
    """A line that is there twice is two events; the same lines in a longer file, or without the first, keep their ids."""
    lines = [access(f"/{number // 2}", ip=f"192.0.2.{number // 2 % 250}") for number in range(1_000)]

    def ids(content: list[str]) -> list[tuple[str | None, object]]:
        return [
            (payload.event_id, payload.anonymous_id)
            for _, payload in read("access-log", "".join(content))
            if isinstance(payload, EventPayload)
        ]

    whole = ids(lines)
    assert len(set(whole)) == 1_000
    assert ids(lines[:900]) == whole[:900]
    assert [event_id for event_id, _ in ids(lines[100:])] == [event_id for event_id, _ in whole[100:]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "the line is not in the combined log format"),
        (access(time="17/Mai/2026:10:05:03 +0200"), "is not a time such as 17/May/2015:10:05:03"),
        (access(time="32/May/2026:10:05:03 +0200"), "is not a time such as"),
        (
            '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "\\x16\\x03" 400 0 "-" "-"',
            "the request is not METHOD",
        ),
    ],
)
def test_access_log_bad_lines(line: str, reason: str) -> None:
    [(number, found)] = read("access-log", line)
    assert number == 1
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    "line",
    [
        '192.0.2.7 - frank smith [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.0" 200 -',
        '2001:db8::1 - - [17/May/2026:10:05:03 +0000] "GET /a HTTP/2.0" 200 5 "-" "-"',
        '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "a \\"b\\" c" "more" 0.01',
    ],
)
def test_access_log_variants(line: str) -> None:
    payload = one("access-log", line)
    assert payload.event_data is not None
    assert payload.event_data["path"] == "/a"
    assert payload.timestamp == "2026-05-17T10:05:03+00:00"


# Files


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("a.csv", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("a.json", "jsonl"),
    ],
)
def test_the_format_is_told_by_the_name(name: str, format_name: str) -> None:
    assert guess_format(Path(name)) == format_name


def test_an_unknown_name_asks_for_the_format() -> None:
    with pytest.raises(
        ConfigurationError, match=r"access.log: the format cannot .* --format with one of csv, jsonl, acc"
    ):
        guess_format(Path("access.log"))


def test_files_are_unpacked_by_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "plain-name"
    path.write_bytes(gzip.compress(b"hello"))
    with open_file(path) as (_, plain):
        assert plain.read() == b"hello"


@pytest.mark.parametrize("content", [gzip.compress(b"hello" * 10_000)[:-40], b"\x1f\x8bnot gzip at all"])
def test_a_damaged_file_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"broken.gz is damaged"), open_file(path) as (_, plain):
        plain.read()


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read"), open_file(tmp_path / "none.csv"):
        pass
    with pytest.raises(ConfigurationError, match=r"cannot be read"), open_file(tmp_path):
        pass

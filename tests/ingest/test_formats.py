"""Readers of CSV and of JSON lines, and files as they lie on disk. No database is needed."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.errors import ConfigurationError
from analytics_api.ingest.formats import FORMATS, FieldMap, guess_format, open_file
from analytics_api.ingest.payloads import EventPayload
from tests.support.lines import read

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


@pytest.mark.parametrize("props", ["", '"{""x"": ""y""}"', '"{""x"":\n1}"'])
def test_csv_a_quote_that_is_never_closed_takes_no_other_row_with_it(props: str) -> None:
    good = "".join(f'"{name}",2026-01-01,{props}\n' for name in "abc")
    broken = 'broken,2026-01-01,"{""x"": 1\n'
    found = read("csv", "event,ts,props\n" + good + broken + good + broken)
    height = 1 + props.count("\n")
    assert [(number, line) for number, line in found if isinstance(line, str)] == [
        (2 + 3 * height, "the row is not CSV: ',' expected after '\"'"),
        (3 + 6 * height, "the row is not CSV: unexpected end of data"),
    ]
    assert [line.event_type for _, line in found if isinstance(line, EventPayload)] == [*"abcabc"]


def test_csv_a_header_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="The header"):
        read("csv", 'event,"ts\na,2026-01-01\n')


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


@pytest.mark.parametrize(
    "content", [gzip.compress(b"hello" * 10_000, mtime=0)[:-40], b"\x1f\x8bnot gzip at all"]
)
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

"""What becomes of access logs: pages and other requests, visitors of a day, ids of lines. No database is needed."""

from __future__ import annotations

import pytest

from analytics_api.ingest.formats import FieldMap
from analytics_api.ingest.payloads import EventPayload
from tests.support.lines import BROWSER, one, read, stored


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


def test_a_user_name_with_brackets_hides_no_line() -> None:
    """Anybody can send one: servers log the name that was tried, also when it was refused."""
    for name in ("a[b", "[x] y", "[" * 50_000):
        line = access().replace(" - - ", f" - {name} ")
        assert one("access-log", line).timestamp == "2026-05-17T08:05:03+00:00"
    # A million steps, and not half of their square.
    assert isinstance(read("access-log", "192.0.2.7 - " + "[" * 1_000_000)[0][1], str)


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

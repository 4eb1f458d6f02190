"""Which requests count as made at this machine."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from analytics_api.access.local import is_foreign_page, is_local


def connection(
    *headers: tuple[str, str], hosts: tuple[str, ...] = ("localhost",), peer: str | None = "127.0.0.1"
) -> HTTPConnection:
    named = [*(("host", host) for host in hosts), *headers]
    return HTTPConnection(
        {
            "type": "http",
            "headers": [(name.lower().encode(), value.encode()) for name, value in named],
            "client": None if peer is None else (peer, 5),
        }
    )


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "127.8.9.1", "[::1]", "[::1]:8000"],
)
def test_local_hosts(host: str) -> None:
    assert is_local(connection(hosts=(host,)))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "evil@localhost",
        "localhost@evil.example",
        "localhost/evil",
        "localhost?",
        "localhost:8000:8000",
        "localhost:x",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[localhost]",
        "[::1",
        "::1",
        " ",
        "",
    ],
)
def test_other_hosts(host: str) -> None:
    """A page can give its own name this machine's address (DNS rebinding); its requests then name that host."""
    assert not is_local(connection(hosts=(host,)))


@pytest.mark.parametrize("hosts", [(), ("localhost", "evil.example"), ("evil.example", "localhost")])
def test_exactly_one_host_is_named(hosts: tuple[str, ...]) -> None:
    assert not is_local(connection(hosts=hosts))


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
    ],
)
def test_a_proxy_in_between(header: str) -> None:
    assert not is_local(connection((header, "127.0.0.1")))


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("192.168.1.4", False),
        ("2001:db8::1", False),
        ("", False),
        (None, False),
    ],
)
def test_the_peer(peer: str | None, expected: bool) -> None:
    assert is_local(connection(peer=peer)) is expected


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        ("http://localhost:3000", False),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("https://evil.example", True),
        ("https://localhost.evil.example", True),
        ("null", True),
        ("", True),
        ("http://[", True),
    ],
)
def test_pages_from_elsewhere(origin: str | None, foreign: bool) -> None:
    headers = () if origin is None else (("Origin", origin),)
    assert is_foreign_page(connection(*headers)) is foreign

"""Addresses behind proxies, and the countries they are in."""

from __future__ import annotations

import lzma
from bisect import bisect_right
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.errors import ConfigurationError
from analytics_api.ingest.enrichment.addresses import TrustedProxies, client_address, edge_country
from analytics_api.ingest.enrichment.countries import (
    NOWHERE,
    CountryTable,
    Place,
    built_in,
    open_places,
    pack_table,
    parse_address,
)
from tests.support.mmdb import write_mmdb
from tools.country_table import merge

NOBODY = TrustedProxies()
PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"])


def headers(*lines: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in lines]


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        # Nobody in between, or nobody we trust: the header is anybody's invention.
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", [("x-forwarded-for", "8.8.8.8")], "203.0.113.9"),
        (None, [("x-forwarded-for", "8.8.8.8")], None),
        ("10.1.2.3", [("x-forwarded-for", "198.51.100.4")], "198.51.100.4"),
        # The client invented 8.8.8.8; our proxy appended what it saw.
        ("10.1.2.3", [("x-forwarded-for", "8.8.8.8, 198.51.100.4")], "198.51.100.4"),
        ("10.1.2.3", [("x-forwarded-for", "8.8.8.8, 198.51.100.4, 10.9.9.9")], "198.51.100.4"),
        ("10.1.2.3", [("x-forwarded-for", "8.8.8.8"), ("x-forwarded-for", "198.51.100.4, 192.0.2.1")], "198.51.100.4"),
        ("10.1.2.3", [("x-forwarded-for", "10.7.7.7, 10.9.9.9")], "10.7.7.7"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [("x-forwarded-for", "198.51.100.4:5678")], "198.51.100.4"),
        ("10.1.2.3", [("x-forwarded-for", "[2001:db8:7::1]:443")], "2001:db8:7::1"),
        ("2001:db8:1::5", [("x-forwarded-for", "2001:db8:7::1")], "2001:db8:7::1"),
        ("::ffff:10.1.2.3", [("x-forwarded-for", "::ffff:198.51.100.4")], "198.51.100.4"),
        ("10.1.2.3", [("x-forwarded-for", "unknown")], None),
        ("10.1.2.3", [("x-forwarded-for", "198.51.100.4, unknown")], None),
    ],
)  # fmt: skip
def test_client_address(peer: str | None, lines: list[tuple[str, str]], expected: str | None) -> None:
    assert client_address(peer, headers(*lines), PROXIES) == expected


def test_without_trusted_proxies_nothing_is_read() -> None:
    lines = headers(("x-forwarded-for", "8.8.8.8"), ("cf-ipcountry", "US"))
    assert client_address("10.1.2.3", lines, NOBODY) == "10.1.2.3"
    assert edge_country("10.1.2.3", lines, NOBODY) is None


@given(
    invented=st.lists(st.ip_addresses().map(str) | st.text("0123456789.,: abcdef", max_size=20), max_size=5)
)
def test_what_a_client_writes_never_changes_what_our_proxy_saw(invented: list[str]) -> None:
    line = ", ".join([*invented, "198.51.100.4", "10.0.0.7"])
    assert client_address("10.1.2.3", headers(("x-forwarded-for", line)), PROXIES) == "198.51.100.4"


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("10.1.2.3", [("cf-ipcountry", "de")], "DE"),
        ("10.1.2.3", [("x-country-code", "FR"), ("cloudfront-viewer-country", "SE")], "SE"),
        ("10.1.2.3", [("cf-ipcountry", "T1"), ("x-country-code", "FR")], "FR"),
        ("10.1.2.3", [("cf-ipcountry", "XX")], None),
        ("10.1.2.3", [("cf-ipcountry", "Germany")], None),
        ("203.0.113.9", [("cf-ipcountry", "DE")], None),
    ],
)
def test_edge_country(peer: str, lines: list[tuple[str, str]], expected: str | None) -> None:
    assert edge_country(peer, headers(*lines), PROXIES) == expected


def test_a_network_that_is_none() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        TrustedProxies(["nonsense"])


@pytest.mark.parametrize(
    ("address", "country"),
    [
        # Networks of registries and universities, which have been where they are for decades.
        ("193.0.6.139", "NL"),
        ("133.11.0.1", "JP"),
        ("200.160.2.3", "BR"),
        ("134.100.9.61", "DE"),
        ("2001:67c:2e8:22::1", "NL"),
        ("::ffff:133.11.0.1", "JP"),
        ("10.0.0.1", None),
        ("127.0.0.1", None),
        ("192.168.7.7", None),
        ("::1", None),
        ("fe80::1%eth0", None),
        ("0.0.0.0", None),
    ],
)
def test_countries_of_the_built_in_table(address: str, country: str | None) -> None:
    found = parse_address(address)
    assert found is not None
    assert built_in().place(found) == Place(country)


def test_the_built_in_table_is_small_and_names_its_source() -> None:
    table = built_in()
    assert "DB-IP" in table.source
    assert "CC BY 4.0" in table.source
    assert table.built >= "2026-06"
    assert (
        Path(__file__).parents[2] / "src/analytics_api/ingest/enrichment/countries.xz"
    ).stat().st_size < 1_000_000


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4.5", "8.8.8.8/8", None, 7, ["8.8.8.8"]])
def test_what_is_no_address(text: object) -> None:
    assert parse_address(text) is None


RANGES = st.lists(st.tuples(st.integers(1, 2**16), st.sampled_from(["", "DE", "FR", "US"])), max_size=30)


def absolute(steps: list[tuple[int, str]], width: int) -> list[tuple[int, str]]:
    """Rising starts out of steps, spread over the whole range of addresses."""
    total, ranges = 0, []
    for step, country in steps:
        total += step << (width - 21)
        ranges.append((total, country))
    return [(start, country) for start, country in ranges if start < 1 << width]


@given(steps4=RANGES, steps6=RANGES, numbers=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_a_packed_table_answers_as_the_ranges_do(
    steps4: list[tuple[int, str]], steps6: list[tuple[int, str]], numbers: list[int]
) -> None:
    ranges4, ranges6 = absolute(steps4, 32), absolute(steps6, 64)
    table = CountryTable(pack_table("test", "2026-01-01", ranges4, ranges6))

    def expected(ranges: list[tuple[int, str]], number: int) -> Place:
        at = bisect_right([start for start, _ in ranges], number)
        return Place(ranges[at - 1][1] or None) if at else NOWHERE

    for number in [*numbers, *(start for start, _ in ranges4)]:
        assert table.place(IPv4Address(number)) == expected(ranges4, number)
    for number in [*(each << 32 for each in numbers), *(start for start, _ in ranges6)]:
        assert table.place(IPv6Address(number << 64 | 0xABC)) == expected(ranges6, number)


def test_networks_are_merged_and_gaps_belong_to_nobody() -> None:
    assert merge([(20, 29, "DE"), (10, 19, "DE"), (40, 49, "FR"), (50, 59, ""), (60, 61, "FR")]) == [
        (10, "DE"), (30, ""), (40, "FR"), (50, ""), (60, "FR"), (62, ""),
    ]  # fmt: skip


def test_a_damaged_table_is_not_half_read() -> None:
    with pytest.raises(lzma.LZMAError):
        CountryTable(b"not a table")


GERMANY = {"country": {"iso_code": "DE"}, "subdivisions": [{"names": {"en": "Hamburg", "de": "Hansestadt"}}],
           "city": {"names": {"en": "Hamburg"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (GERMANY, Place("DE", "Hamburg", "Hamburg")),
        ({"country": {"iso_code": "DE"}}, Place("DE")),
        ({"registered_country": {"iso_code": "AQ"}}, Place("AQ")),
        ({"country_code": "jp", "state1": "Tokyo", "city": "Chiyoda"}, Place("JP", "Tokyo", "Chiyoda")),
        ({"country_code": "-"}, NOWHERE),
        ({"continent": {"code": "EU"}}, NOWHERE),
    ],
)
def test_databases_of_several_makers(tmp_path: Path, record: dict[str, object], place: Place) -> None:
    path = tmp_path / "places.mmdb"
    path.write_bytes(write_mmdb(record))
    places = open_places(path)
    assert places.place(ip_address("198.51.100.4")) == place
    # The file knows the lower half of IPv4 as nobody's, and no IPv6 at all.
    assert places.place(ip_address("8.8.8.8")) == NOWHERE
    assert places.place(ip_address("2001:db8::1")) == NOWHERE


@pytest.mark.parametrize("content", [None, b"", b"not a database"])
def test_a_database_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"ANALYTICS__GEOIP_DATABASE: .*places\.mmdb cannot be used"):
        open_places(path)

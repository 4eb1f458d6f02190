"""Who is at the other end when proxies stand in between: only what proxies that the operator trusts add is believed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network

from analytics_api.ingest.enrichment.countries import parse_address

Headers = Iterable[tuple[bytes, bytes]]
"""Header lines as ASGI gives them: names in lower case, in the order of arrival."""

FORWARDED_FOR = b"x-forwarded-for"
COUNTRY_HEADERS = (
    b"cf-ipcountry",
    b"cloudfront-viewer-country",
    b"x-vercel-ip-country",
    b"x-appengine-country",
    b"x-country-code",
)
"""What Cloudflare, CloudFront, Vercel and App Engine call the country of the client; the last is anybody's."""

_NO_COUNTRY = frozenset({"XX", "ZZ", "T1"})
"""Codes that edges send for unknown addresses and for Tor."""


class TrustedProxies:
    """Networks whose machines may say for whom they speak. Raises ValueError for a text that is no network."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(network.strip(), strict=False) for network in networks]
        self._known = lru_cache(4096)(self._look)

    def __contains__(self, address: str | None) -> bool:
        return bool(self._networks) and address is not None and self._known(address)

    def _look(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


def client_address(peer: str | None, headers: Headers, trusted: TrustedProxies) -> str | None:
    """The client's address: the peer's own, or when that is a trusted proxy, the rightmost of X-Forwarded-For that is not.

    Each proxy appends the address that it was called from, so everything left of the first one we do not trust could
    have been invented by it. When all are trusted the leftmost is the client; None when a trusted proxy wrote something
    that is no address.
    """
    if peer not in trusted:
        return peer
    lines = [value.decode("latin-1") for name, value in headers if name == FORWARDED_FOR]
    nearest = peer
    for hop in reversed(",".join(lines).split(",")) if lines else ():
        address = parse_address(_without_port(hop.strip()))
        if address is None:
            return None
        nearest = str(address)
        if nearest not in trusted:
            break
    return nearest


def edge_country(peer: str | None, headers: Headers, trusted: TrustedProxies) -> str | None:
    """The ISO 3166-1 alpha-2 country that a trusted proxy says the client is in."""
    if peer not in trusted:
        return None
    # Of several lines of one name the last is the nearest proxy's.
    lines = {name: value for name, value in headers if name in COUNTRY_HEADERS}
    for name in COUNTRY_HEADERS:
        country = lines.get(name, b"").decode("latin-1").strip().upper()
        if len(country) == 2 and country.isascii() and country.isalpha() and country not in _NO_COUNTRY:
            return country
    return None


def _without_port(hop: str) -> str:
    """`203.0.113.7:1234` and `[2001:db8::1]:1234` without what is no address."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop

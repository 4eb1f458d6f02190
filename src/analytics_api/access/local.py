"""Whether a request was made at this machine: the only ones that sandbox mode answers without a key."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_FORWARDED = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
    }
)
_FORWARDED_PREFIX = "x-forwarded"


def is_local(request: HTTPConnection) -> bool:
    """Whether the peer and the Host are local and no proxy is in between.

    The Host is checked so that a web page cannot reach the sandbox by a name of its own (DNS rebinding); a proxy on
    this machine would make the whole world look local.
    """
    if any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in request.headers):
        return False
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or request.client is None:
        return False
    return _is_loopback(_host_name(hosts[0])) and _is_loopback(request.client.host)


def is_foreign_page(request: HTTPConnection) -> bool:
    """Whether a browser says that a page from elsewhere has made the request (its Origin is not this machine).

    Browsers name no origin when they merely follow a link or fetch from the page's own server.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return False
    try:
        return not _is_loopback(urlsplit(origin).hostname)
    except ValueError:
        return True


@lru_cache(1024)
def _host_name(host: str) -> str | None:
    """The host of a Host header: `localhost`, `127.0.0.1:8000`, `[::1]:8000`."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.netloc != host or "@" in host:
            return None
        _ = parts.port
        return parts.hostname
    except ValueError:
        return None


@lru_cache(1024)
def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # A server that listens on both families sees IPv4 peers as ::ffff:127.0.0.1.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback

"""HTTP clients for what goes out."""

from __future__ import annotations

import ssl
from functools import cache

import httpx

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)
"""Connections are not rationed: else a hundred requests that hang would keep those to other servers waiting."""


def make_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client; the caller closes it."""
    return httpx.AsyncClient(limits=LIMITS, transport=transport, verify=trusted())


@cache
def trusted() -> ssl.SSLContext:
    """What certificates are checked against. To read all authorities takes 25 ms, so once in a process."""
    return httpx.create_ssl_context()

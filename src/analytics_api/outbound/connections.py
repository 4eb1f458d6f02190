"""HTTP clients for what goes out."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from analytics_api.outbound.addresses import PublicOnlyTransport, make_public_only_resolver

if TYPE_CHECKING:
    import aiohttp

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)
"""Connections are not rationed: else a hundred requests that hang would keep those to other servers waiting."""
CONNECT_SECONDS = 5.0


@cache
def certificates() -> ssl.SSLContext:
    """Those of the authorities that httpx trusts; reading them takes 20 ms."""
    return httpx.create_ssl_context()


class Client(httpx.AsyncClient):
    """Sends with httpx to servers of any kind, and with aiohttp (`session`) to the APIs of known providers.

    A request costs 1.6 ms of processor with the one and 0.4 with the other, which does not read every answer that careless servers
    give: a 204 with a body is an error to it.
    """

    def __init__(self, *, public_only: bool = False) -> None:
        """With `public_only` it connects to no address inside the operator's own network."""
        self.public_only = public_only
        self._session: aiohttp.ClientSession | None = None
        super().__init__(
            limits=LIMITS,
            verify=certificates(),
            transport=PublicOnlyTransport(LIMITS, certificates()) if public_only else None,
        )

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made at its first use: many a command and process never sends to a provider."""
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    ssl=certificates(),
                    resolver=make_public_only_resolver() if self.public_only else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                # As httpx does: through a proxy the operator's network is not ours to look at.
                trust_env=not self.public_only,
            )
        return self._session

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        await super().aclose()

    async def __aexit__(self, *raised: Any) -> None:
        # httpx does not call `aclose` here.
        if self._session is not None:
            await self._session.close()
        await super().__aexit__(*raised)


def make_client(*, public_only: bool = False) -> Client:
    """A client; the caller closes it."""
    return Client(public_only=public_only)

"""Requests to the APIs of known providers, by aiohttp: a quarter of what httpx takes, which is half of a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import httpx

from analytics_api.domain.outcome import Paused, Retry, Unknown
from analytics_api.outbound import http
from analytics_api.outbound.addresses import AddressRefused, public_addresses
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import (
    Answer,
    headers_with,
    no_answer,
    no_connection,
    unusable,
)

if TYPE_CHECKING:
    import aiohttp
    import yarl


async def post_known(
    client: Client,
    url: str,
    body: bytes,
    *,
    params: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer | Retry | Unknown | Paused:
    """As `http.post`, to a server whose answers are known to be well-formed."""
    import aiohttp

    try:
        address = _address(url, tuple((params or {}).items()))
    except ValueError as error:
        return unusable(error)
    try:
        async with asyncio.timeout(http.TOTAL_SECONDS):
            if client.public_only and _is_literal(address.host or ""):
                await public_addresses(address.host or "")
            async with client.session.post(
                address, data=body, headers=headers_with(headers, auth), allow_redirects=False
            ) as response:
                text = await _beginning(response)
                return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, text)
    except AddressRefused as error:
        return Paused(str(error))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpx.ConnectError) as error:
        return no_connection(error)
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        return unusable(error)
    except TimeoutError:
        return Unknown(f"no complete answer within {http.TOTAL_SECONDS:.0f} s")
    except (aiohttp.ClientError, OSError) as error:
        return no_answer(error)


# The same few in every request.
@lru_cache(256)
def _address(url: str, params: tuple[tuple[str, str], ...]) -> yarl.URL:
    import yarl

    return yarl.URL(url).update_query(dict(params)) if params else yarl.URL(url)


def _is_literal(host: str) -> bool:
    """Whether aiohttp takes a host for an address, about which it does not ask its resolver: 127.1 and 2130706433, too."""
    return ":" in host or host.replace(".", "").isdigit()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    text = bytearray()
    async for piece in response.content.iter_any():
        text += piece
        if len(text) > http.MOST_BYTES:
            response.close()
            break
    return bytes(text[: http.MOST_BYTES])

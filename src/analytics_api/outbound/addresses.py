"""Keeps requests whose address somebody typed in over the API away from this machine and its neighbours (SSRF)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from analytics_api.errors import ConfigurationError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that has been given out of IPv6 so far. Outside are forms that stand for IPv4 addresses in one network or another."""

_CLOUD = (IPv4Network("192.0.0.0/24"), IPv4Network("168.63.129.16/32"))
"""Where Oracle's and Azure's machines ask for their own credentials; older Pythons take these for the internet's."""

Address = IPv4Address | IPv6Address


class AddressRefused(httpx.TransportError):
    """The address is inside the operator's own network."""


def checked_url(url: str, place: str) -> str:
    """A URL that can be sent to. Raises ConfigurationError when it is none, or holds a password that would show.

    `place` says in the error whose URL that is.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{place}: url must start with http:// or https:// and name a host.")
    if parts.username or parts.password:
        raise ConfigurationError(f"{place}: url must not hold a user name or password.")
    return url


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet: not private, loopback, link-local (cloud metadata) or multicast.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) counts as what it is.
    """
    if isinstance(address, IPv6Address):
        inner = _inner_address(address)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    elif any(address in network for network in _CLOUD):
        return False
    return address.is_global and not address.is_multicast


def _inner_address(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


async def addresses_of(host: str) -> list[Address]:
    """The addresses of a host, as the system resolves it. Raises httpx.ConnectError when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise httpx.ConnectError(f"{host} cannot be resolved: {error}") from error
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


async def public_addresses(host: str) -> list[Address]:
    """The addresses of a host, all of which are public. Raises AddressRefused, and httpx.ConnectError when it has none."""
    addresses = await addresses_of(host)
    refused = next((address for address in addresses if not is_public(address)), None)
    if refused is not None:
        raise AddressRefused(
            f"{host} is the private address {refused}, to which nothing is sent: use a public one, or set "
            "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS=true"
        )
    return addresses


class PublicOnlyTransport(httpx.AsyncBaseTransport):
    """Connects to public addresses only, and to the very address that was checked: DNS has no second say.

    Connections are kept for each host of their own, so that none is reused for another host at the same address.
    """

    def __init__(self, limits: httpx.Limits, certificates: ssl.SSLContext) -> None:
        self._limits = limits
        self._certificates = certificates
        self._hosts: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises AddressRefused before anything is sent."""
        host = request.url.host
        addresses = await public_addresses(host)
        if host not in self._hosts:
            self._hosts[host] = httpx.AsyncHTTPTransport(verify=self._certificates, limits=self._limits)
        last: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses:
            request.url = request.url.copy_with(host=str(address))
            # The certificate is checked against the name; the Host header has been set from it already.
            request.extensions = {**request.extensions, "sni_hostname": host}
            try:
                return await self._hosts[host].handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error
        raise last or httpx.ConnectError(f"{host} has no address")

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._hosts.values():
            await transport.aclose()


def make_public_only_resolver() -> AbstractResolver:
    """The same for aiohttp, which connects to what its resolver returns. It is not asked about hosts that are addresses already:
    those are for the caller to check.
    """
    from aiohttp.abc import AbstractResolver, ResolveResult

    class PublicOnlyResolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            try:
                addresses = await public_addresses(host)
            except httpx.ConnectError as error:
                raise OSError(str(error)) from error
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                    proto=0,
                    flags=socket.AI_NUMERICHOST,
                )
                for address in addresses
            ]

        async def close(self) -> None:
            pass

    return PublicOnlyResolver()

"""One HTTP request and its fate: what came back, or whether it may have arrived. Shared by destinations and alerts."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx

from analytics_api.domain.outcome import Outcome, Paused, Retry, Unknown
from analytics_api.outbound.addresses import AddressRefused

TIMEOUT = httpx.Timeout(None, connect=5.0)
TOTAL_SECONDS = 30.0
"""For the whole exchange. httpx's own limits are between two bytes, so that a trickle could last for ever; they go without."""
LONGEST_RETRY_AFTER = 86_400.0
MOST_BYTES = 4_000_000
"""Of an answer that are read. Amplitude's on 2,000 bad events has some 100 kB."""
_WORDS = 500
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "analytics-api"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json_object(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is none, as with a proxy's HTML page."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def words(self) -> str:
        """Status and the beginning of the body, for people."""
        text = " ".join(self.body[: 4 * _WORDS].decode(errors="replace").split())
        return f"HTTP {self.status}: {text[:_WORDS]}" if text else f"HTTP {self.status}"

    def retry_after(self, now: datetime | None = None) -> float | None:
        """Seconds that Retry-After asks for (a number or an HTTP date), at most a day; None when it does not."""
        given = self.headers.get("retry-after")
        if given is None:
            return None
        try:
            seconds = float(given)
        except ValueError:
            try:
                moment = parsedate_to_datetime(given)
            except ValueError:
                return None
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None


async def post(
    client: httpx.AsyncClient,
    url: str,
    body: bytes,
    *,
    params: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer | Retry | Unknown | Paused:
    """POST a JSON body once. Retry: it surely did not arrive; Unknown: it may have; Paused: it may not go there."""
    return await request(client, "POST", url, body, params=params, auth=auth, headers=headers)


async def request(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    body: bytes | None = None,
    *,
    params: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer | Retry | Unknown | Paused:
    """The same with any method."""
    try:
        # Not of the client's making, which costs more than all that is between here and the socket.
        prepared = httpx.Request(
            method,
            _address(url, tuple((params or {}).items())),
            headers=headers_with(headers, auth),
            content=body,
            extensions={"timeout": TIMEOUT.as_dict()},
        )
        async with asyncio.timeout(TOTAL_SECONDS):
            response = await client.send(prepared, stream=True, follow_redirects=False)
            try:
                text = await _beginning(response)
            finally:
                await response.aclose()
    except AddressRefused as error:
        return Paused(str(error))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return no_connection(error)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        return unusable(error)
    except TimeoutError:
        return Unknown(f"no complete answer within {TOTAL_SECONDS:.0f} s")
    except httpx.HTTPError as error:
        return no_answer(error)
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, text)


# The same few in every request, and httpx would take each apart anew.
@lru_cache(256)
def _address(url: str, params: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(url).copy_merge_params(dict(params)) if params else httpx.URL(url)


def headers_with(given: Mapping[str, str] | None, auth: tuple[str, str] | None) -> dict[str, str]:
    """What every request says of itself, what this one says, and user and password in the basic scheme (RFC 7617)."""
    headers = {**_HEADERS, **(given or {})}
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    return headers


def no_connection(error: Exception) -> Retry:
    """It surely did not arrive."""
    return Retry(f"no connection to the provider ({_name(error)})")


def unusable(error: Exception) -> Retry:
    """The address is none; somebody has to mend it."""
    return Retry(f"the provider's address cannot be used ({_name(error)})")


def no_answer(error: Exception) -> Unknown:
    """It may have arrived."""
    return Unknown(f"the answer was lost ({_name(error)})")


async def _beginning(response: httpx.Response) -> bytes:
    """The body, or its beginning: whoever is at the other end must not fill this process's memory."""
    text = bytearray()
    async for piece in response.aiter_bytes():
        text += piece
        if len(text) > MOST_BYTES:
            break
    return bytes(text[:MOST_BYTES])


def _name(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def common_outcome(answer: Answer) -> Outcome | None:
    """What every provider means by a status; None for 2xx and for those each reads in its own way (400, 413, 429).

    Anything that is not the provider speaking (a proxy's page, a redirect, a wrong address) is tried again with
    backoff: the backlog is kept and the reason shows.
    """
    if answer.status in (401, 403):
        return Paused(answer.words())
    if 200 <= answer.status < 300 or answer.status in (400, 413, 429):
        return None
    if answer.status in (500, 502, 504):
        return Unknown(answer.words(), answer.retry_after())
    return Retry(answer.words(), answer.retry_after())

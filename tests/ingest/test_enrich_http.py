"""Enrichment over HTTP: whose headers are believed, and that addresses and user agents leave no trace in the database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics_api.app import create_app
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.errors import ConfigurationError
from analytics_api.settings import Settings
from analytics_api.store.keys import create_key
from tests.support.events import open_database
from tests.support.mmdb import write_mmdb
from tests.support.serving import served

EVENTS = "/api/v1/analytics/events"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
FORWARDED = {"X-Forwarded-For": "8.8.8.8, 200.160.2.3", "User-Agent": IPHONE}


@asynccontextmanager
async def api(url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The whole web process without background work, and a client with a public key."""
    app = create_app(Settings(_env_file=None, **settings), url)
    async with app.router.lifespan_context(app), served(app) as server:
        async with open_database(url) as database, database.write() as connection:
            key = await create_key(connection, 1, KeyKind.WRITE, now=system_clock())
        server.client.headers["X-API-Key"] = key
        yield server.client


async def stored_context(url: str) -> dict[str, Any]:
    async with open_database(url) as database:
        row = await database.pool.fetchrow(
            "SELECT events.*, events::text AS everything FROM events WHERE event_type = 'page_view'"
        )
    assert row is not None
    for planted in ("200.160.2.3", "8.8.8.8", "127.0.0.1", "AppleWebKit"):
        assert planted not in row["everything"]
    context: dict[str, Any] = json.loads(row["context"])
    return context


async def send(client: httpx.AsyncClient, **headers: str) -> None:
    answer = await client.post(EVENTS, json={"event_type": "page_view"}, headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


PHONE = {"browser": "Mobile Safari", "browser_version": "17", "os": "iOS", "device": "mobile"}


async def test_headers_of_strangers_are_not_believed(database_url: str) -> None:
    async with api(database_url) as client:
        await send(client, **FORWARDED, **{"CF-IPCountry": "SE"})
    assert await stored_context(database_url) == PHONE


async def test_a_trusted_proxy_says_for_whom_it_speaks(database_url: str) -> None:
    async with api(database_url, trusted_proxies=("127.0.0.0/8",)) as client:
        await send(client, **FORWARDED)
    assert await stored_context(database_url) == {**PHONE, "country": "BR"}


async def test_a_trusted_edge_says_the_country(database_url: str) -> None:
    async with api(database_url, trusted_proxies=("127.0.0.0/8",)) as client:
        await send(client, **FORWARDED, **{"CF-IPCountry": "SE"})
    assert await stored_context(database_url) == {**PHONE, "country": "SE"}


async def test_a_database_of_the_operator(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "cities.mmdb"
    path.write_bytes(write_mmdb({"country_code": "BR", "state1": "SP", "city": "Campinas"}))
    async with api(database_url, trusted_proxies=("127.0.0.1",), geoip_database=path) as client:
        await send(client, **FORWARDED)
    assert await stored_context(database_url) == {
        **PHONE,
        "country": "BR",
        "region": "SP",
        "city": "Campinas",
    }


async def test_a_database_that_is_missing_stops_the_start(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ANALYTICS__GEOIP_DATABASE"):
        async with api(database_url, geoip_database=tmp_path / "missing.mmdb"):
            pass

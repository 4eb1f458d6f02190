"""Fixtures of the delivery tests: a database, a project, an HTTP client, a clock and stand-ins for the providers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client, make_client
from analytics_api.store.engine import Database
from tests.support.delivering import MovableClock, destination, make_reader
from tests.support.destinations import BOX, serving
from tests.support.events import make_project, open_database
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn, WebhookStandIn


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with make_client() as client:
        yield client


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def amplitude() -> AsyncIterator[AmplitudeStandIn]:
    async with AmplitudeStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def mixpanel() -> AsyncIterator[MixpanelStandIn]:
    async with MixpanelStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def reader(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    amplitude: AmplitudeStandIn,
) -> DestinationReader:
    """Towards Amplitude, ten events a request."""
    to = destination("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url})
    return await make_reader(database, project, to, client, clock, batch_size=10)


@pytest.fixture
async def to_mixpanel(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    mixpanel: MixpanelStandIn,
) -> DestinationReader:
    to = destination("mixpanel", {"token": mixpanel.token, "url": mixpanel.url})
    return await make_reader(database, project, to, client, clock, batch_size=10)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def worker(
    database: Database, project: Project, client: Client, amplitude: AmplitudeStandIn
) -> AsyncIterator[Destinations]:
    """Another process than the API's: it learns of everything from the table."""
    configs = [DestinationConfig("amplitude", {"api_key": amplitude.api_key, "url": amplitude.url})]
    made = Destinations(database, configs, client, owner="worker", box=BOX)
    await made.ensure()
    yield made
    await made.close()


@pytest.fixture
async def api(
    database: Database, project: Project, client: Client, worker: Destinations
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin key."""
    destinations = Destinations(
        database, [DestinationConfig("amplitude", {"api_key": "k"})], client, owner="api", box=BOX
    )
    async with await serving(database, project, destinations) as http:
        yield http
    await destinations.close()

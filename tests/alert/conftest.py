"""Fixtures of the alert tests: a database, a project with its alerts, a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics_api.store.engine import Database
from tests.support.alerting import AlertReceiver, World, make_alerts
from tests.support.delivering import MovableClock
from tests.support.events import make_project, open_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    clock = MovableClock()
    made = World(database, await make_project(database), clock, make_alerts(database, clock))
    await made.without_defaults()
    yield made
    await made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[AlertReceiver]:
    async with AlertReceiver() as receiver:
        yield receiver

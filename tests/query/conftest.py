"""The metric and money routes with a clock that tests set."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_project, open_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture
async def api(database: Database, project: Project) -> AsyncIterator[Api]:
    api = Api(database)
    async with api.client:
        yield api

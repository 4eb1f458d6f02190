"""Fixtures for intake."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.events import open_database
from tests.support.stripe_route import Stripe, stripe_in


@pytest.fixture
async def stripe(database_url: str) -> AsyncIterator[Stripe]:
    async with open_database(database_url) as database, stripe_in(database) as found:
        yield found

"""Each provider with its stand-in, one at a time: the suite runs once for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from analytics_api.deliver.providers.port import Provider
from analytics_api.deliver.providers.registry import make_provider
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn, StandIn


@dataclass
class Case:
    """A provider, what it talks to and how much that has stored. The sandbox talks to nobody."""

    provider: Provider
    stand_in: StandIn | None
    stored: Callable[[], int]
    wrong_credentials: Provider | None = None


@asynccontextmanager
async def _amplitude() -> AsyncIterator[Case]:
    async with AmplitudeStandIn() as stand_in:
        options = {"url": stand_in.url, "api_key": stand_in.api_key}
        yield Case(
            make_provider("amplitude", options),
            stand_in,
            lambda: len(stand_in.stored),
            make_provider("amplitude", {**options, "api_key": "stale-key"}),
        )


@asynccontextmanager
async def _mixpanel() -> AsyncIterator[Case]:
    async with MixpanelStandIn() as stand_in:
        options = {"url": stand_in.url, "token": stand_in.token}
        yield Case(
            make_provider("mixpanel", options),
            stand_in,
            lambda: len(stand_in.stored),
            make_provider("mixpanel", {**options, "token": "stale-token"}),
        )


@asynccontextmanager
async def _sandbox() -> AsyncIterator[Case]:
    yield Case(make_provider("sandbox", {}), None, lambda: 0)


_CASES = {"amplitude": _amplitude, "mixpanel": _mixpanel, "sandbox": _sandbox}


@pytest.fixture(params=_CASES)
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """Every provider."""
    async with _CASES[request.param]() as case:
        yield case


@pytest.fixture(params=[name for name in _CASES if name != "sandbox"])
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """Every provider that is somewhere else."""
    async with _CASES[request.param]() as case:
        yield case


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client

"""Each provider with its stand-in, one at a time: the suite runs once for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from analytics_api.deliver.providers.port import Provider
from analytics_api.deliver.providers.registry import make_provider
from analytics_api.domain.outcome import Outcome, Paused, Refused
from analytics_api.outbound.connections import Client, make_client
from tests.support.providers import (
    AmplitudeStandIn,
    GoogleAnalyticsStandIn,
    MixpanelStandIn,
    PostHogStandIn,
    SegmentStandIn,
    StandIn,
    WebhookStandIn,
)


@dataclass
class Case:
    """A provider, what it talks to and what that holds. The sandbox talks to nobody."""

    provider: Provider
    stand_in: StandIn | None
    stored: Callable[[], list[dict[str, Any]]]
    wrong_credentials: Provider | None = None
    """None where the provider takes any credentials and throws the events away."""
    dropped: Callable[[], int] = lambda: 0
    """Records that the provider threw away without a word."""
    statuses: Mapping[int, type[Outcome]] = field(default_factory=dict)
    """What it means by statuses that others mean otherwise."""
    names_bad_events: bool = False
    refuses_bad_events: bool = True
    reads_bodies: bool = True
    """Whether a 2xx with the wrong body is not believed."""
    number: Callable[[dict[str, Any]], Any] = lambda record: None
    """The property `n` of a record that arrived."""
    profile: Callable[[], dict[str, Any]] | None = None
    """What is known of the user ada; None where the provider holds no profiles."""
    too_large: str = "TooLarge"


@asynccontextmanager
async def _amplitude() -> AsyncIterator[Case]:
    async with AmplitudeStandIn() as stand_in:
        options = {"url": stand_in.url, "api_key": stand_in.api_key}
        yield Case(
            make_provider("amplitude", options),
            stand_in,
            lambda: [event for event in stand_in.stored if event["event_type"] != "$identify"],
            make_provider("amplitude", {**options, "api_key": "stale-key"}),
            names_bad_events=True,
            number=lambda record: record["event_properties"]["n"],
            profile=lambda: _merged(
                event["user_properties"].get("$set", {})
                for event in stand_in.stored
                if event["event_type"] == "$identify"
            ),
        )


@asynccontextmanager
async def _mixpanel() -> AsyncIterator[Case]:
    async with MixpanelStandIn() as stand_in:
        options = {"url": stand_in.url, "token": stand_in.token}
        yield Case(
            make_provider("mixpanel", options),
            stand_in,
            lambda: stand_in.stored,
            make_provider("mixpanel", {**options, "token": "stale-token"}),
            names_bad_events=True,
            number=lambda record: record["properties"]["n"],
            profile=lambda: stand_in.profiles.get("ada", {}),
        )


@asynccontextmanager
async def _webhook() -> AsyncIterator[Case]:
    async with WebhookStandIn() as stand_in:
        options = {"url": f"{stand_in.url}/hook", "secret": stand_in.secret}
        yield Case(
            make_provider("webhook", options),
            stand_in,
            lambda: stand_in.stored,
            make_provider("webhook", {**options, "secret": "whsec_c3RhbGUgc2VjcmV0IG9mIDI0IGJ5"}),
            statuses={404: Paused, 410: Paused, 422: Refused},
            reads_bodies=False,
            number=lambda record: record["event_data"]["n"],
            profile=lambda: _merged(
                (event["user_properties"] or {}).get("$set", {}) for event in stand_in.stored
            ),
        )


@asynccontextmanager
async def _posthog() -> AsyncIterator[Case]:
    async with PostHogStandIn() as stand_in:
        options = {"url": stand_in.url, "api_key": stand_in.api_key}
        yield Case(
            make_provider("posthog", options),
            stand_in,
            lambda: stand_in.stored,
            make_provider("posthog", {**options, "api_key": "phc_stale"}),
            dropped=lambda: len(stand_in.dropped),
            refuses_bad_events=False,
            number=lambda record: record["properties"]["n"],
            profile=lambda: stand_in.persons.get("ada", {}),
        )


@asynccontextmanager
async def _segment() -> AsyncIterator[Case]:
    async with SegmentStandIn() as stand_in:
        options = {"url": stand_in.url, "write_key": stand_in.write_key}
        yield Case(
            make_provider("segment", options),
            stand_in,
            lambda: [message for message in stand_in.stored if message["type"] == "track"],
            dropped=lambda: len(stand_in.dropped),
            refuses_bad_events=False,
            number=lambda record: record["properties"]["n"],
            profile=lambda: stand_in.traits.get("ada", {}),
            too_large="Refused",
        )


@asynccontextmanager
async def _rudderstack() -> AsyncIterator[Case]:
    async with SegmentStandIn(rudder=True) as stand_in:
        options = {"url": stand_in.url, "write_key": stand_in.write_key}
        yield Case(
            make_provider("segment", options),
            stand_in,
            lambda: [message for message in stand_in.stored if message["type"] == "track"],
            make_provider("segment", {**options, "write_key": "stale-key"}),
            dropped=lambda: len(stand_in.dropped),
            refuses_bad_events=False,
            number=lambda record: record["properties"]["n"],
            profile=lambda: stand_in.traits.get("ada", {}),
        )


@asynccontextmanager
async def _ga4() -> AsyncIterator[Case]:
    async with GoogleAnalyticsStandIn() as stand_in:
        options = {
            "url": stand_in.url,
            "measurement_id": stand_in.measurement_id,
            "api_secret": stand_in.api_secret,
            # The suite's events have a date of their own.
            "old_events": "send",
        }
        yield Case(
            make_provider("ga4", options),
            stand_in,
            lambda: stand_in.stored,
            dropped=lambda: len(stand_in.dropped),
            refuses_bad_events=False,
            number=lambda record: record["params"]["n"],
            profile=lambda: {
                name: held["value"]
                for properties in stand_in.user_properties.values()
                for name, held in properties.items()
            },
        )


@asynccontextmanager
async def _sandbox() -> AsyncIterator[Case]:
    yield Case(make_provider("sandbox", {}), None, list)


def _merged(parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found |= part
    return found


_CASES = {
    "amplitude": _amplitude,
    "ga4": _ga4,
    "mixpanel": _mixpanel,
    "posthog": _posthog,
    "rudderstack": _rudderstack,
    "sandbox": _sandbox,
    "segment": _segment,
    "webhook": _webhook,
}


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
async def client() -> AsyncIterator[Client]:
    async with make_client() as client:
        yield client

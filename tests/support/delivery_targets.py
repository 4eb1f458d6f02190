"""A destination for the state machine: the stand-in behind it, what has arrived there, and how it recovers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from analytics_api.deliver.destination import Destination, DestinationConfig, open_destination
from tests.support.providers import AmplitudeStandIn, GoogleAnalyticsStandIn, MixpanelStandIn
from tests.support.providers.server import JSON

AnyStandIn = AmplitudeStandIn | MixpanelStandIn | GoogleAnalyticsStandIn


@dataclass(frozen=True)
class Sort:
    """What an event is like."""

    user: str | None
    event_type: str = "page_view"
    bad: bool = False
    """Whether Amplitude and Mixpanel refuse it."""
    counting: bool = False
    """Whether it adds 1 to the visits of its user."""


@dataclass
class Target:
    """A destination and the provider behind it."""

    config: DestinationConfig
    to: Destination
    stand_in: AnyStandIn
    late: set[int] = field(default_factory=set)
    """Numbers of dead letters that were tried again: they may come after later ones."""

    @property
    def kind(self) -> str:
        """The provider's name, which is the destination's own, too."""
        return self.to.name

    def arrived(self) -> list[int]:
        """Numbers of the events in the order of their arrival, after the provider's own deduplication."""
        return list(_numbers(self.stand_in.stored))

    def heal(self) -> None:
        """The provider works as it should again."""
        self.stand_in.faults.clear()
        self.stand_in.broken = None
        self.stand_in.largest = None
        if isinstance(self.stand_in, AmplitudeStandIn):
            self.stand_in.throttled = set()
            self.stand_in.over_quota = set()
            self.stand_in.silenced = set()

    def refused_for_good(self) -> set[int]:
        """Numbers of events that were silenced, or too large alone. A crash right then forgets the verdict."""
        found: set[int] = set()
        for request in self.stand_in.refused:
            body = json.loads(request.body)
            numbers = set(_numbers(body if isinstance(body, list) else body["events"]))
            found |= numbers if len(numbers) == 1 else set()
        if isinstance(self.stand_in, AmplitudeStandIn):
            found |= set(_numbers(self.stand_in.dropped))
        return found


_PLACES = ("event_properties", "properties", "params")
"""Where the providers have an event's own properties."""


def _numbers(records: Iterable[JSON]) -> Iterator[int]:
    """Of the events among the records; `$identify` and profile updates have none."""
    for record in records:
        for place in _PLACES:
            if "n" in record.get(place, {}):
                yield record[place]["n"]


@asynccontextmanager
async def target(kind: str) -> AsyncIterator[Target]:
    """Amplitude, Mixpanel or, as one that recognises no repetition, Google Analytics."""
    async with _STAND_INS[kind]() as stand_in:
        config = DestinationConfig(kind, {**_options(stand_in), "url": stand_in.url})
        yield Target(config, open_destination(config, muted=False), stand_in)


_STAND_INS: dict[str, type[AnyStandIn]] = {
    "amplitude": AmplitudeStandIn,
    "mixpanel": MixpanelStandIn,
    "ga4": GoogleAnalyticsStandIn,
}


def _options(stand_in: AnyStandIn) -> dict[str, str]:
    if isinstance(stand_in, AmplitudeStandIn):
        return {"api_key": stand_in.api_key}
    if isinstance(stand_in, MixpanelStandIn):
        return {"token": stand_in.token}
    # The events have a date of their own.
    secret = stand_in.api_secret
    return {"measurement_id": stand_in.measurement_id, "api_secret": secret, "old_events": "send"}

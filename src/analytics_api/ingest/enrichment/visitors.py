"""Address and user agent of whoever caused an event, as fields of its context."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from analytics_api.ingest.enrichment.agents import UNKNOWN, parse_agent, warm_up
from analytics_api.ingest.enrichment.countries import NOWHERE, Place, Places, built_in, parse_address

MOST_REMEMBERED = 8_192
"""Visitors whose fields are kept, in memory only: at most 10 MB."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Fields of the context, shared by all events of the visitor: do not change them."""

    fields: dict[str, str]
    is_bot: bool


class Enricher:
    """Knows visitors by what they send. One for each process; `places` answers for addresses."""

    def __init__(self, places: Places | None = None) -> None:
        self._given = places
        self.visitor = lru_cache(MOST_REMEMBERED)(self._visitor)
        """(address, country that an edge server states, user agent, whether that agent sent the request) -> Visitor."""

    def warm_up(self) -> None:
        """Load all tables now (0.2 s, 40 MB), so that the first event need not wait for them."""
        warm_up()
        self._place(None)

    def _visitor(self, ip: str | None, country: str | None, user_agent: str | None, sender: bool) -> Visitor:
        place = Place(country) if country else self._place(ip)
        agent = parse_agent(user_agent) if user_agent else UNKNOWN
        # A program that sends events with a library for requests is an app. A visitor that came with one is a robot.
        is_bot = agent.bot is not None and not (sender and agent.library)
        fields = {
            "browser": agent.browser,
            "browser_version": agent.browser_version,
            "os": agent.os,
            "device": agent.device,
            "bot": agent.bot if is_bot else None,
            "country": place.country,
            "region": place.region,
            "city": place.city,
        }
        return Visitor({name: value for name, value in fields.items() if value is not None}, is_bot)

    def _place(self, ip: str | None) -> Place:
        places = built_in() if self._given is None else self._given
        address = parse_address(ip)
        return NOWHERE if address is None else places.place(address)


@cache
def default_enricher() -> Enricher:
    """The enricher with the built-in table of countries, which is read at the first address."""
    return Enricher()

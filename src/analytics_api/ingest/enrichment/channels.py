"""How somebody came to a page: channel and site from the referrer, UTM parameters and click ids. The table is sources.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TABLE = "sources.toml"

CHANNELS = frozenset(
    {
        "direct",
        "internal",
        "search",
        "ai",
        "social",
        "video",
        "email",
        "messaging",
        "paid",
        "affiliate",
        "referral",
        "campaign",
    }
)
"""`internal`: from a page of the same site. `campaign`: tagged with UTM parameters that say no other channel."""

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
SOURCE_FIELDS = ("channel", "site", "referrer_host", "click_id", *UTM)

LONGEST_VALUE = 200
MOST_PARAMETERS = 100
MOST_REMEMBERED = 4_096
"""Pairs of page and referrer whose source is kept; with at most LONGEST_KEY characters each that is 5 MB."""
LONGEST_KEY = 1_000

Source = dict[str, str]


def source_of(url: str, referrer: str, utm: tuple[tuple[str, str], ...] = ()) -> Source:
    """The source of a view of `url` that came from `referrer` (either may be empty), tagged with `utm` beside the URL's own.

    Keys of the answer: `channel` always, of the other SOURCE_FIELDS those that are known. Do not change it: it is shared.
    """
    # Of a referrer only the host counts, and of a page without parameters too: all such pages share one entry.
    if referrer:
        referrer = _without_path(referrer)
    if "?" not in url:
        url = _without_path(url)
    if utm or len(url) + len(referrer) > LONGEST_KEY:
        return _source(url, referrer, utm)
    return _remembered(url, referrer)


def _without_path(url: str) -> str:
    end = url.find("/", url.find("://") + 3)
    return url[:end] if end > 0 else url


@lru_cache(MOST_REMEMBERED)
def _remembered(url: str, referrer: str) -> Source:
    return _source(url, referrer, ())


def clean_source(value: object) -> Source | None:
    """A source that a sender states itself, reduced to the known fields; None when its channel is not one of CHANNELS."""
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("channel"), str)
        or value["channel"] not in CHANNELS
    ):
        return None
    return {
        name: _short(text)
        for name in SOURCE_FIELDS
        if isinstance(text := value.get(name), str) and _short(text)
    }


def _source(url: str, referrer: str, utm: tuple[tuple[str, str], ...]) -> Source:
    table = _table()
    host, query = _split(url)
    referrer_host, _ = _split(referrer)
    tags = {name: _short(value) for name, value in (*_parameters(query), *utm) if _short(value)}
    click_id = next((name for name in table.click_ids if name in tags), None)
    tagged = {name: tags[name] for name in UTM if name in tags}
    internal = bool(referrer_host and host and _same_site(referrer_host, host))
    channel, site = _channel(table, tagged, click_id, "" if internal else referrer_host)
    if channel == "direct" and internal:
        return {"channel": "internal"}
    source = {"channel": channel}
    if site:
        source["site"] = site
    if referrer_host and not internal:
        source["referrer_host"] = referrer_host
    if click_id:
        source["click_id"] = click_id
    return source | tagged


def _channel(
    table: _Table, tagged: dict[str, str], click_id: str | None, referrer_host: str
) -> tuple[str, str | None]:
    """Channel and site. What a link was tagged with on purpose goes before where it was clicked."""
    clicked, clicked_site = table.click_ids[click_id] if click_id else (None, None)
    named, named_site = table.named(tagged.get("utm_source", ""))
    known, known_site = table.host(referrer_host)
    site = (
        named_site
        or tagged.get("utm_source")
        or clicked_site
        or known_site
        or referrer_host.removeprefix("www.")
    )
    word = tagged.get("utm_source", "").lower()
    medium = table.mediums.get(tagged.get("utm_medium", "").lower()) or table.mediums.get(word)
    if medium == "paid" or clicked == "paid":
        return "paid", site
    # UTM parameters go before a site that is only known to be no search engine.
    channel = medium or named or clicked or (None if known == "referral" else known)
    if channel or tagged:
        return channel or "campaign", site or None
    return ("referral", site) if referrer_host else ("direct", None)


@dataclass(frozen=True, slots=True)
class _Table:
    hosts: dict[str, tuple[str, str]]
    """Host, or `google.*`, to (channel, site)."""
    names: dict[str, tuple[str, str]]
    """Name of a site in lower case to (channel, site)."""
    mediums: dict[str, str]
    click_ids: dict[str, tuple[str, str]]

    def host(self, host: str) -> tuple[str | None, str | None]:
        """Channel and site of a host: the longest entry that covers it."""
        labels = host.split(".")
        for at in range(len(labels)):
            found = self.hosts.get(".".join(labels[at:]))
            ending = labels[at + 1 :]
            # google.de, google.com, google.co.uk, but not google.example.com.
            if not found and 1 <= len(ending) <= 2 and all(len(label) <= 3 for label in ending):
                found = self.hosts.get(f"{labels[at]}.*")
            if found:
                return found
        return None, None

    def named(self, text: str) -> tuple[str | None, str | None]:
        """Channel and site that a utm_source names."""
        word = text.strip().lower()
        return self.names.get(word) or (self.host(word) if "." in word else (None, None))


@cache
def _table() -> _Table:
    data: dict[str, Any] = tomllib.loads(files(__package__).joinpath(TABLE).read_text(encoding="utf-8"))
    mediums = {word: channel for channel, words in data.pop("mediums").items() for word in words}
    click_ids = {name: (channel, site) for name, (channel, site) in data.pop("click_ids").items()}
    aliases: dict[str, str] = data.pop("aliases")
    hosts = {
        host: (channel, site)
        for channel, sites in data.items()
        for site, hosts in sites.items()
        for host in hosts
    }
    names = {site.lower(): (channel, site) for channel, sites in data.items() for site in sites}
    names |= {word: names[site.lower()] for word, site in aliases.items()}
    return _Table(hosts, names, mediums, click_ids)


def _split(url: str) -> tuple[str, str]:
    """Host (lower case, without port) and query of a URL; empty when it has none or is broken."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return _short(host.rstrip(".")), parts.query


def _parameters(query: str) -> list[tuple[str, str]]:
    if "=" not in query:
        return []
    try:
        return parse_qsl(query, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return []


def _same_site(one: str, other: str) -> bool:
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _short(text: str) -> str:
    """PostgreSQL cannot hold NUL, which %00 in a URL becomes."""
    return text.replace("\0", "").strip()[:LONGEST_VALUE]

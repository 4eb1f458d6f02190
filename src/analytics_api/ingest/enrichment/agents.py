"""Browser, operating system, kind of device and bot of a user agent string (uap-core and crawler-user-agents)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import Domain
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver
from ua_parser_rs import UserAgentExtractor

LONGEST = 512
"""Characters of a user agent that are looked at. Real ones have up to 400."""

LONGEST_NAME = 100

MOST_REMEMBERED = 10_000
"""Agents whose answer is kept: a site with a million visitors a day sees about 5,000."""

_LIBRARY_TAG = "http-library"
_OWN_LIBRARIES = ("PostmanRuntime/", "insomnia/", "Bruno")
"""Known to neither list."""

_BROWSER_AND_OS = Domain.USER_AGENT | Domain.OS


@dataclass(frozen=True, slots=True)
class Agent:
    """What a user agent string says. Fields it says nothing about are None."""

    browser: str | None = None
    browser_version: str | None = None
    """The major version."""
    os: str | None = None
    device: str | None = None
    """desktop, mobile, tablet, tv, console or wearable."""
    bot: str | None = None
    """The bot's name, when it is one."""
    library: bool = False
    """Whether the bot is a library for requests (curl, okhttp): one that sends events itself is an app, no robot."""


UNKNOWN = Agent()

_DEVICES = (
    (
        "tv",
        re.compile(r"smart-?tv|\btv\b|tizen|web0s|bravia|appletv|googletv|crkey|roku|\bAFT[A-Z]|hbbtv", re.I),
    ),
    ("console", re.compile(r"playstation|xbox|nintendo", re.I)),
    ("wearable", re.compile(r"watch|oculus|quest \d", re.I)),
    ("tablet", re.compile(r"ipad|tablet|kindle|silk/|playbook|^mozilla.*android(?!.*\bmobile\b)", re.I)),
    ("mobile", re.compile(r"mobile|iphone|ipod|android|phone|opera mini|blackberry|darwin/", re.I)),
    ("desktop", re.compile(r"windows|macintosh|mac os x|x11|linux|cros|bsd", re.I)),
)
"""The first that fits. An Android browser says `Mobile` on telephones alone."""
DEVICES = tuple(name for name, _ in _DEVICES)


@lru_cache(MOST_REMEMBERED)
def parse_agent(text: str) -> Agent:
    """What a user agent string says; UNKNOWN for an empty one. Known strings cost 0.1 µs, new ones about 50."""
    text = text[:LONGEST].strip()
    if not text:
        return UNKNOWN
    found = _resolver()(text, _BROWSER_AND_OS)
    bot, library = _bot(text)
    device = None if bot else next((kind for kind, pattern in _DEVICES if pattern.search(text)), None)
    browser, system = found.user_agent, found.os
    return Agent(
        browser=_name(browser.family) if browser else None,
        browser_version=_name(browser.major) if browser and browser.major else None,
        os=_name(system.family) if system else None,
        device=device,
        bot=bot,
        library=library,
    )


def _bot(text: str) -> tuple[str | None, bool]:
    """Name of the bot, and whether it is only a library."""
    match = _crawlers().extract(text)
    if match is not None and match.major is not None:
        return _name(match.family), match.major == _LIBRARY_TAG
    library = next((name for name in _OWN_LIBRARIES if text.startswith(name)), None)
    return (_name(library), True) if library else (None, False)


def _name(text: str) -> str | None:
    return text.replace("\0", "").strip(" /\\")[:LONGEST_NAME] or None


@cache
def _resolver() -> Resolver:
    """The Rust core with the patterns of uap-core for browsers and systems; those of device models would take 10 MB more."""
    browsers, systems, _ = load_lazy_builtins()
    return Resolver((browsers, systems, []))


@cache
def _crawlers() -> UserAgentExtractor:
    """The crawlers' patterns in the same Rust core: 4 µs a string instead of 180 in Python's `re`, same answers.

    Its answer has the text that fits as `family`, and in `major` whether the pattern is that of a library.
    """
    return UserAgentExtractor(
        (
            f"({crawler['pattern']})",
            None,
            _LIBRARY_TAG if _LIBRARY_TAG in crawler.get("tags", ()) else "crawler",
            None,
            None,
            None,
        )
        for crawler in CRAWLER_USER_AGENTS_DATA
    )


def warm_up() -> None:
    """Load the patterns now, so that the first event need not wait for them."""
    parse_agent("Mozilla/5.0")

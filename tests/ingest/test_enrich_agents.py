"""User agents: well-known browsers, every example of the crawlers' list, and programs that only send events."""

from __future__ import annotations

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.ingest.enrichment.agents import UNKNOWN, parse_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/126.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("text", "browser", "version", "system", "device"),
    [
        (MAC, "Chrome", "126", "Mac OS X", "desktop"),
        (IPHONE, "Mobile Safari", "17", "iOS", "mobile"),
        (IPHONE.replace("iPhone;", "iPad;"), "Mobile Safari", "17", "iOS", "tablet"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127", "Windows", "desktop"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "126", "Windows", "desktop"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome Mobile", "126", "Android", "mobile"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {WEBKIT} Chrome/126.0.0.0 Safari/537.36", "Chrome", "126", "Android", "tablet"),
        (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/87.0.4280.88 Safari/537.36", "Chrome", "87", "Web0S", "tv"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)", "Android", "13", "Android", "mobile"),
        # CUBOT is a make of telephones.
        (f"Mozilla/5.0 (Linux; Android 9; CUBOT_X18) {WEBKIT} Chrome/76.0.3809.89 Mobile Safari/537.36", "Chrome Mobile", "76", "Android", "mobile"),
    ],
)  # fmt: skip
def test_people(text: str, browser: str, version: str, system: str, device: str) -> None:
    agent = parse_agent(text)
    assert (agent.browser, agent.browser_version, agent.os, agent.device) == (
        browser,
        version,
        system,
        device,
    )
    assert agent.bot is None


def test_every_crawler_of_the_list_is_one() -> None:
    examples = [text for crawler in CRAWLER_USER_AGENTS_DATA for text in crawler["instances"]]
    assert len(examples) > 2_000
    assert [text for text in examples if parse_agent(text).bot is None] == []


@pytest.mark.parametrize(
    ("text", "name", "library"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", False),
        (f"Mozilla/5.0 {WEBKIT}; compatible; GPTBot/1.2; +https://openai.com/gptbot", "GPTBot", False),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/126.0.0.0 Safari/537.36", "HeadlessChrome", False),
        ("curl/8.5.0", "curl", True),
        ("python-requests/2.31.0", "python-requests", True),
        ("okhttp/4.12.0", "okhttp", True),
        ("PostmanRuntime/7.39.0", "PostmanRuntime", True),
    ],
)  # fmt: skip
def test_bots_and_libraries(text: str, name: str, library: bool) -> None:
    agent = parse_agent(text)
    assert (agent.bot, agent.library, agent.device) == (name, library, None)


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_says_nothing(text: str) -> None:
    assert parse_agent(text) == UNKNOWN


@given(st.text(max_size=600))
def test_any_text_is_answered_in_bounded_words(text: str) -> None:
    agent = parse_agent(text)
    for word in (agent.browser, agent.browser_version, agent.os, agent.bot):
        assert word is None or (0 < len(word) <= 100 and "\0" not in word)

"""Channel and site of a page view: referrers, UTM parameters, click ids, and what must not break on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.ingest.enrichment.channels import (
    CHANNELS,
    LONGEST_VALUE,
    SOURCE_FIELDS,
    clean_source,
    source_of,
)

PAGE = "https://www.example.com/pricing"


@pytest.mark.parametrize(
    ("referrer", "channel", "site"),
    [
        ("", "direct", None),
        ("https://example.com/", "internal", None),
        ("https://blog.example.com/post", "internal", None),
        ("https://notexample.com/", "referral", "notexample.com"),
        ("https://www.google.com/", "search", "Google"),
        ("https://www.google.co.uk/search?q=x", "search", "Google"),
        ("https://google.example.org/", "referral", "google.example.org"),
        ("https://mail.google.com/mail/u/0", "email", "Gmail"),
        ("https://gemini.google.com/app", "ai", "Gemini"),
        # Back from "Sign in with Google".
        ("https://accounts.google.com/", "referral", "Google Account"),
        ("https://docs.google.com/document/d/1", "referral", "Google Docs"),
        ("android-app://com.google.android.gm/", "email", "Gmail"),
        ("android-app://com.google.android.googlequicksearchbox/", "search", "Google"),
        ("https://duckduckgo.com", "search", "DuckDuckGo"),
        ("https://chatgpt.com/", "ai", "ChatGPT"),
        ("https://www.perplexity.ai/search", "ai", "Perplexity"),
        ("https://t.co/abc", "social", "X"),
        ("https://l.facebook.com/l.php?u=x", "social", "Facebook"),
        ("https://news.ycombinator.com/item?id=1", "social", "Hacker News"),
        ("https://m.youtube.com/watch?v=1", "video", "YouTube"),
        ("https://t.me/s/channel", "messaging", "Telegram"),
        ("HTTPS://WWW.Bing.COM:443/", "search", "Bing"),
        ("https://www.some-blog.net/post", "referral", "some-blog.net"),
        ("not a url", "direct", None),
        ("http://[broken", "direct", None),
    ],
)
def test_referrers(referrer: str, channel: str, site: str | None) -> None:
    source = source_of(PAGE, referrer)
    assert (source["channel"], source.get("site")) == (channel, site)


@pytest.mark.parametrize(
    ("query", "referrer", "channel", "site"),
    [
        ("utm_source=google&utm_medium=cpc", "", "paid", "Google"),
        ("gclid=abc", "https://www.google.com/", "paid", "Google"),
        ("msclkid=1", "https://www.bing.com/", "paid", "Bing"),
        ("utm_campaign=may", "https://docs.google.com/", "campaign", "Google Docs"),
        # Facebook adds fbclid to links that nobody paid for.
        ("fbclid=abc", "", "social", "Facebook"),
        ("fbclid=abc&utm_medium=paid_social&utm_source=fb", "https://l.facebook.com/", "paid", "Facebook"),
        ("utm_source=newsletter&utm_medium=email", "https://mail.google.com/", "email", "newsletter"),
        ("utm_source=Newsletter", "", "email", "Newsletter"),
        ("mc_cid=1", "", "email", "Mailchimp"),
        ("utm_source=chatgpt.com", "", "ai", "ChatGPT"),
        ("utm_source=twitter&utm_medium=organic-post", "", "social", "X"),
        ("utm_source=partner-x&utm_medium=affiliate", "https://partner-x.net/", "affiliate", "partner-x"),
        ("utm_source=flyer&utm_campaign=fair", "", "campaign", "flyer"),
        ("utm_campaign=fair", "https://www.google.com/", "search", "Google"),
        # A campaign that starts on the site itself is still one.
        ("utm_source=banner-top&utm_medium=x", "https://www.example.com/", "campaign", "banner-top"),
        ("ref=x&page=2", "", "direct", None),
    ],
)
def test_tagged_links(query: str, referrer: str, channel: str, site: str | None) -> None:
    source = source_of(f"{PAGE}?{query}#top", referrer)
    assert (source["channel"], source.get("site")) == (channel, site)


def test_what_is_kept_of_a_tagged_link() -> None:
    url = f"{PAGE}?utm_source=google&utm_medium=cpc&utm_campaign=spring+sale&utm_term=a%20b&utm_content=&gclid=secret"
    assert source_of(url, "https://www.google.de/") == {
        "channel": "paid",
        "site": "Google",
        "referrer_host": "www.google.de",
        "click_id": "gclid",
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "spring sale",
        "utm_term": "a b",
    }


def test_parameters_stated_beside_the_page_win_over_those_of_its_address() -> None:
    source = source_of(f"{PAGE}?utm_source=google", "", (("utm_source", "flyer"),))
    assert (source["channel"], source["utm_source"]) == ("campaign", "flyer")


def test_values_that_the_database_cannot_hold_or_that_are_endless() -> None:
    source = source_of(f"{PAGE}?utm_source=a%00b&utm_campaign={'x' * 5_000}", "")
    assert source["utm_source"] == "ab"
    assert source["utm_campaign"] == "x" * LONGEST_VALUE


def test_the_same_page_with_or_without_memory() -> None:
    long = "x" * 2_000
    assert source_of(f"{PAGE}?utm_source=bing&pad={long}", "") == source_of(f"{PAGE}?utm_source=bing", "")


@given(
    url=st.text(max_size=80),
    referrer=st.text(max_size=80),
    query=st.text("utm_source=&%0;[]:/@\0", max_size=60),
)
def test_nothing_that_is_sent_breaks_it(url: str, referrer: str, query: str) -> None:
    for page in (url, f"https://{url}", f"{PAGE}?{query}"):
        for origin in (referrer, f"https://{referrer}"):
            source = source_of(page, origin)
            assert source["channel"] in CHANNELS
            assert set(source) <= set(SOURCE_FIELDS)
            assert all(0 < len(value) <= LONGEST_VALUE and "\0" not in value for value in source.values())


@pytest.mark.parametrize("value", [None, "web", 7, [], {}, {"channel": "bus"}, {"channel": ["paid"]}])
def test_a_stated_source_without_a_known_channel_is_none(value: object) -> None:
    assert clean_source(value) is None


def test_a_stated_source_is_reduced_to_known_fields() -> None:
    stated = {"channel": "email", "site": "Letter\0 12", "utm_source": 7, "colour": "red", "utm_term": ""}
    assert clean_source(stated) == {"channel": "email", "site": "Letter 12"}


@pytest.mark.parametrize(
    "referrer", ["https://www.google.com", "android-app://com.google.android.gm", "//t.co"]
)
@pytest.mark.parametrize("path", ["", "/", "/a/b//c", "/a?q=://x/y", "/#/a?utm_source=no", "?u=/"])
def test_the_path_of_a_referrer_does_not_matter(referrer: str, path: str) -> None:
    assert source_of(PAGE, referrer + path) == source_of(PAGE, referrer)


@pytest.mark.parametrize("path", ["", "/", "/a/b//c", "/#/a", "/://x"])
def test_the_path_of_a_page_does_not_matter(path: str) -> None:
    assert source_of(f"https://example.com{path}", "https://shop.example.com/") == {"channel": "internal"}

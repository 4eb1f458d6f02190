"""What is recognised as personal by what it looks like, and what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.personal_data import Recognition, Rule, hints, is_card, is_iban


def replaced(text: str) -> str:
    """The text after all rules, with what the hints allow."""
    recognition = Recognition(lambda rule, _plain: f"[{rule}]", lambda name: name in ("email", "first-name"))
    return recognition.replaced(text, hints(json.dumps({"field": text}, ensure_ascii=False).encode()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to Ada.Lovelace+x@example.co.uk.", "write to [email]."),
        ("mailto:ada@bücher.example", "mailto:[email]"),
        ("ada%40example.com", "[email]"),
        ("+49 30 1234567", "[phone]"),
        ("tel:+4930/123.4567", "tel:[phone]"),
        ("+1.555.123.4567", "[phone]"),
        ("call (555) 123-4567 now", "call [phone] now"),
        ("555-123-4567", "[phone]"),
        ("4111 1111 1111 1111", "[card]"),
        ("card 12 4111-1111-1111-1111 03 27", "card 12 [card] 03 27"),
        ("378282246310005 and 6011000990139424", "[card] and [card]"),
        ("DE89 3704 0044 0532 0130 00 BIC COBADEFF", "[iban] BIC COBADEFF"),
        ("GB82WEST12345698765432", "[iban]"),
        ("NL91ABNA0417164300, NO9386011117947", "[iban], [iban]"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_", "Bearer [jwt]"),
        (
            "https://a.example/reset?lang=de&token=s3cr3t#access_token=zz",
            "https://a.example/reset?lang=de&token=[url_secret]#access_token=[url_secret]",
        ),
        ("https://u:pw@a.example/x", "https://[url_secret]@a.example/x"),
        ("/x?first-name=Ada&page=2", "/x?first-name=[url_secret]&page=2"),
        ("password=hunter2&x=1", "password=[url_secret]&x=1"),
    ],
)
def test_personal_data_is_found_within_texts(text: str, expected: str) -> None:
    assert replaced(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png",
        "vue@3.4.1",
        "@ada",
        "2026-03-10T12:00:00+00:00",
        "1773144000000",
        "1773144000000123",
        "4111 1111 1111 1112",
        "550e8400-e29b-41d4-a716-446655440000",
        "192.168.100.200",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.6099.109 Safari/537.36",
        "GB82WEST12345698765433",
        "DE89 3704 0044 0532 0130 0",
        "https://a.example/?utm_source=x&utm_medium=cpc&page=2",
        "price = 3 and token = 5",
        "/x?email=[redacted]&token=[url_secret:3f1c0a9be2d84477]",
        "3.141592653589793",
        "eyJ is how it begins",
        "order AB12-3456",
    ],
)
def test_what_only_looks_similar_stays(text: str) -> None:
    assert replaced(text) == text


PIECES = st.sampled_from(
    ["ada@example.com", "+4930123456", "4111111111111111", "GB82WEST12345698765432", "?token=x", "12", "DE89"]
)


@given(st.lists(st.text(max_size=6) | PIECES, max_size=6).map(" ".join))
def test_the_first_look_at_the_raw_event_misses_nothing(text: str) -> None:
    everything = Recognition(lambda rule, _plain: f"[{rule}]", lambda _name: False)
    for raw in (json.dumps(text, ensure_ascii=False), json.dumps(text)):
        assert everything.replaced(text, hints(raw.encode("utf-8", "surrogatepass"))) == everything.replaced(
            text, 63
        )


@given(st.from_regex(r"4[0-9]{14}", fullmatch=True))
def test_of_ten_numbers_that_differ_in_the_last_digit_one_is_a_card(start: str) -> None:
    assert sum(is_card(start + digit) for digit in "0123456789") == 1


@given(st.sampled_from(["DE", "GB", "FR", "MT"]), st.text("0123456789ABCDEFGHIJ", min_size=1, max_size=30))
def test_an_account_number_has_one_pair_of_check_digits(country: str, rest: str) -> None:
    bban = (rest * 30)[: {"DE": 18, "GB": 18, "FR": 23, "MT": 27}[country]]
    assert sum(is_iban(f"{country}{check:02}{bban}") for check in range(2, 99)) == 1


def test_no_text_takes_long() -> None:
    """Each of these made a careless pattern try every beginning with every end."""
    for hostile in (
        "a" * 60_000 + "@", "@a." * 20_000, "1 " * 30_000, "+1" * 30_000, "?a=b&" * 12_000, "DE89" * 15_000,
        "eyJ" * 20_000, "a.b-" * 15_000 + "@", "4111 1111 1111 1111 " * 3_000, "://:" * 15_000, "AA00 " * 12_000,
    ):  # fmt: skip
        assert isinstance(replaced(hostile), str)


def test_every_rule_can_be_found() -> None:
    found: list[Rule] = []

    def put(rule: Rule, _plain: str) -> None:
        found.append(rule)

    text = "a@b.example +49301234567 4111111111111111 GB82WEST12345698765432 eyJhbGci.eyJzdWIi.x http://h?token=1"
    assert Recognition(put, lambda _name: False).replaced(text, 63) == text
    assert set(found) == set(Rule) - {Rule.FIELD}

"""Personal data recognised by what a text looks like: e-mail, phone, payment card, IBAN, JWT, secrets in URLs. Pure.

Sources: RFC 5321 and 5322 (addresses, the common part), ITU-T E.164 (phone numbers), ISO/IEC 7812-1 (Luhn) with the issuers'
published number ranges, ISO 13616 (IBAN with the lengths of the SWIFT registry), RFC 7519 (JWT), RFC 3986 (URLs).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from enum import StrEnum


class Rule(StrEnum):
    """How something was recognised as personal."""

    FIELD = "field"
    """By the name of its field."""
    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    JWT = "jwt"
    URL_SECRET = "url_secret"  # noqa: S105
    """A parameter of a URL that is named like a secret or like a personal field, or a password before its host."""


VALUE_RULES = tuple(rule for rule in Rule if rule is not Rule.FIELD)


class Mode(StrEnum):
    """What happens to what was recognised."""

    DROP = "drop"
    """The whole field goes."""
    MASK = "mask"
    """What was recognised is replaced by its kind: `[email]`."""
    HASH = "hash"
    """The same with a keyed hash, so that equal values can be told to be equal: `[email:3f1c0a9be2d84477]`."""
    KEEP = "keep"
    """The rule is off."""


# Looking at the JSON first: nearly always it rules everything out, for a microsecond.

_SHAPES = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ ", b"0000000000AAAAAAAAAAAAAAAAAAAAAAAAAA-")
_BETWEEN = b" -()"
"""What may stand between the digits of cards and American telephones."""
_BACKSLASH, _PERCENT, _AT, _EQUALS, _J, _PLUS = b"\\%@=J+"
_INTERNATIONAL = re.compile(rb"\+0[0./()\-]{2,}0")
_AMERICAN = re.compile(rb"(?:000-|000\)-?)000-0000")

AT, PHONE, DIGITS, CAPITALS, TOKEN, PARAMETER = 1, 2, 4, 8, 16, 32
EVERYTHING = 63
SHAPED = PHONE | DIGITS | CAPITALS | TOKEN
"""Those that take more than `=`, `@` or `%` to be found."""


def hints(text: bytes) -> int:
    """Which recognitions JSON calls for, as a sum of the constants above; 0 for most events.

    Never too few. Escaped characters (`\\u0040`) call for all.
    """
    # A single byte is looked for at 20 GB/s, two of them at 1 GB/s: so the rare byte is asked for first. By its number, and longer
    # texts by `find`: `in` with bytes on its left raises and drops an exception inside, for 0.1 µs (CPython 3.11).
    if _BACKSLASH in text and text.find(b"\\u") >= 0:
        return EVERYTHING
    escaped = _PERCENT in text
    found = 0
    if _AT in text or (escaped and text.find(b"%40") >= 0):
        found = AT
    if _EQUALS in text:
        found |= PARAMETER
    if _J in text and text.find(b"eyJ") >= 0:
        found |= TOKEN
    # One look rules out what is made of digits. `+00:00` is the zone of a time.
    squeezed = text.translate(_SHAPES, _BETWEEN)
    if squeezed.find(b"0000000000") >= 0:
        if squeezed.find(b"0000000000000") >= 0:
            found |= DIGITS
        if _AMERICAN.search(text.translate(_SHAPES)):
            found |= PHONE
    if (escaped and text.find(b"%2B") >= 0) or (
        _PLUS in text and _INTERNATIONAL.search(text.translate(_SHAPES))
    ):
        found |= PHONE
    if squeezed.find(b"AA00") >= 0 and text.translate(_SHAPES).find(b"AA00") >= 0:
        found |= CAPITALS
    return found


# What each looks like. The quantifiers are bounded and what they repeat is disjoint, so that no text takes long.

_LETTERS = r"A-Za-z0-9\u00a1-\U0010ffff"
_LOCAL = rf"{_LETTERS}._%+'\-"
_EMAIL = re.compile(
    rf"(?<![{_LOCAL}])[{_LOCAL}]{{1,64}}(?:@|%40)(?:[{_LETTERS}][{_LETTERS}\-]{{0,62}}\.){{1,8}}[A-Za-z\u00a1-\U0010ffff]"
    rf"[{_LETTERS}\-]{{1,62}}"
)
_FILES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".css", ".js")
"""`logo@2x.png` is no address."""
_PHONE = re.compile(
    # International, or as North America writes it.
    r"(?<![\w+.])(?:\+|%2B)[1-9](?:[ ().\-/]{0,2}\d){6,14}(?![\d:])"
    r"|(?<![\w.\-])(?:\(\d{3}\) ?|\d{3}[ \-])\d{3}[ \-]\d{4}(?![\w\-])"
)
_CARD = re.compile(r"(?<![\w.+\-])\d(?:[ \-]?\d){12,}(?![\w\-])")
_GROUP = re.compile(r"\d+")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]){11,30}")
_JWT = re.compile(
    r"(?<![\w\-])eyJ[A-Za-z0-9_\-]{4,4096}\.[A-Za-z0-9_\-]{2,8192}\.[A-Za-z0-9_\-]{0,4096}(?![\w\-])"
)
_PARAMETER = re.compile(r"(?:(?<=[?&;#])|^(?=[^\s=&]{1,64}=))([^=&;#?\s/]{1,64})=([^&;#\s\"'<>]{1,4096})")
_MASKED = re.compile(rf"\[(?:redacted|{'|'.join(VALUE_RULES)})(?::[0-9a-f]{{16}})?\]")
"""What takes the place of something recognised, here or in the page (`[redacted]`)."""
_PASSWORD = re.compile(r"(?<=://)([^\s/@:?#]{0,256}:[^\s/@?#]{1,256})(?=@)")

MOST_GROUPS = 6
"""That a card's number is written in."""
SHORTEST_PHONE, SHORTEST_CARD, LONGEST_CARD, SHORTEST_IBAN = 8, 13, 19, 15
"""Characters of each."""

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")
_SECRETS = frozenset(
    {
        "accesskey", "accesstoken", "apikey", "apitoken", "assertion", "auth", "authcode", "authorization", "authtoken",
        "awsaccesskeyid", "bearer", "clientsecret", "code", "confirmationtoken", "credential", "credentials", "csrf",
        "csrftoken", "idtoken", "invitetoken", "jsessionid", "jwt", "key", "logintoken", "magic", "magiclink",
        "oauthtoken", "oauthverifier", "otp", "passcode", "passwd", "password", "phpsessid", "privatekey", "pwd",
        "refreshtoken", "resettoken", "samlresponse", "secret", "secretkey", "securitytoken", "session", "sessionid",
        "sessiontoken", "sid", "sig", "signature", "ticket", "token", "verificationtoken", "xamzcredential",
        "xamzsecuritytoken", "xamzsignature", "xsrftoken",
    }
)  # fmt: skip

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip


def is_card(digits: str) -> bool:
    """Whether digits are a payment card's number: a range that issuers use, its length, and the check digit (Luhn)."""
    if not _has_issuer(digits):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _has_issuer(digits: str) -> bool:
    """Without this, one in ten of all times in microseconds would be a card."""
    length, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if length in (13, 16, 19) and digits[0] == "4":
        return True
    if length == 16 and (51 <= two <= 55 or 2221 <= four <= 2720 or two == 65 or four == 6011 or two == 35):
        return True
    if length == 15 and two in (34, 37):
        return True
    return (length == 14 and (two in (36, 38) or 300 <= int(digits[:3]) <= 305)) or (
        16 <= length <= 19 and two == 62
    )


def is_iban(text: str) -> bool:
    """Whether a text without separators is an IBAN: the length of its country and the check digits (ISO 7064, mod 97-10)."""
    if _IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def is_secret(name: str) -> bool:
    """Whether a parameter of a URL is named like a secret."""
    return _NOT_LETTERS.sub("", name.lower()) in _SECRETS


def keyed_hash(key: bytes, text: str) -> str:
    """16 hexadecimal digits that only the holder of the key can connect with the text. BLAKE2b, RFC 7693."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).hexdigest()


Put = Callable[[Rule, str], str | None]
"""Told the rule and what was recognised, in one form (a number's digits, an address in small letters); returns what takes its
place, or None to leave it."""


class Recognition:
    """Looks through texts and replaces what it recognises by what `put` makes of it."""

    def __init__(self, put: Put, is_personal: Callable[[str], bool]) -> None:
        """`is_personal`: whether a parameter of a URL is named like a personal field."""
        self._put = put
        self._is_personal = is_personal

    def replaced(self, text: str, hinted: int) -> str:
        """The text without what is recognised. `hinted`: what it may hold, as `hints` says."""
        if hinted & TOKEN and "eyJ" in text:
            text = self._each(_JWT, Rule.JWT, text, str)
        if hinted & AT and "://" in text and "@" in text:
            text = self._each(_PASSWORD, Rule.URL_SECRET, text, str)
        if hinted & PARAMETER and "=" in text:
            text = self._parameters(text)
        if hinted & AT and ("@" in text or "%40" in text):
            text = self._each(_EMAIL, Rule.EMAIL, text, _address)
        if hinted & CAPITALS and len(text) >= SHORTEST_IBAN:
            text = self._ibans(text)
        if hinted & DIGITS and len(text) >= SHORTEST_CARD:
            text = _CARD.sub(self._card, text)
        if hinted & PHONE and len(text) >= SHORTEST_PHONE:
            text = self._each(_PHONE, Rule.PHONE, text, _digits)
        return text

    def number(self, number: int) -> str | None:
        """What takes the place of a number, or None: only a payment card can be told from any other number."""
        if not 10 ** (SHORTEST_CARD - 1) <= number < 10**LONGEST_CARD or not is_card(str(number)):
            return None
        return self._put(Rule.CARD, str(number))

    def _each(
        self, pattern: re.Pattern[str], rule: Rule, text: str, form: Callable[[str], str | None]
    ) -> str:
        def instead(match: re.Match[str]) -> str:
            plain = form(match[0])
            made = None if plain is None else self._put(rule, plain)
            return match[0] if made is None else made

        return pattern.sub(instead, text)

    def _parameters(self, text: str) -> str:
        # `x = 1` in a sentence is no parameter.
        if " " in text and "://" not in text:
            return text

        def instead(match: re.Match[str]) -> str:
            name, value = match[1], match[2]
            if _MASKED.fullmatch(value) or not (is_secret(name) or self._is_personal(name)):
                return match[0]
            made = self._put(Rule.URL_SECRET, value)
            return match[0] if made is None else f"{name}={made}"

        return _PARAMETER.sub(instead, text)

    def _card(self, match: re.Match[str]) -> str:
        """Other numbers may stand before and behind a card's: `12 4111 1111 1111 1111 03 27`."""
        text = match[0]
        groups = [(found.start(), found.end()) for found in _GROUP.finditer(text)]
        parts, done, first = [], 0, 0
        while first < len(groups):
            last = _card_from(text, groups, first)
            start, end = groups[first][0], groups[last][1] if last is not None else 0
            made = None if last is None else self._put(Rule.CARD, _joined(text[start:end]))
            if last is None or made is None:
                first += 1
            else:
                parts += [text[done:start], made]
                done, first = end, last + 1
        return "".join([*parts, text[done:]])

    def _ibans(self, text: str) -> str:
        """Words may stand behind an account's number: `DE89 3704 0044 0532 0130 00 BIC`."""
        parts, done, place = [], 0, 0
        while (match := _IBAN.search(text, place)) is not None:
            end = _iban_end(match[0])
            made = None if end is None else self._put(Rule.IBAN, _joined(match[0][:end]))
            if end is None or made is None:
                place = match.start() + 4
            else:
                parts += [text[done : match.start()], made]
                done = place = match.start() + end
        return "".join([*parts, text[done:]])


def _iban_end(text: str) -> int | None:
    """Where the account's number that a text begins with ends; None when it begins with none."""
    wanted = _IBAN_LENGTHS.get(text[:2])
    if wanted is None:
        return None
    places = [place for place, char in enumerate(text) if char not in " -"]
    if len(places) < wanted:
        return None
    end = places[wanted - 1] + 1
    return None if text[end : end + 1].isalnum() or not is_iban(_joined(text[:end])) else end


def _card_from(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last of the groups of digits that make a card's number together with the first; None when there is none."""
    digits = ""
    for place in range(first, min(first + MOST_GROUPS, len(groups))):
        digits += text[slice(*groups[place])]
        if len(digits) > LONGEST_CARD:
            return None
        if len(digits) >= SHORTEST_CARD and is_card(digits):
            return place
    return None


def _joined(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _address(text: str) -> str | None:
    found = text.lower().replace("%40", "@")
    return None if found.endswith(_FILES) else found


def _digits(text: str) -> str | None:
    found = "".join(char for char in text.replace("%2B", "") if char.isdigit())
    return found if len(found) <= 15 else None

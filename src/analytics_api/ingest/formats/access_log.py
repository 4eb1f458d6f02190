"""Access logs of nginx and Apache in the combined format (the common format is read as well).

A page that was shown becomes a `page_view`, everything else a `request`. Visitors are told apart by address and user
agent, hashed with a salt of the day, unless the address itself is to be the user id.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from analytics_api.domain.event import EventType
from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.formats.line import FieldMap, Lines, mapped
from analytics_api.ingest.payloads import EventPayload

REQUEST = "request"

SALT_BYTES = 65_536
"""How much of a log makes its salt: some 300 lines. The same for a log that has grown since."""

REMEMBERED = 100_000
"""Lines among which equal ones are told apart by their number. Equal lines carry the same second."""

STATIC = frozenset(
    (
        *(".css", ".js", ".mjs", ".map", ".json", ".xml", ".txt", ".rss", ".atom", ".ico", ".png", ".jpg"),
        *(
            ".jpeg",
            ".gif",
            ".svg",
            ".webp",
            ".avif",
            ".bmp",
            ".woff",
            ".woff2",
            ".ttf",
            ".otf",
            ".eot",
            ".mp3",
        ),
        *(
            ".mp4",
            ".ogg",
            ".wav",
            ".webm",
            ".zip",
            ".gz",
            ".tgz",
            ".bz2",
            ".xz",
            ".7z",
            ".rar",
            ".pdf",
            ".exe",
        ),
        *(".dmg", ".iso", ".deb", ".rpm", ".jar"),
    )
)
"""Endings of paths that are no page."""

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
# A name that HTTP authentication was tried with stands before the time, and may hold brackets.
_LINE = re.compile(rf"(\S+) \S+ .*?\[([^][]+)\] {_QUOTED} (\d{{3}}) (\d+|-)(?: {_QUOTED} {_QUOTED})?").match
_TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)").fullmatch
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_access_log(stream: IO[bytes], mapping: FieldMap) -> Lines:
    """One event for each line. `stream` must be seekable: its beginning is read twice."""
    salt = blake2b(stream.read(SALT_BYTES), person=b"visitor salt").digest()
    stream.seek(0)
    numbers = _Occurrences()
    for number, raw in enumerate(stream, start=1):
        line = raw.rstrip(b"\r\n")
        if not line or line.isspace():
            continue
        try:
            payload = _event(line.decode(errors="replace"), salt, mapping.user_from_ip)
        except Rejected as reason:
            yield number, reason, len(line)
            continue
        payload.event_id = numbers.name(line)
        yield mapped(number, payload, len(line), mapping)


def _event(line: str, salt: bytes, user_from_ip: bool) -> EventPayload:
    found = _LINE(line)
    if found is None:
        raise Rejected("the line is not in the combined log format")
    ip, written, request, status, size, referrer, user_agent = found.groups()
    method, _, rest = request.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    if not target or not protocol.startswith("HTTP/"):
        raise Rejected(f"the request is not METHOD TARGET PROTOCOL: {request[:80]!r}")
    path, campaign = _split_target(target)
    source = _origin(referrer)
    data: dict[str, Any] = {"method": method, "path": path, "status": int(status)}
    data["bytes"] = 0 if size == "-" else int(size)
    page = {"path": path}
    if campaign:
        page["url"] = f"{path}?{campaign}"
    if source:
        page["referrer"], data["referrer_host"] = source
    agent = None if user_agent in (None, "-", "") else user_agent
    payload = EventPayload(
        EventType.PAGE_VIEW if is_page(method, int(status), path) else REQUEST,
        data,
        timestamp=_moment(written),
        context={"ip": ip, "page": page, **({"user_agent": agent} if agent else {})},
    )
    if user_from_ip:
        payload.user_id = ip
    else:
        payload.anonymous_id = visitor(salt, written.partition(":")[0], ip, agent or "")
    return payload


def is_page(method: str, status: int, path: str) -> bool:
    """Whether a request showed a page: GET, answered with 2xx or 304, and not for a static file."""
    shown = 200 <= status < 300 or status == 304
    return method == "GET" and shown and PurePosixPath(path).suffix.lower() not in STATIC


def visitor(salt: bytes, day: str, ip: str, user_agent: str) -> str:
    """Who visits on one day (as the log writes it), without saying who it is: BLAKE2b keyed with the log's salt."""
    return blake2b(f"{day}\0{ip}\0{user_agent}".encode(), key=salt, digest_size=16).hexdigest()


def _split_target(target: str) -> tuple[str, str]:
    """The path, and of the query only what names a campaign: the rest may hold tokens and names."""
    try:
        parts = urlsplit(target if "://" in target else f"//host{target}")
    except ValueError:
        return target.partition("?")[0], ""
    campaign = [pair for pair in parts.query.split("&") if pair.startswith("utm_")]
    return parts.path or "/", "&".join(campaign)


def _origin(referrer: str | None) -> tuple[str, str] | None:
    """Scheme and host of a referrer, and the host alone. Its path and query are not kept."""
    if not referrer or referrer == "-":
        return None
    try:
        parts = urlsplit(referrer)
        host = parts.hostname
    except ValueError:
        return None
    return (f"{parts.scheme}://{host}/", host) if host and parts.scheme in ("http", "https") else None


def _moment(written: str) -> str:
    found = _TIME(written)
    try:
        if found is None:
            raise ValueError
        day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
        local = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        raise Rejected(f"{written!r} is not a time such as 17/May/2015:10:05:03 +0000") from None
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return (local - ahead if sign == "+" else local + ahead).isoformat()


class _Occurrences:
    """Ids of lines by what they say: the same for a log that was rotated, packed or has grown."""

    def __init__(self) -> None:
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def name(self, line: bytes) -> str:
        """The digest of a line and how many times it has been there before."""
        digest = blake2b(line, digest_size=16).digest()
        count = self._recent.get(digest, self._older.get(digest, 0))
        if len(self._recent) >= REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[digest] = count + 1
        return f"{digest.hex()}-{count}"

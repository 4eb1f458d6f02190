"""Names and values in the form that the Measurement Protocol takes. It drops any other without a word.

Source: Google's pages "Limitations" and "Reserved names" of the Measurement Protocol for GA4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from analytics_api.deliver.providers.stored import json_bytes

LONGEST_NAME = 40
LONGEST_VALUE = 100
LONGEST_USER_NAME = 24
LONGEST_USER_VALUE = 36
MOST = 25
"""Parameters of an event, and user properties of a request."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OTHERS = re.compile(r"[^a-z0-9]+")
_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")

RESERVED_EVENTS = frozenset(
    {"ad_activeview", "ad_click", "ad_exposure", "ad_query", "ad_reward", "adunit_exposure", "app_clear_data"}
    | {"app_exception", "app_remove", "app_store_refund", "app_store_subscription_cancel", "app_upgrade"}
    | {"app_store_subscription_convert", "app_store_subscription_renew", "app_update", "app_background"}
    | {"dynamic_link_app_open", "dynamic_link_app_update", "dynamic_link_first_open", "error", "first_open"}
    | {"first_visit", "in_app_purchase", "notification_dismiss", "notification_foreground", "os_update"}
    | {"notification_open", "notification_receive", "notification_send", "screen_view", "session_start"}
    | {"user_engagement"}
)
RESERVED_USER_PROPERTIES = frozenset(
    {"first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install"}
)


def usable_name(name: str, reserved: frozenset[str] = frozenset()) -> str | None:
    """`Song Played` as `song_played`; a reserved name gets `app_` before it. None when nothing usable is left."""
    if not _NAME.fullmatch(name):
        name = _OTHERS.sub("_", name.lower()).strip("_")
    if not name:
        return None
    if not name[0].isalpha() or name in reserved or name.startswith(_PREFIXES):
        name = f"app_{name}"
    return name


def scalars(
    given: dict[str, Any], longest_name: int, longest_value: int, reserved: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str | int | float]]:
    """Names and values as they can be sent, in the order given: null left out, longer texts cut, objects as JSON text."""
    seen: set[str] = set()
    for name, value in given.items():
        usable = (usable_name(name, reserved) or "")[:longest_name]
        if not usable or usable in seen or value is None:
            continue
        seen.add(usable)
        yield usable, _scalar(value, longest_value)


def first_of(pairs: Iterable[tuple[str, Any]], most: int, taken: Iterable[str] = ()) -> dict[str, Any]:
    """The first pairs whose names are not taken, as many as fit beside those."""
    names = set(taken)
    found: dict[str, Any] = {}
    for name, value in pairs:
        if len(found) + len(names) == most:
            break
        if name not in names:
            found[name] = value
    return found


def _scalar(value: Any, longest: int) -> str | int | float:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json_bytes(value).decode()
    return text[:longest]

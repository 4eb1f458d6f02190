"""Personal data: fields that never leave the process unless the program asked for that. The same as the server's."""

from __future__ import annotations

import re
from typing import Any

FIELDS = (
    "email",
    "name",
    "full_name",
    "first_name",
    "last_name",
    "phone",
    "ip",
    "ip_address",
    "user_agent",
    "ipv4",
    "ipv6",
    "client_ip",
    "user_ip",
    "remote_ip",
    "remote_addr",
    "remote_address",
    "x_forwarded_for",
    "x_real_ip",
)

_THINGS = frozenset({"context.app", "context.browser", "context.campaign", "context.library", "context.os"})
"""Where `name` is that of a program or a campaign."""

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_FILTERED = frozenset(_SEPARATORS.sub("", name) for name in FIELDS)
_MOST_REMEMBERED = 10_000


class _Verdicts(dict[Any, bool]):
    """Remembers for each field name whether it is personal."""

    def __missing__(self, field: Any) -> bool:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        verdict = self[field] = _SEPARATORS.sub("", str(field).lower()) in _FILTERED
        return verdict


_verdicts = _Verdicts()


def is_personal(field: str) -> bool:
    """Whether a field of that name is filtered. Upper case and separators do not matter: `First-Name` is one."""
    return _verdicts[field]


def without_personal(value: Any, path: str) -> Any:
    """A value without personal fields at any depth; the same object when there are none. `path`: the event's field."""
    if isinstance(value, dict):
        changed = {}
        removed = False
        for field, inner in value.items():
            if _verdicts[field] and not (field == "name" and path in _THINGS):
                removed = True
                continue
            kept = (
                without_personal(inner, f"{path}.{field}")
                if isinstance(inner, (dict, list, tuple))
                else inner
            )
            removed = removed or kept is not inner
            changed[field] = kept
        return changed if removed else value
    kept_items = [
        without_personal(inner, path) if isinstance(inner, (dict, list, tuple)) else inner for inner in value
    ]
    return kept_items if any(kept is not inner for kept, inner in zip(kept_items, value)) else value

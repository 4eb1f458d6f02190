"""Paths to values inside the JSON of an event: `event_data.cart.total`."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SECTIONS = ("event_data", "user_properties", "context")
FIELDS = (
    "event_type",
    "user_id",
    "anonymous_id",
    "session_id",
    "revenue",
    "currency",
    "is_bot",
)
"""What an event has beside its JSON."""

DEEPEST = 8
"""Names in a path. A name may hold dots, so looking one up tries 2 ** (names - 1) ways at worst."""

Keys = tuple[str, ...]
"""The keys that lead to a value, each with its dots."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value is: a section of the event and names inside it, or one of FIELDS without names."""

    section: str
    names: Keys = ()

    @classmethod
    def parse(cls, text: str) -> Path:
        """From the names with dots between. Raises ValueError with a sentence that begins with the path."""
        section, *names = text.split(".")
        if section not in SECTIONS and section not in FIELDS:
            close = difflib.get_close_matches(section, SECTIONS + FIELDS, n=1)
            hint = f"did you mean {'.'.join([close[0], *names])}? " if close else ""
            raise ValueError(
                f"{text!r} leads nowhere; {hint}Begin with event_data., user_properties. or context., or use one of "
                f"{', '.join(FIELDS)}"
            )
        if section in FIELDS and names:
            raise ValueError(f"{text!r} leads nowhere; {section} has no parts")
        if len(names) > DEEPEST or not all(names):
            raise ValueError(f"{text!r} is no path; use up to {DEEPEST} names with a dot between")
        if section == "user_properties" and names and names[0].startswith("$"):
            raise ValueError(
                f"{text!r} names an operation; name the property itself: user_properties.{'.'.join(names[1:]) or 'plan'}"
            )
        return cls(section, tuple(names))

    def __str__(self) -> str:
        return ".".join((self.section, *self.names))

    def holds(self, other: Path) -> bool:
        """Whether the other one is this one, or leads into it."""
        return self.section == other.section and other.names[: len(self.names)] == self.names


def overlapping(paths: Iterable[Path]) -> tuple[Path, Path] | None:
    """Two of the paths of which one leads into the other, if there are such."""
    # Sorted, what begins with a path comes right after it.
    ordered = sorted(paths, key=lambda path: (path.section, path.names))
    return next(((one, other) for one, other in itertools.pairwise(ordered) if one.holds(other)), None)


def resolve(value: Any, names: Keys) -> Keys | None:
    """The keys of what is at the names; a key that itself holds dots is found before a nested one. None: nothing."""
    if not isinstance(value, dict):
        return None
    for length in range(len(names), 0, -1):
        key = ".".join(names[:length])
        if key in value:
            if length == len(names):
                return (key,)
            inner = resolve(value[key], names[length:])
            if inner is not None:
                return (key, *inner)
    return None


def at(value: Object, keys: Keys) -> Any:
    """The value at keys that `resolve` has found."""
    found: Any = value
    for key in keys:
        found = found[key]
    return found


def find(value: Object, names: Keys) -> Any:
    """The value at the names; None when there is none."""
    keys = resolve(value, names)
    return None if keys is None else at(value, keys)


def remove(value: Object, names: Keys) -> None:
    """Take away what is at the names, if anything; without names all of it."""
    if not names:
        value.clear()
        return
    keys = resolve(value, names)
    if keys is not None:
        del at(value, keys[:-1])[keys[-1]]


def put(value: Object, names: Keys, new: Any) -> None:
    """Set the value at the names, in objects made where there are none."""
    keys = resolve(value, names) or names
    for key in keys[:-1]:
        inner = value.get(key)
        if not isinstance(inner, dict):
            inner = value[key] = {}
        value = inner
    value[keys[-1]] = new


def only(value: Object, paths: Iterable[Keys]) -> Object:
    """What is at the names of one of the paths, and nothing else. Shares values with the object given."""
    kept: Object = {}
    for names in paths:
        keys = resolve(value, names)
        if keys is None:
            continue
        target = kept
        for key in keys[:-1]:
            target = target.setdefault(key, {})
        target[keys[-1]] = at(value, keys)
    return kept

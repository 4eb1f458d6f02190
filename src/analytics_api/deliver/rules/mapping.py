"""Properties and event types in other words: each mapping is a step that changes a draft."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from analytics_api.deliver.rules.declared import EventMapping
from analytics_api.deliver.rules.draft import USER_PROPERTIES, Draft
from analytics_api.deliver.rules.paths import Keys, Object, Path, at, only, put, remove, resolve
from analytics_api.deliver.rules.patterns import matcher
from analytics_api.domain.event import SYSTEM_TYPES

Step = Callable[[Draft], None]


def step_of(mapping: EventMapping) -> Step:
    """What a mapping does to events of its types, and nothing to others."""
    matches = matcher(mapping.events)
    kept: dict[str, list[Keys]] = {}
    for path in map(Path.parse, mapping.keep):
        kept.setdefault(path.section, []).append(path.names)
    dropped = [Path.parse(path) for path in mapping.drop]
    renamed = [(Path.parse(old), Path.parse(new)) for old, new in mapping.rename.items()]
    values = [(Path.parse(path), value) for path, value in mapping.set.items()]

    def step(draft: Draft) -> None:
        if not matches(draft.stored.event_type):
            return
        for section, paths in kept.items():
            _keep(draft, section, paths)
        for path in dropped:
            _drop(draft, path)
        _rename(draft, renamed)
        for path, value in values:
            _set(draft, path, copy.deepcopy(value))
        if mapping.rename_event is not None and draft.stored.event_type not in SYSTEM_TYPES:
            draft.changes["event_type"] = mapping.rename_event

    return step


def _parts(draft: Draft, section: str) -> list[Object]:
    """The objects that hold properties: a section, or of the user properties what each operation is given."""
    found = draft.change(section)
    return list(found.values()) if section == USER_PROPERTIES else [found]


def _keep(draft: Draft, section: str, paths: Iterable[Keys]) -> None:
    found = draft.section(section)
    if section == USER_PROPERTIES:
        draft.replace(section, {operation: only(given, paths) for operation, given in found.items()})
    else:
        draft.replace(section, only(found, paths))


def _drop(draft: Draft, path: Path) -> None:
    if path.section == "revenue":
        draft.changes |= {"revenue": None, "currency": None}
        return
    for part in _parts(draft, path.section):
        remove(part, path.names)


def _rename(draft: Draft, renamed: list[tuple[Path, Path]]) -> None:
    """All values are taken out before one is put in, so that two names can be exchanged."""
    taken: list[tuple[Object, Keys, Any]] = []
    for old, new in renamed:
        for part in _parts(draft, old.section):
            keys = resolve(part, old.names)
            if keys is not None:
                target = part if old.section == USER_PROPERTIES else draft.change(new.section)
                taken.append((target, new.names, at(part, keys)))
                remove(part, old.names)
    for target, names, value in taken:
        put(target, names, value)


def _set(draft: Draft, path: Path, value: Any) -> None:
    if path.section == USER_PROPERTIES:
        # An operation on the same property that comes later would undo it.
        _drop(draft, path)
        put(draft.change(USER_PROPERTIES).setdefault("$set", {}), path.names, value)
    else:
        put(draft.change(path.section), path.names, value)

"""An event on its way through the rules: its JSON read when it is asked for, and written when it was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from analytics_api.deliver.rules.paths import Object, Path, find
from analytics_api.domain.event import StoredEvent

USER_PROPERTIES = "user_properties"


class Draft:
    """A stored event that is put into other words. What it was stored under stays: ids, person, times."""

    def __init__(self, stored: StoredEvent) -> None:
        self.stored = stored
        self.changes: dict[str, Any] = {}
        """Fields of the event that are another now."""
        self._sections: dict[str, Object] = {}
        self._changed: set[str] = set()

    def section(self, name: str) -> Object:
        """An object to read."""
        found = self._sections.get(name)
        if found is None:
            text = getattr(self.stored, name)
            found = self._sections[name] = json.loads(text) if text else {}
        return found

    def change(self, name: str) -> Object:
        """An object to change."""
        self._changed.add(name)
        return self.section(name)

    def replace(self, name: str, value: Object) -> None:
        """Another object in the place of one."""
        self._changed.add(name)
        self._sections[name] = value

    def value(self, path: Path) -> Any:
        """What an event says at a path; None when it says nothing. Of a user property what the event sets it to."""
        if not path.names:
            return self._field(path.section)
        section = self.section(path.section)
        if path.section != USER_PROPERTIES:
            return find(section, path.names)
        for operation in ("$set", "$set_once"):
            found = find(section.get(operation, {}), path.names)
            if found is not None:
                return found
        return None

    def _field(self, name: str) -> Any:
        if name == "revenue":
            return None if self.stored.revenue is None else float(self.stored.revenue)
        return (self.section(name) or None) if name in _JSON else getattr(self.stored, name)

    def event(self) -> StoredEvent:
        """The event as it is now."""
        for name in self._changed:
            self.changes[name] = self._text(name)
        return replace(self.stored, **self.changes) if self.changes else self.stored

    def _text(self, name: str) -> str | None:
        value = self._sections[name]
        if name == USER_PROPERTIES:
            value = {operation: given for operation, given in value.items() if given}
            if not value:
                return None
        return json.dumps(value, ensure_ascii=False)


_JSON = frozenset({"event_data", USER_PROPERTIES, "context"})

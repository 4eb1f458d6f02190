"""The filter of one project: which fields and values are personal, and what takes their place."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from analytics_api.domain.personal_data import (
    AT,
    CAPITALS,
    DIGITS,
    EVERYTHING,
    PARAMETER,
    PHONE,
    SHAPED,
    TOKEN,
    Mode,
    Recognition,
    Rule,
    keyed_hash,
)
from analytics_api.domain.privacy import ADDRESS_FIELDS, PII_FIELDS, PrivacyPolicy

_THINGS = frozenset({"context.app", "context.browser", "context.campaign", "context.library", "context.os"})
"""Where `name` is that of a program or a campaign. Not `context.device`: people call their telephones after themselves."""

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_MOST_REMEMBERED = 20_000
_DROPPED: Any = object()
_NESTED = (dict, list)
"""Not `dict | list`, which is made anew each time, for 100 ns."""
_NEEDS = {
    Rule.EMAIL: AT,
    Rule.PHONE: PHONE,
    Rule.CARD: DIGITS,
    Rule.IBAN: CAPITALS,
    Rule.JWT: TOKEN,
    Rule.URL_SECRET: PARAMETER | AT,
}
"""Which hints each rule looks at."""


class Removal(NamedTuple):
    """Something that was taken out of an event. `path` is without places in lists: `event_data.items.email`."""

    rule: Rule
    path: str
    mode: Mode


class _Verdicts(dict[str, bool]):
    """Remembers for each field name whether it is personal: a look-up costs 30 ns, deciding 1 µs."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = names
        self.impersonal: set[str] = set()
        """Names that were decided not to be personal: all names of an object are looked up here at once."""

    def __missing__(self, field: str) -> bool:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
            self.impersonal.clear()
        verdict = self[field] = plain_name(field) in self._names
        if not verdict:
            self.impersonal.add(field)
        return verdict


def plain_name(field: str) -> str:
    """A field's name without upper case and separators: `First-Name` is `first_name`."""
    return _SEPARATORS.sub("", field.lower())


class PersonalDataFilter:
    """Takes personal data out of objects. One for each project; objects that it is given are not changed."""

    def __init__(self, policy: PrivacyPolicy, key: bytes = b"") -> None:
        """`key` is that of the mode `hash`."""
        names = frozenset(map(plain_name, (*PII_FIELDS, *ADDRESS_FIELDS, *policy.fields)))
        self.verdicts = _Verdicts(names)
        self.modes = dict(policy.modes)
        self.kept = frozenset(policy.kept_paths)
        self.key = key
        self.looked_at = 0
        """Hints that any rule asks for."""
        for rule, needed in _NEEDS.items():
            if self.modes.get(rule, Mode.MASK) is not Mode.KEEP:
                self.looked_at |= needed
        if self.modes.get(Rule.FIELD) is Mode.KEEP:
            self.verdicts = _Verdicts(())

    def holds_named(self, value: Any) -> bool:
        """Whether there is a field to remove by its name. Mostly there is not, and then nothing needs to be copied."""
        if isinstance(value, dict):
            verdicts = self.verdicts
            if not verdicts.impersonal.issuperset(value):
                for name in value:
                    if verdicts[name]:
                        return True
            value = value.values()
        for inner in value:
            # What comes from JSON is of exactly these types, which is seen in half the time.
            kind = type(inner)
            if (kind is dict or kind is list) and self.holds_named(inner):
                return True
        return False

    def clean(
        self, value: dict[str, Any], path: str, hinted: int, removed: list[Removal], kept: frozenset[str]
    ) -> dict[str, Any]:
        """A copy without personal data; what was taken is added to `removed`. `kept`: further paths to leave alone."""
        return _Cleaning(self, hinted, removed, self.kept | kept if kept else self.kept).object(value, path)


class _Cleaning:
    """One object being cleaned."""

    def __init__(
        self, owner: PersonalDataFilter, hinted: int, removed: list[Removal], kept: frozenset[str]
    ) -> None:
        self._owner = owner
        self._hinted = hinted
        self._removed = removed
        self._kept = kept
        self._path = ""
        self._dropped = False
        self._recognition = Recognition(self._put, owner.verdicts.__getitem__)

    def object(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        """The object without personal data."""
        verdicts, made = self._owner.verdicts, {}
        for name, inner in value.items():
            if verdicts[name] and not (name == "name" and path in _THINGS):
                at = f"{path}.{name}"
                if at not in self._kept:
                    found = self._named(inner, at)
                    if found is not _DROPPED:
                        made[name] = found
                    continue
            if isinstance(inner, _NESTED) or (self._hinted and self._may_hold(inner)):
                key = self._key(name, path)
                found = self._value(inner, f"{path}.{key}")
                if found is not _DROPPED:
                    made[key] = found
            else:
                made[self._key(name, path)] = inner
        return made

    def _may_hold(self, value: Any) -> bool:
        """Whether a closer look is worth its price."""
        if isinstance(value, str):
            return bool(self._hinted & SHAPED) or "=" in value or "@" in value or "%" in value
        return isinstance(value, int) and bool(self._hinted & DIGITS)

    def _named(self, value: Any, path: str) -> Any:
        mode = self._owner.modes[Rule.FIELD]
        self._removed.append(Removal(Rule.FIELD, path, mode))
        if mode is Mode.DROP or value is None:
            return _DROPPED
        if mode is Mode.HASH and isinstance(value, str | int):
            return f"[field:{keyed_hash(self._owner.key, str(value).strip().lower())}]"
        return "[field]"

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return self.object(value, path)
        if isinstance(value, list):
            kept = [self._value(inner, path) for inner in value]
            return [inner for inner in kept if inner is not _DROPPED]
        if path in self._kept or not self._hinted:
            return value
        self._path, self._dropped = path, False
        found: Any
        if isinstance(value, str):
            found = self._recognition.replaced(value, self._hinted) if len(value) > 4 else value
        elif isinstance(value, int) and self._hinted & DIGITS and not isinstance(value, bool):
            instead = self._recognition.number(value)
            found = value if instead is None else instead
        else:
            return value
        return _DROPPED if self._dropped else found

    def _key(self, name: str, path: str) -> str:
        """A name of a field is a text as well: `{"ada@example.com": true}`. It is masked where its value would be dropped."""
        if not self._hinted or len(name) < 5 or not self._may_hold(name):
            return name
        self._path = path
        return self._recognition.replaced(name, self._hinted)

    def _put(self, rule: Rule, plain: str) -> str | None:
        mode = self._owner.modes.get(rule, Mode.MASK)
        if mode is Mode.KEEP:
            return None
        self._removed.append(Removal(rule, self._path, mode))
        self._dropped = self._dropped or mode is Mode.DROP
        return f"[{rule}:{keyed_hash(self._owner.key, plain)}]" if mode is Mode.HASH else f"[{rule}]"


DEFAULT_FILTER = PersonalDataFilter(PrivacyPolicy())
"""That of projects that have decided nothing."""

__all__ = ["DEFAULT_FILTER", "EVERYTHING", "PersonalDataFilter", "Removal", "plain_name"]

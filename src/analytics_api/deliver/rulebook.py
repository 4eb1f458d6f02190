"""The stored rules of all destinations, as a process knows them: a copy of the table."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import asyncpg

from analytics_api.deliver.rules import NO_RULES, RuleSet, parse_rules
from analytics_api.errors import ConfigurationError
from analytics_api.store.deliveries import Key
from analytics_api.store.destination_rules import Stamp, StoredRules, rule_stamps, stored_rules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    stamp: Stamp
    rules: RuleSet | None
    """None when this process cannot read them."""
    problem: str | None


class RuleBook:
    """Rules by project and destination.

    Those that cannot be read here, because a newer version of this program has stored them, hold their destination back:
    events must not go out without the consent that they may ask for.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}

    async def refresh(self, connection: asyncpg.Connection) -> set[Key]:
        """Take over what has changed in the table. Returns the destinations whose rules are others now."""
        stamps = await rule_stamps(connection)
        known = {key: entry.stamp for key, entry in self._entries.items()}
        if stamps == known:
            return set()
        rows = await stored_rules(connection)
        entries = {
            key: self._entries[key] if known.get(key) == row.stamp else _read(key, row)
            for key, row in rows.items()
        }
        changed = {
            key for key in known.keys() | entries.keys() if self._entries.get(key) is not entries.get(key)
        }
        self._entries = entries
        return changed

    def of(self, key: Key) -> RuleSet | None:
        """The rules of a destination; None when there are some that cannot be read."""
        entry = self._entries.get(key)
        return NO_RULES if entry is None else entry.rules

    def problem(self, key: Key) -> str | None:
        """Why a destination's rules cannot be read."""
        entry = self._entries.get(key)
        return None if entry is None else entry.problem


def _read(key: Key, row: StoredRules) -> _Entry:
    try:
        return _Entry(row.stamp, RuleSet(parse_rules(row.rules, "rules")), None)
    except ConfigurationError as error:
        problem = f"its rules cannot be read by this version: {error.detail}"
    logger.error("destination %s of project %d cannot be used: %s", key[1], key[0], problem)
    return _Entry(row.stamp, None, problem)

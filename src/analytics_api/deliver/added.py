"""Destinations that were added over the API or the command line, as a process knows them: a copy of the table."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from analytics_api.deliver.destination import Destination, DestinationConfig, open_destination
from analytics_api.errors import ConfigurationError
from analytics_api.store.deliveries import Key
from analytics_api.store.destinations import StoredDestination, stored_destinations, versions
from analytics_api.store.secret_box import SecretBox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    version: UUID
    destination: Destination | None
    """None when it cannot be opened here."""
    problem: str | None


class AddedDestinations:
    """Opened destinations by project and name. One that cannot be opened keeps its backlog and says why."""

    def __init__(self, box: SecretBox, *, muted: bool) -> None:
        self._box = box
        self._muted = muted
        self._entries: dict[Key, _Entry] = {}

    async def refresh(self, connection: asyncpg.Connection) -> set[Key]:
        """Take over what has changed in the table. Returns what is new, different or gone."""
        current = await versions(connection)
        known = {key: entry.version for key, entry in self._entries.items()}
        if current == known:
            return set()
        entries = {}
        for row in await stored_destinations(connection):
            held = self._entries.get(row.key)
            entries[row.key] = held if held is not None and held.version == row.version else self._open(row)
        changed = {key for key in known.keys() | entries.keys() if self._entries.get(key) != entries.get(key)}
        self._entries = entries
        return changed

    def of(self, project_id: int) -> list[Destination]:
        """Those of a project that can be sent to, by name."""
        return [
            entry.destination
            for (project, _), entry in sorted(self._entries.items(), key=lambda item: item[0])
            if project == project_id and entry.destination is not None
        ]

    def find(self, project_id: int, name: str) -> Destination | None:
        """One that can be sent to."""
        entry = self._entries.get((project_id, name))
        return entry.destination if entry is not None else None

    def problem(self, project_id: int, name: str) -> str | None:
        """Why one cannot be sent to from this process."""
        entry = self._entries.get((project_id, name))
        return entry.problem if entry is not None else None

    def _open(self, row: StoredDestination) -> _Entry:
        try:
            return _Entry(row.version, open_destination(config_of(row, self._box), muted=self._muted), None)
        except ConfigurationError as error:
            problem = error.detail
        except Exception as error:
            # Another package's mistake must not stop the other destinations.
            logger.exception("provider %s failed while it was made", row.kind)
            problem = f"{row.kind} cannot be made: {type(error).__name__}: {error}"
        logger.error("destination %s cannot be used: %s", row.name, problem)
        return _Entry(row.version, None, problem)


def place_of(project_id: int, name: str) -> str:
    """What the secrets of a destination are bound to."""
    return f"destination {project_id}/{name}"


def config_of(row: StoredDestination, box: SecretBox) -> DestinationConfig:
    """What an operator has set. Raises ConfigurationError when the secrets cannot be opened."""
    secrets = {} if row.secrets is None else box.open(row.secrets, place_of(row.project_id, row.name))
    return DestinationConfig(row.kind, {**row.options, **secrets}, row.name)

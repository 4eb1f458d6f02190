"""Deleting a person at the destinations of a project: what the privacy jobs ask of this room."""

from __future__ import annotations

from collections.abc import Sequence

from analytics_api.deliver.providers.port import Deletes
from analytics_api.deliver.service import SANDBOX, Destinations
from analytics_api.domain.erasure import Deletion, DeletionState, PersonIds
from analytics_api.domain.project import Project


class DestinationDeletions:
    """Asks the providers. A provider that cannot delete is named in the report, so that a human does it there."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    def targets(self, project: Project) -> list[str]:
        """All destinations but the sandbox, whose payloads are erased with the events."""
        return sorted(name for name in self._destinations.names(project) if name != SANDBOX)

    async def request(self, project: Project, destination: str, ids: PersonIds) -> Deletion:
        """Ask a destination to delete a person."""
        found = self._destinations.find(project, destination)
        if found is None:
            return Deletion(DeletionState.WAITING, words="it cannot be reached from this process")
        if found.muted:
            return Deletion(DeletionState.IMPOSSIBLE, words="sandbox mode is on: nothing is sent")
        if not isinstance(found.provider, Deletes):
            words = f"{found.provider.name} has no call for this here: delete the person there by hand"
            return Deletion(DeletionState.IMPOSSIBLE, words=words)
        client = self._destinations.client_for(project, found)
        return await found.provider.delete_person(client, ids)

    async def follow(
        self, project: Project, destination: str, ids: PersonIds, tracking: Sequence[str]
    ) -> Deletion:
        """Ask how far it is."""
        found = self._destinations.find(project, destination)
        if found is None or not isinstance(found.provider, Deletes):
            return Deletion(DeletionState.FAILED, words="the destination was removed before it had answered")
        client = self._destinations.client_for(project, found)
        return await found.provider.deletion_state(client, ids, tracking)

"""What intake hands to the tracking plan: events for the quarantine, and what was odd about the others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analytics_api.domain.plan import HeldEvent, WarningKind
from analytics_api.ingest.draft import Draft, Rejected, Result, Status
from analytics_api.ingest.payloads import EVENT_FIELDS
from analytics_api.ingest.plan.counter import WarningCounter
from analytics_api.ingest.plan.holding import Holder
from analytics_api.ingest.plan.plans import Plans
from analytics_api.ingest.steps.plan import PlanBroken
from analytics_api.store.engine import Database

_FIRST_WORD = re.compile(r"[a-z_]*")


class PlanDesk:
    """The plans, the way into the quarantine and the counted warnings of one process."""

    def __init__(self, database: Database, *, queue_bytes: int) -> None:
        self.plans = Plans(database)
        self.warnings = WarningCounter(database)
        self._holder = Holder(database, queue_bytes=queue_bytes)

    async def start(self) -> None:
        """Read the plans and begin to write."""
        await self.plans.start()
        self.warnings.start()
        self._holder.start()

    async def stop(self) -> None:
        """Write what is queued and counted, then stop."""
        await self._holder.close()
        await self.warnings.stop()
        await self.plans.stop()

    async def hold(self, held: Sequence[tuple[int, HeldEvent, tuple[str, ...]]]) -> list[Result]:
        """Put events, each with its place and what its sender is told, into quarantine.

        What returns is committed. Raises Unavailable.
        """
        if not held:
            return []
        outcomes = await self._holder.hold([one for _, one, _ in held])
        results = []
        for (index, one, warnings), outcome in zip(held, outcomes, strict=True):
            event_id = one.event.event_id
            if isinstance(outcome, str):
                result = Result(index, event_id, Status.REJECTED, outcome)
            elif outcome:
                result = Result(index, event_id, Status.QUARANTINED, one.finding.reason, warnings)
            else:
                reason = "an event with this id is in quarantine or stored already"
                result = Result(index, event_id, Status.DUPLICATE, reason)
            results.append(result)
        return results

    def note_refused(self, project_id: int, error: Rejected) -> None:
        """Count what was wrong with an event that was refused."""
        if isinstance(error, PlanBroken):
            broken = error.draft
            for one in error.findings:
                self.warnings.add(
                    project_id, one.kind, broken.payload.event_type, one.path, one.reason, broken.event_data
                )
        else:
            # Neither its type nor its data have been found fit to be stored.
            reason = str(error)
            self.warnings.add(project_id, WarningKind.REJECTED, "", _field(reason), reason)

    def note(self, project_id: int, draft: Draft) -> None:
        """Count what was odd about an event that is taken."""
        for one in draft.warnings:
            self.warnings.add(
                project_id, one.kind, draft.payload.event_type, one.path, one.text, draft.event_data
            )


def _field(reason: str) -> str:
    """The field of an event that a reason begins with, or nothing."""
    found = _FIRST_WORD.match(reason)
    return found[0] if found is not None and found[0] in EVENT_FIELDS else ""

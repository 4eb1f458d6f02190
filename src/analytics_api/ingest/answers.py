"""The body of the 202: what became of each event."""

from __future__ import annotations

from typing import Any

from analytics_api.ingest.draft import Result, Status

_STATUSES = tuple(Status)


def answer(results: list[Result]) -> dict[str, Any]:
    """Counts by status and one entry for each event."""
    counts = dict.fromkeys(_STATUSES, 0)
    listed: list[dict[str, Any]] = []
    for result in results:
        counts[result.status] += 1
        entry: dict[str, Any] = {"index": result.index}
        if result.event_id is not None:
            entry["event_id"] = result.event_id
        entry["status"] = result.status
        if result.reason is not None:
            entry["reason"] = result.reason
        if result.warnings:
            entry["warnings"] = result.warnings
        listed.append(entry)
    return {
        "accepted": counts[Status.ACCEPTED],
        "duplicates": counts[Status.DUPLICATE],
        "rejected": counts[Status.REJECTED],
        "ignored": counts[Status.IGNORED],
        "quarantined": counts[Status.QUARANTINED],
        "results": listed,
    }

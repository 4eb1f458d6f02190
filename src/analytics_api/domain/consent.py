"""What `context.consent` of an event means. Pure.

It is `false`, `"denied"` or an object. In an object `opt_out: true` refuses everything, `destinations: {"amplitude": false}` a single
destination; what else it holds are purposes, which the rules of destinations may ask for.
"""

from __future__ import annotations

from typing import Any


def has_opted_out(consent: Any) -> bool:
    """Whether nothing of the person may be stored."""
    if isinstance(consent, dict):
        return consent.get("opt_out") is True or consent.get("optOut") is True
    return consent is False or consent == "denied"


def refuses_destination(consent: Any, destination: str) -> bool:
    """Whether the event must not go to a destination."""
    if has_opted_out(consent):
        return True
    destinations = consent.get("destinations") if isinstance(consent, dict) else None
    if not isinstance(destinations, dict):
        return False
    stated = destinations.get(destination, destinations.get("*"))
    return stated is False or stated == "denied"

"""Event types of other products that our own rules do not allow."""

from __future__ import annotations

from analytics_api.domain.event import EventType

_OURS = frozenset({EventType.IDENTIFY.value, EventType.ALIAS.value})


def without_dollar(event_type: str) -> str:
    """`$ae_session` as `ae_session`: names with $ are kept for the system, which knows only $identify and $alias."""
    return event_type if event_type in _OURS else event_type.lstrip("$")

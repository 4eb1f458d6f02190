"""Personal data: what never enters the log unless the operator has switched that on."""

from __future__ import annotations

from analytics_api.domain.event import OWN_TYPES
from analytics_api.domain.merging import ALIAS_FIELDS
from analytics_api.domain.personal_data import Mode, Rule, hints
from analytics_api.domain.plan import WarningKind
from analytics_api.ingest.draft import Draft, Reception
from analytics_api.ingest.privacy.filter import Removal
from analytics_api.ingest.steps.text import render

_ALIASES = frozenset(f"event_data.{field}" for field in ALIAS_FIELDS)
"""Ids, not data: they name persons as `user_id` does."""
_NONE: frozenset[str] = frozenset()
_SILENT = frozenset({"context.ip", "context.user_agent"})
"""Every browser sends these two in good faith; that they are not kept needs no warning each time."""


def drop_personal_data(draft: Draft, reception: Reception) -> None:
    """Take personal data out of event data, user properties and context, at any depth, and name what was taken.

    Fields go by their names; what is recognised in texts by what it looks like is masked, hashed or dropped, as the
    project's policy says.
    """
    if reception.keep_pii:
        return
    found, removed = reception.pii, draft.removed
    kept = _ALIASES if draft.payload.event_type in OWN_TYPES else _NONE
    hinted = hints(draft.event_json + draft.context_json + draft.properties_json) & found.looked_at
    if hinted or found.holds_named(draft.event_data):
        draft.event_data = found.clean(draft.event_data, "event_data", hinted, removed, kept)
        draft.event_json = render(draft.event_data, "event_data")
    if hinted or found.holds_named(draft.context):
        draft.context = found.clean(draft.context, "context", hinted, removed, kept)
        draft.context_json = render(draft.context, "context")
    if draft.user_properties is not None and (hinted or found.holds_named(draft.user_properties)):
        draft.user_properties = found.clean(draft.user_properties, "user_properties", hinted, removed, kept)
    for one in removed:
        if one.path not in _SILENT:
            draft.warn(WarningKind.PERSONAL_DATA, one.path, _words(one))


def _words(one: Removal) -> str:
    if one.rule is Rule.FIELD:
        return f"{one.path} was {'removed' if one.mode is Mode.DROP else 'replaced'} as personal data"
    did = "was removed because it held" if one.mode is Mode.DROP else "held"
    return f"{one.path} {did} personal data ({one.rule}){'' if one.mode is Mode.DROP else ', replaced'}"


def put_address(draft: Draft, reception: Reception) -> None:
    """Where it is switched on, keep the address and user agent of a browser that did not say them itself."""
    if not reception.keep_pii or reception.trusted:
        return
    if reception.ip is not None:
        draft.context.setdefault("ip", reception.ip)
    if reception.user_agent is not None:
        draft.context.setdefault("user_agent", reception.user_agent)
    draft.context_json = render(draft.context, "context")

"""Consent: events of persons who have opted out, or whose browser says so, are not stored. What is said is kept as proof."""

from __future__ import annotations

import msgspec

from analytics_api.domain.consent import has_opted_out
from analytics_api.domain.plan import WarningKind
from analytics_api.domain.privacy import Refusal
from analytics_api.ingest.draft import Draft, Reception, Refused

LONGEST = 2_000
"""Bytes of what is kept as proof."""

_WORDS = {
    Refusal.OPT_OUT: "its person has opted out (context.consent)",
    Refusal.GPC: "its browser sends Sec-GPC: 1, which this project honours",
    Refusal.DNT: "its browser sends DNT: 1, which this project honours",
}


def check_consent(draft: Draft, reception: Reception) -> None:
    """Raises Refused. Comes behind the filter of personal data, so that the proof holds none."""
    consent = draft.context.get("consent")
    if consent is not None:
        # Not orjson, which refuses integers beyond 64 bits.
        stated = msgspec.json.encode(consent, order="sorted")
        if len(stated) <= LONGEST:
            draft.consent = stated.decode()
        else:
            text = f"context.consent is longer than {LONGEST} bytes and is not kept as proof"
            draft.warn(WarningKind.OTHER, "context.consent", text)
    refusal = reception.refusal
    if refusal is None and consent is not None and has_opted_out(consent):
        refusal = Refusal.OPT_OUT
    if refusal is not None:
        raise Refused(_WORDS[refusal], refusal)

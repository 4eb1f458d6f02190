"""When it happened."""

from __future__ import annotations

from analytics_api.domain.plan import WarningKind
from analytics_api.domain.times import parse_time, place_in_time
from analytics_api.ingest.draft import Draft, Reception, Rejected


def put_time(draft: Draft, reception: Reception) -> None:
    """The time sent, corrected by the skew of the client's clock; now when none was sent."""
    given = draft.payload.timestamp
    if given is None:
        draft.occurred_at = reception.received_at
        return
    try:
        moment = parse_time(given)
        draft.occurred_at, clamped = place_in_time(
            moment, reception.received_at, reception.skew, reception.reach
        )
    except ValueError as error:
        raise Rejected(str(error)) from None
    if clamped:
        draft.context["time_clamped"] = True
        text = "timestamp lies in the future and was set to the time of arrival"
        draft.warn(WarningKind.TIME_CLAMPED, "timestamp", text)

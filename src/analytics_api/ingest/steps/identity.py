"""Which event this is and whose."""

from __future__ import annotations

from analytics_api.domain.identity import event_id_of, event_id_of_key, mint_event_id, person_of
from analytics_api.ingest.draft import Draft, Reception, Rejected
from analytics_api.ingest.steps.text import LONGEST_ID


def put_event_id(draft: Draft, reception: Reception) -> None:
    """The client's id, else one made of the Idempotency-Key, else a new one that no resend can repeat."""
    given = draft.payload.event_id
    namespace = reception.project.namespace
    if given:
        if len(given) > LONGEST_ID:
            raise Rejected(f"event_id is longer than {LONGEST_ID} characters")
        draft.event_id = event_id_of(namespace, given)
    elif reception.idempotency_key is not None:
        draft.event_id = event_id_of_key(namespace, reception.idempotency_key, draft.index)
    else:
        draft.event_id = mint_event_id()
        draft.keyed = False


def put_person(draft: Draft, reception: Reception) -> None:
    """The person, computed from the ids that were sent."""
    if draft.event_id is None:
        raise RuntimeError("put_event_id comes before put_person")
    draft.person_id, draft.has_person = person_of(
        reception.project.namespace, draft.user_id, draft.anonymous_id, draft.event_id
    )

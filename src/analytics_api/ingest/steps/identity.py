"""Which event this is and whose."""

from __future__ import annotations

from analytics_api.domain.event import ALIAS, OWN_TYPES, UNALIAS
from analytics_api.domain.identity import event_id_of, event_id_of_key, mint_event_id, person_of
from analytics_api.domain.merging import ALIAS_FIELDS
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


def check_alias(draft: Draft, reception: Reception) -> None:
    """`$alias` and `$unalias` name one id that joins another; what concerns two known persons takes a server key."""
    kind = draft.payload.event_type
    if kind not in OWN_TYPES:
        return
    given = [field for field in ALIAS_FIELDS if draft.event_data.get(field) not in (None, "")]
    if len(given) != 1:
        raise Rejected(
            f"event_data names {len(given)} of {', '.join(ALIAS_FIELDS)}: give the one id that joins user_id"
        )
    [field] = given
    value = draft.event_data[field]
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > LONGEST_ID:
        raise Rejected(f"event_data.{field} is no id: send text of up to {LONGEST_ID} characters")
    says_its_user = kind == ALIAS and draft.anonymous_id is not None and field != "from_anonymous_id"
    if draft.user_id is None and not says_its_user:
        raise Rejected("user_id is missing: it names the known person that the other id joins")
    if reception.trusted:
        return
    if kind == UNALIAS:
        raise Rejected("event_type: only a server key may send $unalias")
    if draft.user_id is not None and field == "from_user_id":
        raise Rejected("event_data.from_user_id: only a server key may make two known persons one")

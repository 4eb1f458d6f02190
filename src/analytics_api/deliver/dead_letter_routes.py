"""/deliveries/dead-letters: what the providers refused, tried again or discarded."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.deliver.dead_letter_schemas import (
    DeadLetterGroup,
    DeadLetterGroups,
    DeadLetterItem,
    DeadLetterPage,
    DeadLettersDiscarded,
    DiscardDeadLetters,
    Instant,
    Number,
    Retried,
    RetryDeadLetters,
    Text,
)
from analytics_api.domain.outcome import DeadKind
from analytics_api.errors import Unprocessable
from analytics_api.routes import Routes
from analytics_api.store.dead_letters import (
    DeadChoice,
    DeadLetter,
    dead_groups,
    dead_letters,
    discard_dead,
    retry_dead,
)
from analytics_api.store.replays import split_key

router = Routes(prefix="/deliveries/dead-letters", tags=["delivery"])


async def _asked(
    destination: Annotated[
        Text | None, Query(description="Only of this destination, its replays included.")
    ] = None,
    replay: Annotated[Number | None, Query(description="Only of this replay.")] = None,
    kind: Annotated[DeadKind | None, Query(description="What they died of.")] = None,
    event_type: Annotated[Text | None, Query(description="Only of this event type.")] = None,
    text: Annotated[Text | None, Query(description="What the words say somewhere, in whatever case.")] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Died then or later.")] = None,
    until: Annotated[Instant | None, Query(description="Died before.")] = None,
    discarded: Annotated[
        bool, Query(description="Those that were discarded, instead of the others.")
    ] = False,
) -> DeadChoice:
    return DeadChoice(destination, replay, kind, event_type, text, since, until, discarded=discarded)


Asked = Annotated[DeadChoice, Depends(_asked)]


@router.get("", summary="Events that providers refused")
async def list_dead_letters(
    caller: ReadCaller,
    database: DatabaseOf,
    choice: Asked,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")] = 100,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> DeadLetterPage:
    """Newest first, with the provider's words. The events themselves stay in the log."""
    async with database.look() as connection:
        found = await dead_letters(
            connection, caller.project.id, choice, before=_read_cursor(after), limit=limit + 1
        )
    page = found[:limit]
    return DeadLetterPage(
        items=[_item(letter) for letter in page],
        next=_cursor(page[-1]) if len(found) > limit else None,
    )


@router.get("/groups", summary="Dead letters counted by what they died of")
async def group_dead_letters(caller: ReadCaller, database: DatabaseOf, choice: Asked) -> DeadLetterGroups:
    """By destination, kind, event type and words, in which numbers and ids are taken as equal."""
    async with database.look() as connection:
        found = await dead_groups(connection, caller.project.id, choice)
    groups = []
    for group in found:
        values = asdict(group)
        destination, replay = split_key(values.pop("key"))
        groups.append(DeadLetterGroup(destination=destination, replay=replay, **values))
    return DeadLetterGroups(total=found[0].total if found else 0, groups=groups)


@router.post("/retry", summary="Try dead letters again")
async def retry_dead_letters(body: RetryDeadLetters, caller: EditCaller, database: DatabaseOf) -> Retried:
    """Put dead letters back into delivery, with the same ids: after mending what the provider refused them for.

    Those of a replay go on in it; those of one that was cancelled or has failed are left.
    """
    async with database.acquire() as connection:
        retried = await retry_dead(
            connection, caller.project.id, body.destination, body.to_choice(), datetime.now(UTC)
        )
    return Retried(retried=retried)


@router.post("/discard", summary="Discard dead letters")
async def discard_dead_letters(
    body: DiscardDeadLetters, caller: EditCaller, database: DatabaseOf
) -> DeadLettersDiscarded:
    """Take dead letters off the list, with a reason. They stay dead in the counts; named by id they can still be retried."""
    async with database.acquire() as connection:
        discarded = await discard_dead(
            connection, caller.project.id, body.destination, body.to_choice(), body.reason, datetime.now(UTC)
        )
    return DeadLettersDiscarded(discarded=discarded)


def _item(letter: DeadLetter) -> DeadLetterItem:
    return DeadLetterItem(
        destination=letter.destination,
        replay=letter.replay,
        seq=letter.seq,
        event_id=letter.event_id,
        event_type=letter.event_type,
        occurred_at=letter.occurred_at,
        died_at=letter.died_at,
        attempts=letter.attempts,
        kind=DeadKind(letter.kind),
        reason=letter.reason,
        discarded_at=letter.discarded_at,
        discard_reason=letter.discard_reason,
    )


def _cursor(letter: DeadLetter) -> str:
    text = json.dumps([letter.died_at.isoformat(), letter.seq, letter.key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> tuple[datetime, int, str] | None:
    if text is None:
        return None
    try:
        died_at, seq, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moment = datetime.fromisoformat(died_at)
        if moment.tzinfo is None or type(seq) is not int or not 0 <= seq < 2**63:
            raise ValueError
        if not isinstance(key, str) or "\0" in key:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise Unprocessable("after is no page of this list: use the `next` of the page before.") from None
    return moment, seq, key

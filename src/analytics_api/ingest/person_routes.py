"""POST /persons/merge and /persons/unmerge: which known persons are one. Server keys only."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from analytics_api.access.caller import Caller
from analytics_api.access.dependencies import TrustedSender
from analytics_api.domain.event import EventType
from analytics_api.errors import Unprocessable
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.service import Intake
from analytics_api.ingest.steps.text import LONGEST_ID
from analytics_api.routes import Routes

router = Routes(prefix="/persons", tags=["persons"])

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]*$")]


class TwoIds(BaseModel):
    """Two ids of one person: give `from_user_id` or `from_anonymous_id`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "ada", "from_user_id": "ada-old"}]}
    )

    user_id: Id = Field(description="The known person that stays.")
    from_user_id: Id | None = Field(None, description="The known person that joins.")
    from_anonymous_id: Id | None = Field(None, description="The device that joins.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.from_user_id is None) == (self.from_anonymous_id is None):
            raise ValueError("give either from_user_id or from_anonymous_id")
        if self.from_user_id == self.user_id:
            raise ValueError("from_user_id is the same as user_id: name another person")
        return self


class Said(BaseModel):
    """It is an event of the log now; figures follow within seconds."""

    event_id: UUID | None
    status: Status


@router.post("/merge", status_code=202, summary="Make two ids one person")
async def merge(ids: TwoIds, request: Request, caller: TrustedSender) -> Said:
    """Everything of the one who joins counts as the other's, past and future. Again changes nothing."""
    return await _say(EventType.ALIAS, ids, request, caller)


@router.post("/unmerge", status_code=202, summary="Undo a merge")
async def unmerge(ids: TwoIds, request: Request, caller: TrustedSender) -> Said:
    """The two are as if never joined, until `/persons/merge` says it again. Does nothing to other merges."""
    return await _say(EventType.UNALIAS, ids, request, caller)


async def _say(kind: EventType, ids: TwoIds, request: Request, caller: Caller) -> Said:
    intake: Intake = request.app.state.intake
    event = {
        "event_type": kind.value,
        "user_id": ids.user_id,
        "event_data": ids.model_dump(exclude={"user_id"}, exclude_none=True),
    }
    [result] = await intake.take(Body([orjson.dumps(event)], single=True), caller)
    if result.status is Status.REJECTED:
        raise Unprocessable(f"{result.reason}.")
    return Said(event_id=result.event_id, status=result.status)

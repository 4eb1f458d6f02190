"""/cohorts: groups of persons that a project keeps, by behaviour or as lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.domain.clock import system_clock
from analytics_api.domain.cohorts import Behaviour, parse_behaviour
from analytics_api.domain.identity import person_of
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.routes import Routes
from analytics_api.store.analysis.scope import check
from analytics_api.store.cohorts import (
    Cohort,
    Draft,
    add_cohort,
    add_members,
    cohorts,
    find_cohort,
    remove_cohort,
    remove_members,
    replace_cohort,
)
from analytics_api.store.engine import Database

MOST_IDS = 10_000
"""Of one request; a list may be filled by several."""
LARGEST = 2**31 - 1
_NO_NUL = r"^[^\x00]*$"

router = Routes(prefix="/cohorts", tags=["cohorts"])

CohortId = Annotated[int, Path(ge=1, le=LARGEST)]
_Text = Annotated[str, Field(max_length=512, pattern=_NO_NUL)]


class Ids(BaseModel):
    """Persons, by any of their ids."""

    model_config = ConfigDict(extra="forbid")

    person_ids: list[UUID] = Field([], max_length=MOST_IDS)
    user_ids: list[_Text] = Field([], max_length=MOST_IDS)
    anonymous_ids: list[_Text] = Field([], max_length=MOST_IDS)

    def persons(self, project: Project) -> list[UUID]:
        """Their ids as persons."""
        nobody = UUID(int=0)
        return [
            *self.person_ids,
            *(person_of(project.namespace, each, None, nobody)[0] for each in self.user_ids),
            *(person_of(project.namespace, None, each, nobody)[0] for each in self.anonymous_ids),
        ]


class CohortBody(BaseModel):
    """A cohort to keep: with `behaviour`, or as a list."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Regulars who never paid",
                "behaviour": {
                    "did": [
                        {"event": "login", "at_least": 3, "within_days": 30},
                        {"event": "payment_completed", "at_most": 0},
                    ]
                },
            }
        },
    )

    name: str = Field(min_length=1, max_length=200, pattern=_NO_NUL)
    description: str = Field("", max_length=2000, pattern=_NO_NUL)
    behaviour: dict[str, Any] | None = Field(
        None, description="`did`: what, how often, within how many days; `are`: filters on the person."
    )


class NewCohort(CohortBody):
    """A cohort to add; a list may begin with some persons."""

    members: Ids = Ids()


class MemberChange(BaseModel):
    """Who goes on a list and who off it."""

    model_config = ConfigDict(extra="forbid")

    add: Ids = Ids()
    remove: Ids = Ids()


class CohortInfo(BaseModel):
    """A cohort. Who belongs to it, and how many they are, `POST /analysis/people` says."""

    id: int
    name: str
    description: str
    kind: str = Field(description="list, or behaviour.")
    behaviour: dict[str, Any] | None
    definition: str = Field(description="In words; empty for a list.")
    created_at: datetime
    updated_at: datetime


class CohortList(BaseModel):
    """The project's cohorts."""

    cohorts: list[CohortInfo]


@router.get("", summary="The project's cohorts", response_model=CohortList)
async def list_cohorts(caller: ReadCaller, database: DatabaseOf) -> CohortList:
    """By name."""
    async with database.read() as connection:
        return CohortList(cohorts=[_info(each) for each in await cohorts(connection, caller.project.id)])


@router.post("", summary="Keep a cohort", status_code=201, response_model=CohortInfo)
async def make_cohort(body: NewCohort, caller: EditCaller, database: DatabaseOf) -> CohortInfo:
    """By behaviour, it holds whoever behaves so when it is asked; a list holds those who are put on it."""
    draft = await _draft(database, body)
    persons = body.members.persons(caller.project)
    if draft.behaviour is not None and persons:
        raise Unprocessable("members: a cohort by behaviour has none of its own; leave them out.")
    async with database.write() as connection:
        return _info(await add_cohort(connection, caller.project.id, draft, persons, system_clock()))


@router.get("/{cohort_id}", summary="One cohort", response_model=CohortInfo)
async def show_cohort(cohort_id: CohortId, caller: ReadCaller, database: DatabaseOf) -> CohortInfo:
    """What it is called and how it is defined."""
    async with database.read() as connection:
        return _info(await find_cohort(connection, caller.project.id, cohort_id))


@router.put("/{cohort_id}", summary="Change a cohort", response_model=CohortInfo)
async def change_cohort(
    cohort_id: CohortId, body: CohortBody, caller: EditCaller, database: DatabaseOf
) -> CohortInfo:
    """Everything but the persons of a list is given again."""
    draft = await _draft(database, body)
    async with database.write() as connection:
        changed = await replace_cohort(connection, caller.project.id, cohort_id, draft, system_clock())
    return _info(changed)


@router.post("/{cohort_id}/members", summary="Put persons on a list, or take them off", status_code=204)
async def change_members(
    cohort_id: CohortId, body: MemberChange, caller: EditCaller, database: DatabaseOf
) -> Response:
    """Persons may be named before anything is known of them."""
    project = caller.project
    async with database.write() as connection:
        cohort = await find_cohort(connection, project.id, cohort_id)
        if cohort.behaviour is not None:
            raise Unprocessable("This cohort goes by behaviour: nobody can be put on it or taken off.")
        await remove_members(connection, project.id, cohort_id, body.remove.persons(project))
        await add_members(connection, project.id, cohort_id, body.add.persons(project))
    return Response(status_code=204)


@router.delete("/{cohort_id}", summary="Forget a cohort", status_code=204)
async def forget_cohort(cohort_id: CohortId, caller: EditCaller, database: DatabaseOf) -> Response:
    """The persons stay."""
    async with database.write() as connection:
        await remove_cohort(connection, caller.project.id, cohort_id)
    return Response(status_code=204)


async def _draft(database: Database, body: CohortBody) -> Draft:
    behaviour: Behaviour | None = None
    if body.behaviour is not None:
        try:
            behaviour = parse_behaviour(body.behaviour, "behaviour")
        except ValueError as error:
            raise Unprocessable(f"{error}.") from None
        async with database.read() as connection:
            await check(connection, [behaviour.are, *(rule.filters for rule in behaviour.did)])
    return Draft(body.name, body.description, behaviour)


def _info(cohort: Cohort) -> CohortInfo:
    behaviour = cohort.behaviour
    return CohortInfo(
        id=cohort.id,
        name=cohort.name,
        description=cohort.description,
        kind="list" if behaviour is None else "behaviour",
        behaviour=None if behaviour is None else behaviour.as_json(),
        definition="" if behaviour is None else behaviour.in_words(),
        created_at=cohort.created_at,
        updated_at=cohort.updated_at,
    )

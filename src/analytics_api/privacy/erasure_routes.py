"""Erasure, anonymisation and export over HTTP, for administrators of a project."""

from __future__ import annotations

import secrets
from typing import Annotated

import asyncpg
from fastapi import Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from analytics_api.access.caller import Caller
from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.domain.clock import system_clock
from analytics_api.domain.erasure import JobKind
from analytics_api.errors import ConfigurationError, Conflict, NotFound, Unprocessable
from analytics_api.privacy.erasure_schemas import (
    DestinationState,
    DryRun,
    ErasureBody,
    Id,
    JobList,
    Lifted,
    PrivacyJobInfo,
    SignedReport,
    Whom,
)
from analytics_api.privacy.export import archive
from analytics_api.privacy.jobs import Deleter
from analytics_api.privacy.subject import Subject
from analytics_api.routes import Routes
from analytics_api.store import erasure
from analytics_api.store.engine import Database
from analytics_api.store.privacy_jobs import PrivacyJob, create_job, find_job, list_jobs
from analytics_api.store.provider_deletions import ProviderDeletion, deletions_of
from analytics_api.store.secret_box import SecretBox
from analytics_api.store.suppression import lift

router = Routes(tags=["privacy"])

_JobId = Annotated[int, Path(ge=1, lt=2**63)]


@router.post(
    "/privacy/erasures",
    summary="Erase or anonymise a person or events",
    status_code=202,
    response_model=PrivacyJobInfo,
    responses={200: {"model": DryRun, "description": "Of a dry run."}},
)
async def begin(body: ErasureBody, request: Request, caller: AdminCaller, database: DatabaseOf) -> Response:
    """Begins a job that survives every crash, or with `dry_run` only counts what would go.

    Readers first end what they have claimed; then the data goes here, figures of days that are not sealed are counted again, and
    the destinations are asked to delete the person and are followed to the end.
    """
    deleter: Deleter = request.app.state.services.deletions
    if body.dry_run:
        persons, rows = await _counts(database, caller, body)
        targets = deleter.targets(caller.project) if body.events is None and body.propagate else []
        found = DryRun(persons=persons, rows=rows, destinations=targets)
        return JSONResponse(found.model_dump(mode="json"))
    job = await _begin(request, caller, database, body)
    return JSONResponse(_info(caller, job).model_dump(mode="json"), 202)


@router.delete("/users/{user_id}", summary="Erase a person", status_code=202)
async def erase_user(
    user_id: Annotated[Id, Path()], request: Request, caller: AdminCaller, database: DatabaseOf
) -> PrivacyJobInfo:
    """The same as `POST /privacy/erasures` with that `user_id`."""
    return _info(caller, await _begin(request, caller, database, ErasureBody(user_id=user_id)))


@router.get("/privacy/jobs", summary="Jobs of erasure and anonymisation")
async def jobs(
    caller: AdminCaller,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> JobList:
    """The newest first."""
    async with database.look() as connection:
        found = await list_jobs(connection, caller.project.id, limit + 1, before)
    return JobList(
        project=caller.project.slug,
        jobs=[_info(caller, job) for job in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.get("/privacy/jobs/{job_id}", summary="How far a job is")
async def job_state(job_id: _JobId, caller: AdminCaller, database: DatabaseOf) -> PrivacyJobInfo:
    """With the state at each destination."""
    async with database.look() as connection:
        job = await _job(connection, caller, job_id)
        return _info(caller, job, await deletions_of(connection, job_id))


@router.get("/privacy/jobs/{job_id}/report", summary="The signed report of a finished job")
async def report(job_id: _JobId, caller: AdminCaller, database: DatabaseOf) -> SignedReport:
    """What was removed, what stays and why, and what each destination said."""
    async with database.look() as connection:
        job = await _job(connection, caller, job_id)
    if job.report is None:
        raise Conflict(f"Job {job_id} is not done yet; it is at the stage {job.stage}.")
    return SignedReport(**job.report)


@router.post(
    "/privacy/exports",
    summary="Export a person or events",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "JSON lines and CSV of each table."}},
)
async def export(body: Whom, caller: AdminCaller, database: DatabaseOf) -> StreamingResponse:
    """A zip archive, made while it is sent."""
    return await _exported(body, caller, database)


@router.get(
    "/users/{user_id}/export",
    summary="Export a person",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "JSON lines and CSV of each table."}},
)
async def export_user(
    user_id: Annotated[Id, Path()], caller: AdminCaller, database: DatabaseOf
) -> StreamingResponse:
    """The same as `POST /privacy/exports` with that `user_id`."""
    return await _exported(Whom(user_id=user_id), caller, database)


@router.delete("/privacy/suppressions", summary="Let an erased person in again")
async def lift_suppression(
    caller: AdminCaller,
    database: DatabaseOf,
    user_id: Annotated[Id | None, Query()] = None,
    anonymous_id: Annotated[Id | None, Query()] = None,
) -> Lifted:
    """For somebody who comes back by their own wish. Devices that were theirs stay out unless they are named as well."""
    if (user_id is None) is (anonymous_id is None):
        raise Unprocessable("Say exactly one of user_id and anonymous_id.")
    async with database.acquire() as connection:
        group = await erasure.person_group(connection, caller.project, user_id, anonymous_id)
        return Lifted(lifted=await lift(connection, caller.project.id, group))


async def _begin(request: Request, caller: Caller, database: Database, body: ErasureBody) -> PrivacyJob:
    box: SecretBox = request.app.state.services.box
    try:
        box.signing_key()
    except ConfigurationError as error:
        raise Conflict(f"The report could not be signed: {error}") from None
    subject = Subject(
        user_id=body.user_id,
        anonymous_id=body.anonymous_id,
        choice=None if body.events is None else body.events.choice(),
        secret=secrets.token_hex(32) if body.mode is JobKind.ANONYMISE else None,
        keep_out=body.keep_out,
        propagate=body.propagate,
    )
    async with database.acquire() as connection:
        return await create_job(
            connection, caller.project.id, body.mode, subject.to_json(), caller.name, system_clock()
        )


async def _counts(database: Database, caller: Caller, whom: Whom) -> tuple[int, dict[str, int]]:
    async with database.acquire() as connection:
        if whom.events is not None:
            scope = erasure.Scope(choice=whom.events.choice())
            found = await erasure.count_choice(connection, caller.project, scope)
            return found["persons"], {"events": found["events"]}
        group = await erasure.person_group(connection, caller.project, whom.user_id, whom.anonymous_id)
        return len(group), await erasure.count_rows(connection, caller.project, group)


async def _exported(whom: Whom, caller: Caller, database: Database) -> StreamingResponse:
    if whom.events is not None:
        scope = erasure.Scope(choice=whom.events.choice())
    else:
        async with database.acquire() as connection:
            group = await erasure.person_group(connection, caller.project, whom.user_id, whom.anonymous_id)
        scope = erasure.Scope(frozenset(group))
    headers = {"Content-Disposition": 'attachment; filename="export.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(
        archive(database, caller.project, scope), media_type="application/zip", headers=headers
    )


async def _job(connection: asyncpg.Connection, caller: Caller, job_id: int) -> PrivacyJob:
    job = await find_job(connection, caller.project.id, job_id)
    if job is None:
        raise NotFound(f"Project {caller.project.slug} has no privacy job {job_id}.")
    return job


def _info(caller: Caller, job: PrivacyJob, deletions: list[ProviderDeletion] | None = None) -> PrivacyJobInfo:
    return PrivacyJobInfo(
        id=job.id,
        project=caller.project.slug,
        kind=job.kind,
        state=job.state,
        stage=job.stage,
        events=job.progress.get("events", 0),
        requested_by=job.requested_by,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        note=job.error,
        destinations=[
            DestinationState(
                destination=one.destination,
                state=one.state,
                job_ids=list(one.tracking),
                words=one.words,
                requested_at=one.requested_at,
                ended_at=one.ended_at,
            )
            for one in deletions or []
        ],
    )

"""Jobs of erasure, anonymisation and export: rows that survive every crash, each worked on by one process under a lease."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from analytics_api.domain.erasure import JobKind, JobState, Stage
from analytics_api.errors import LeaseLost

LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class PrivacyJob:
    """A job. `subject` names the person or the choice of events and is emptied when nothing needs it any more."""

    id: int
    project_id: int
    kind: JobKind
    state: JobState
    stage: Stage
    subject: dict[str, Any]
    progress: dict[str, Any]
    """What was done so far, by stage; it becomes the report."""
    report: dict[str, Any] | None
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    lease_epoch: int


_COLUMNS = """
    id, project_id, kind, state, stage, subject::text, progress::text, report::text, requested_by, created_at, started_at,
    finished_at, error, lease_epoch
"""


def _job(row: asyncpg.Record) -> PrivacyJob:
    values = dict(row)
    return PrivacyJob(
        **values
        | {
            "kind": JobKind(values["kind"]),
            "state": JobState(values["state"]),
            "stage": Stage(values["stage"]),
            "subject": json.loads(values["subject"]),
            "progress": json.loads(values["progress"]),
            "report": None if values["report"] is None else json.loads(values["report"]),
        }
    )


async def create_job(
    connection: asyncpg.Connection,
    project_id: int,
    kind: JobKind,
    subject: Mapping[str, Any],
    requested_by: str,
    now: datetime,
) -> PrivacyJob:
    """Put a job in the queue."""
    [row] = await connection.fetch(
        f"""
        INSERT INTO privacy_jobs (project_id, kind, state, stage, subject, requested_by, created_at, retry_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING {_COLUMNS}
        """,
        project_id,
        kind,
        JobState.WAITING,
        Stage.SUPPRESS,
        json.dumps(dict(subject)),
        requested_by,
        now,
    )
    return _job(row)


async def find_job(connection: asyncpg.Connection, project_id: int, job_id: int) -> PrivacyJob | None:
    """A job of a project."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM privacy_jobs WHERE project_id = $1 AND id = $2", project_id, job_id
    )
    return None if row is None else _job(row)


async def list_jobs(
    connection: asyncpg.Connection, project_id: int, limit: int, before: int | None = None
) -> list[PrivacyJob]:
    """The newest jobs of a project, begun earlier than the one numbered `before`."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM privacy_jobs
        WHERE project_id = $1 AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $2
        """,
        project_id,
        limit,
        before,
    )
    return [_job(row) for row in rows]


async def claim_job(connection: asyncpg.Connection, owner: str, now: datetime) -> PrivacyJob | None:
    """Take the lease of the job that has waited longest and can be gone on with; None when there is none."""
    row = await connection.fetchrow(
        f"""
        UPDATE privacy_jobs SET lease_owner = $1, lease_until = $3, lease_epoch = lease_epoch + 1, state = $4,
            started_at = coalesce(started_at, $2)
        WHERE id = (
            SELECT id FROM privacy_jobs
            WHERE state = ANY ($5) AND retry_at <= $2 AND (lease_owner IS NULL OR lease_until < $2)
            ORDER BY retry_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,
        owner,
        now,
        now + LEASE,
        JobState.RUNNING,
        [JobState.WAITING, JobState.RUNNING],
    )
    return None if row is None else _job(row)


async def hold_job(connection: asyncpg.Connection, job: PrivacyJob, now: datetime) -> None:
    """Hold the lease for longer, in the caller's transaction if there is one. Raises LeaseLost."""
    await _changed(
        connection,
        job,
        "UPDATE privacy_jobs SET lease_until = $3 WHERE id = $1 AND lease_epoch = $2",
        now + LEASE,
    )


async def save_job(
    connection: asyncpg.Connection,
    job: PrivacyJob,
    stage: Stage,
    subject: Mapping[str, Any],
    progress: Mapping[str, Any],
    now: datetime,
) -> None:
    """Note how far a job is. Raises LeaseLost."""
    await _changed(
        connection,
        job,
        """
        UPDATE privacy_jobs SET lease_until = $3, stage = $4, subject = $5, progress = $6
        WHERE id = $1 AND lease_epoch = $2
        """,
        now + LEASE,
        stage,
        json.dumps(dict(subject)),
        json.dumps(dict(progress)),
    )


async def finish_job(
    connection: asyncpg.Connection, job: PrivacyJob, report: Mapping[str, Any], now: datetime
) -> None:
    """End a job with its report; whom it was about is forgotten with that. Raises LeaseLost."""
    await _changed(
        connection,
        job,
        """
        UPDATE privacy_jobs SET state = $3, stage = $4, report = $5, finished_at = $6, subject = '{}', error = NULL,
            lease_owner = NULL, lease_until = NULL
        WHERE id = $1 AND lease_epoch = $2
        """,
        JobState.DONE,
        Stage.REPORT,
        json.dumps(dict(report)),
        now,
    )


async def postpone_job(
    connection: asyncpg.Connection, job: PrivacyJob, until: datetime, error: str | None
) -> None:
    """Give the lease back and go on later; why, if something went wrong."""
    await _changed(
        connection,
        job,
        """
        UPDATE privacy_jobs SET retry_at = $3, error = $4, lease_owner = NULL, lease_until = NULL
        WHERE id = $1 AND lease_epoch = $2
        """,
        until,
        None if error is None else error.replace("\0", "")[:2000],
    )


async def add_persons(connection: asyncpg.Connection, job_id: int, persons: Collection[UUID]) -> None:
    """Note persons, as events were sent for them, who have to be counted again."""
    await connection.execute(
        """
        INSERT INTO privacy_job_persons SELECT $1, person_id FROM unnest($2::uuid[]) AS p (person_id) ORDER BY person_id
        ON CONFLICT DO NOTHING
        """,
        job_id,
        list(persons),
    )


async def persons_left(connection: asyncpg.Connection, job_id: int, limit: int) -> list[UUID]:
    """The next persons who have to be counted again."""
    rows = await connection.fetch(
        "SELECT person_id FROM privacy_job_persons WHERE job_id = $1 ORDER BY person_id LIMIT $2",
        job_id,
        limit,
    )
    return [row["person_id"] for row in rows]


async def remove_persons(
    connection: asyncpg.Connection, job_id: int, persons: Collection[UUID] | None = None
) -> None:
    """Persons have been counted again: some, or all."""
    await connection.execute(
        "DELETE FROM privacy_job_persons WHERE job_id = $1 AND ($2::uuid[] IS NULL OR person_id = ANY ($2))",
        job_id,
        None if persons is None else list(persons),
    )


async def _changed(connection: asyncpg.Connection, job: PrivacyJob, sql: str, *values: object) -> None:
    if await connection.execute(sql, job.id, job.lease_epoch, *values) == "UPDATE 0":
        raise LeaseLost(f"privacy job {job.id} has been taken over")

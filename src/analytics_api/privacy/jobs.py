"""Jobs of erasure and anonymisation, stage by stage. What a crash interrupts the next process goes on with.

The order is what makes it safe: nothing of the person comes in or goes out any more, readers end the chunks they had claimed,
then it is deleted here, counted again, and deleted at the providers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import asyncpg

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.erasure import Deletion, DeletionState, JobKind, PersonIds, Stage
from analytics_api.domain.project import Project
from analytics_api.errors import LeaseLost, WriterBusy
from analytics_api.privacy.report import signed_report
from analytics_api.privacy.subject import Subject
from analytics_api.store import erasure, readers
from analytics_api.store.counting import prepare
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.log import safe_position
from analytics_api.store.privacy_jobs import (
    PrivacyJob,
    add_persons,
    claim_job,
    finish_job,
    hold_job,
    persons_left,
    postpone_job,
    remove_persons,
    save_job,
)
from analytics_api.store.projects import list_projects
from analytics_api.store.provider_deletions import begin_deletions, deletions_of, note_deletion
from analytics_api.store.rebuild_identity import replace_links, replace_merges
from analytics_api.store.rollup_turn import in_turn
from analytics_api.store.secret_box import SecretBox
from analytics_api.store.suppression import lift_of_job, suppress, wait_for_older

logger = logging.getLogger(__name__)

WAIT_SECONDS = 30.0
"""For claimed chunks at a time; a destination that is slow is waited for again."""
OLDER_SECONDS = 35.0
"""For transactions that may not see a suppression yet, at a time. Writers give a group up after 30 s; but where the database was stopped
or locked in between, it is stored later all the same."""
AGAIN = timedelta(seconds=2)
AFTER_ERROR = timedelta(seconds=60)
POLL = timedelta(minutes=10)
"""How often a provider's job is asked for: they take up to 30 days."""
SOON = timedelta(seconds=5)
POLL_SOON = 12
"""So often a provider is asked soon, then every POLL."""
PAIRS_PER_STEP = 5_000

T = TypeVar("T")


class Deleter(Protocol):
    """Deletes persons at the destinations of a project; `deliver` does."""

    def targets(self, project: Project) -> list[str]:
        """Names of the destinations that may hold something of a person."""

    async def request(self, project: Project, destination: str, ids: PersonIds) -> Deletion:
        """Ask a destination to delete a person."""

    async def follow(
        self, project: Project, destination: str, ids: PersonIds, tracking: Sequence[str]
    ) -> Deletion:
        """Ask how far it is."""


class PrivacyJobs:
    """Works on jobs, one at a time; other processes may work on others."""

    def __init__(
        self,
        database: Database,
        deleter: Deleter,
        box: SecretBox,
        owner: str,
        *,
        clock: Clock = system_clock,
        events_per_step: int = erasure.EVENTS_PER_STEP,
    ) -> None:
        self._database = database
        self._deleter = deleter
        self._box = box
        self._owner = f"{owner}:privacy"
        self._clock = clock
        self._events = events_per_step

    async def run_once(self) -> int:
        """Go on with every job that is due. Returns how many were worked on."""
        worked = 0
        while True:
            async with self._database.acquire() as connection:
                job = await claim_job(connection, self._owner, self._clock())
                if job is None:
                    return worked
            worked += 1
            try:
                await self._work(job)
            except LeaseLost as error:
                logger.warning("%s", error)
            except (*AWAY, WriterBusy):
                raise
            except Exception as error:
                logger.exception("privacy job %s failed and is tried again", job.id)
                async with self._database.acquire() as connection:
                    until = self._clock() + AFTER_ERROR
                    await postpone_job(connection, job, until, f"{type(error).__name__}: {error}")

    async def _work(self, job: PrivacyJob) -> None:
        async with self._database.read() as session:
            project = next(one for one in await list_projects(session) if one.id == job.project_id)
        connection = await self._database.connect()
        try:
            await prepare(connection)
            await _Run(self, connection, job, project).to_the_end()
        finally:
            # Never back into a pool: a lease and temporary tables may hang on it.
            connection.terminate()

    def run_of(self, connection: asyncpg.Connection, job: PrivacyJob, project: Project) -> _Run:
        """One job's stages, for whoever takes them one by one."""
        return _Run(self, connection, job, project)


class _Run:
    """One job under its lease."""

    def __init__(
        self, jobs: PrivacyJobs, connection: asyncpg.Connection, job: PrivacyJob, project: Project
    ) -> None:
        self._jobs = jobs
        self._database = jobs._database
        self._deleter = jobs._deleter
        self._clock = jobs._clock
        self._connection = connection
        self._project = project
        self.job = job
        self._subject = Subject.from_json(job.subject)
        self._stages: dict[Stage, Callable[[], Awaitable[bool]]] = {
            Stage.SUPPRESS: self._suppress,
            Stage.WAIT: self._wait,
            Stage.DELETE: self._delete,
            Stage.RECOUNT: self._recount,
            Stage.PROVIDERS: self._providers,
            Stage.REPORT: self._report,
        }

    async def to_the_end(self) -> None:
        """All stages that are left, or until something must be waited for."""
        while await self._stages[self.job.stage]():
            pass

    async def _suppress(self) -> bool:
        """Find out who it is, and let nothing of them in or out any more."""
        connection = self._connection
        if not self._subject.is_person:
            self._subject = replace(self._subject, upto=await safe_position(connection))
            return await self._next(Stage.WAIT)
        async with connection.transaction():
            await self._find_person()
            await self._save(Stage.WAIT)
        return True

    async def _find_person(self) -> bool:
        """Whether somebody was found who was not known to be the same person yet."""
        connection, subject = self._connection, self._subject
        group = await erasure.person_group(connection, self._project, subject.user_id, subject.anonymous_id)
        new = group - set(subject.persons)
        everybody = sorted(group | set(subject.persons))
        ids = await erasure.ids_of(connection, self._project, everybody)
        self._subject = replace(
            subject,
            persons=tuple(everybody),
            user_ids=tuple(sorted({*subject.user_ids, *ids.user_ids})),
            anonymous_ids=tuple(sorted({*subject.anonymous_ids, *ids.anonymous_ids})),
        )
        await suppress(connection, self._project.id, everybody, self.job.id, self._clock())
        return bool(new)

    async def _wait(self) -> bool:
        """Until everybody sees the suppression, and chunks that were claimed before are done with."""
        connection, progress = self._connection, self.job.progress
        if "claims" not in progress:
            if not await wait_for_older(connection, OLDER_SECONDS):
                return await self._later(AGAIN, "waiting for a transaction to end that began before")
            held = await readers.claims(connection, self._project.id, self._clock())
            await self._save(Stage.WAIT, claims=[claim.to_list() for claim in held])
        waiting = {readers.Claim.from_list(values) for values in self.job.progress["claims"]}
        give_up = asyncio.get_running_loop().time() + WAIT_SECONDS
        while waiting := waiting & await readers.claims(connection, self._project.id, self._clock()):
            if asyncio.get_running_loop().time() > give_up:
                names = ", ".join(sorted(claim.name for claim in waiting))
                return await self._later(AGAIN, f"waiting for {names} to end what was claimed before")
            await hold_job(connection, self.job, self._clock())
            await asyncio.sleep(0.05)
        if self._subject.is_person:
            # A chunk that was counted meanwhile may have said who else the person is, or a device that is theirs.
            async with connection.transaction():
                more = await self._find_person()
                await self._save(Stage.WAIT if more else Stage.DELETE, claims=None)
            return True
        return await self._next(Stage.DELETE, claims=None)

    async def _delete(self) -> bool:
        """The events, some thousand at a time, each time with what is kept of them elsewhere."""
        secret = self._subject.secret if self.job.kind is JobKind.ANONYMISE else None

        async def work(upto: int) -> int:
            progress = self.job.progress
            step = await erasure.erase_step(
                self._connection,
                self._project,
                self._subject.scope,
                progress.get("after", 0),
                upto,
                self._clock(),
                secret=secret,
                limit=self._jobs._events,
            )
            await add_persons(self._connection, self.job.id, step.persons)
            self.job = await self._saved(
                Stage.DELETE if step.events else Stage.RECOUNT,
                after=step.last_seq if step.events else 0,
                events=progress.get("events", 0) + step.events,
                identity=progress.get("identity", False) or step.identity,
                days=sorted({*progress.get("days", []), *map(str, step.days)}),
                sealed_days=sorted({*progress.get("sealed_days", []), *map(str, step.sealed_days)}),
            )
            return step.events

        await self._in_turn(work)
        return True

    async def _recount(self) -> bool:
        """What is kept by person, and who is who."""
        person, anonymise = self._subject.is_person, self.job.kind is JobKind.ANONYMISE
        while (not person or anonymise) and await self._in_turn(self._recount_some) > 0:
            await hold_job(self._connection, self.job, self._clock())
        if person:
            await self._in_turn(self._forget)
        elif self.job.progress.get("identity"):
            await self._decide_who_is_who()
        async with self._connection.transaction():
            await remove_persons(self._connection, self.job.id)
            await self._save(Stage.PROVIDERS)
        return True

    async def _recount_some(self, upto: int) -> int:
        persons = await persons_left(self._connection, self.job.id, erasure.PERSONS_PER_STEP)
        if persons:
            secret = self._subject.secret if self.job.kind is JobKind.ANONYMISE else None
            await erasure.recount_persons(
                self._connection, self._project, persons, upto, self._clock(), secret=secret
            )
            await remove_persons(self._connection, self.job.id, persons)
        return len(persons)

    async def _forget(self, upto: int) -> None:
        rows = await erasure.forget_persons(
            self._connection, self._project, self._subject.persons, upto, self._clock()
        )
        held = self.job.progress.get("rows", {})
        await self._save(
            Stage.RECOUNT, rows={name: held.get(name, 0) + number for name, number in rows.items()}
        )

    async def _decide_who_is_who(self) -> None:
        async def links(upto: int) -> int:
            return await replace_links(self._connection, self._project, upto, self._clock())

        await self._in_turn(links)
        at: Any = None

        async def merges(upto: int) -> Any:
            return await replace_merges(
                self._connection, self._project, at, PAIRS_PER_STEP, upto, self._clock()
            )

        while (at := await self._in_turn(merges)) is not None:
            await hold_job(self._connection, self.job, self._clock())

    async def _providers(self) -> bool:
        """Ask each destination to delete the person, and follow its job to the end."""
        job, connection = self.job, self._connection
        if not self._subject.is_person or not self._subject.propagate:
            return await self._next(Stage.REPORT)
        targets = self._deleter.targets(self._project)
        await begin_deletions(connection, job.id, self._project.id, targets, self._clock())
        for one in await deletions_of(connection, job.id):
            if one.state.ended or one.next_at > self._clock():
                continue
            await hold_job(connection, job, self._clock())
            ids = PersonIds(self._subject.user_ids, self._subject.anonymous_ids)
            if one.state is DeletionState.WAITING:
                found = await self._deleter.request(self._project, one.destination, ids)
            else:
                found = await self._deleter.follow(self._project, one.destination, ids, one.tracking)
            now = self._clock()
            pause = SOON if one.attempts < POLL_SOON else POLL
            await note_deletion(connection, job.id, one.destination, found, now, now + pause)
        left = [one for one in await deletions_of(connection, job.id) if not one.state.ended]
        if not left:
            return await self._next(Stage.REPORT)
        await self._later(min(one.next_at for one in left) - self._clock(), None)
        return False

    async def _report(self) -> bool:
        connection, now = self._connection, self._clock()
        deletions = await deletions_of(connection, self.job.id)
        report = signed_report(self.job, self._project, self._subject, deletions, now, self._jobs._box)
        async with connection.transaction():
            if not self._subject.keep_out or self.job.kind is JobKind.ANONYMISE:
                await lift_of_job(connection, self.job.id)
            await finish_job(connection, self.job, report, now)
        logger.info("privacy job %s of project %s is done", self.job.id, self._project.slug)
        return False

    async def _in_turn(self, work: Callable[[int], Awaitable[T]]) -> T:
        before = self.job

        async def attempt(upto: int) -> T:
            # What an attempt that was rolled back had noted is forgotten.
            self.job = before
            return await work(upto)

        return await in_turn(self._connection, self._project.id, self._jobs._owner, self._clock, attempt)

    async def _next(self, stage: Stage, **progress: object) -> bool:
        await self._save(stage, **progress)
        return True

    async def _save(self, stage: Stage, **progress: object) -> None:
        self.job = await self._saved(stage, **progress)

    async def _saved(self, stage: Stage, **progress: object) -> PrivacyJob:
        merged = {name: value for name, value in (self.job.progress | progress).items() if value is not None}
        subject = self._subject.to_json()
        await save_job(self._connection, self.job, stage, subject, merged, self._clock())
        return replace(self.job, stage=stage, subject=subject, progress=merged)

    async def _later(self, pause: timedelta, error: str | None) -> bool:
        await postpone_job(self._connection, self.job, self._clock() + max(pause, timedelta(0)), error)
        return False

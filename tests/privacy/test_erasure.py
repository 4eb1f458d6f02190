"""Erasing a person or chosen events: what is left equals a recount of what is left, and a rebuild finds nothing to change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.erasure import Deletion, DeletionState, JobKind, PersonIds
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.privacy.jobs import PrivacyJobs
from analytics_api.privacy.subject import Subject
from analytics_api.store.engine import Database
from analytics_api.store.erasure import OF_PERSON, person_group
from analytics_api.store.event_choice import EventChoice
from analytics_api.store.privacy_jobs import PrivacyJob, create_job, find_job
from tests.aggregate.test_identity import USERS, build
from tests.aggregate.test_rebuild import NOW, ZONES, count, histories, rebuild, state
from tests.support.databases import in_thread
from tests.support.destinations import BOX
from tests.support.events import make_event, make_project, open_database, write_events
from tests.support.figures import LATE_DAYS, event_on, record
from tests.support.rollups import compare
from tests.support.who import who_is_who


class Nowhere:
    """A project without destinations."""

    def targets(self, _project: Project) -> list[str]:
        return []

    async def request(self, _project: Project, _destination: str, _ids: PersonIds) -> Deletion:
        return Deletion(DeletionState.DONE)

    async def follow(
        self, _project: Project, _destination: str, _ids: PersonIds, _tracking: Sequence[str]
    ) -> Deletion:
        return Deletion(DeletionState.DONE)


async def erased(
    database: Database, project: Project, subject: Subject, kind: JobKind = JobKind.ERASE, **more: Any
) -> PrivacyJob:
    """A job to its end."""
    jobs = PrivacyJobs(database, Nowhere(), BOX, f"jobs-{uuid4()}", clock=lambda: NOW, **more)
    async with database.acquire() as connection:
        job = await create_job(connection, project.id, kind, subject.to_json(), "admin:1", NOW)
    await jobs.run_once()
    async with database.acquire() as connection:
        found = await find_job(connection, project.id, job.id)
    assert found is not None
    assert found.state == "done", found.error
    return found


async def play(
    url: str,
    items: Sequence[dict[str, Any]],
    zone: str,
    cuts: Sequence[int],
    subject: Subject,
    chosen: Callable[[NewEvent, set[UUID]], bool],
) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, items)
        await count(database, events, cuts, 3)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        async with database.acquire() as connection:
            group = await person_group(connection, project, subject.user_id, subject.anonymous_id)
        await erased(database, project, subject, events_per_step=3)
        await close_due_days(database, NOW, late_days=LATE_DAYS)

        left = [event for event in events if not chosen(event, group)]
        await compare(database, project, left, who_is_who(project, left))
        before = await state(database, project)
        report = await rebuild(database, project)
        assert (report.different_links, report.different_days) == (0, set())
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        assert await state(database, project) == before
        gone = [event for event in events if chosen(event, group)]
        if subject.is_person and gone:
            assert not any(await write_events(database, gone))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories,
    zone=st.sampled_from(ZONES),
    cuts=st.lists(st.integers(0, 100), max_size=2),
    user=st.sampled_from(USERS),
)
def test_after_erasing_a_person_everything_equals_a_recount_without_them(
    database_url: str, items: list[dict[str, Any]], zone: str, cuts: list[int], user: str
) -> None:
    in_thread(
        play(
            database_url,
            items,
            zone,
            cuts,
            Subject(user_id=user),
            lambda event, group: event.person_id in group,
        )
    )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories,
    zone=st.sampled_from(ZONES),
    types=st.lists(
        st.sampled_from(["page_view", "payment_completed", "$identify", "$alias"]), min_size=1, unique=True
    ),
)
def test_after_erasing_events_by_type_everything_equals_a_recount_without_them(
    database_url: str, items: list[dict[str, Any]], zone: str, types: list[str]
) -> None:
    subject = Subject(choice=EventChoice(event_types=tuple(types)))
    in_thread(play(database_url, items, zone, [], subject, lambda event, _group: event.event_type in types))


async def test_no_row_of_an_erased_person_is_left_and_the_report_holds_no_id(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        for user in ("ada-planted", "bob"):
            await record(
                database,
                [
                    make_event(project, "$identify", user_id=user, anonymous_id=f"phone-{user}"),
                    make_event(project, user_id=None, anonymous_id=f"phone-{user}"),
                    event_on(project, "2026-03-05", user, user_properties={"$set": {"city": user}}),
                    event_on(project, "2026-03-05", user, "payment_completed", revenue="5"),
                ],
            )
        job = await erased(database, project, Subject(user_id="ada-planted"))
        async with database.acquire() as connection:
            for table in ("events", *OF_PERSON, "person_links", "person_merges", "privacy_jobs"):
                rows = await connection.fetch(f"SELECT t::text AS row FROM {table} t")
                assert not [row["row"] for row in rows if "ada-planted" in row["row"]], table
            assert await connection.fetchval("SELECT count(*) FROM events") == 4
        assert job.report is not None
        assert job.report["report"]["events"] == 4
        assert job.report["report"]["rows"]["persons"] == 1
        assert "ada-planted" not in json.dumps(job.report)
        late = [
            make_event(project, user_id="ada-planted"),
            make_event(project, user_id=None, anonymous_id="new"),
        ]
        assert await write_events(database, late) == [False, True]


async def test_anonymised_events_count_as_before_and_are_nobodys(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        events = [
            event_on(
                project, f"2026-03-0{day}", user, anonymous_id=f"d-{user}", context={"city": "Ulm", "os": "X"}
            )
            for day in (3, 4, 4, 5)
            for user in ("ursula", "bob")
        ]
        await record(
            database, [*events, event_on(project, "2026-03-05", "ursula", "payment_completed", revenue="7")]
        )
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        figures = (await state(database, project))["figures"]
        job = await erased(database, project, Subject(user_id="ursula", secret="s3cret"), JobKind.ANONYMISE)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        assert (await state(database, project))["figures"] == figures
        before = await state(database, project)
        report = await rebuild(database, project)
        assert report.different_days == set()
        assert {
            name: rows for name, rows in (await state(database, project)).items() if name != "figures"
        } == {name: rows for name, rows in before.items() if name != "figures"}
        async with database.acquire() as connection:
            rows = await connection.fetch("SELECT e::text AS row FROM events e")
            assert len(rows) == 9
            assert sum("ursula" in row["row"] for row in rows) == 0
            contexts = await connection.fetch("SELECT context::text AS c FROM events WHERE user_id IS NULL")
            assert {row["c"] for row in contexts} == {'{"os": "X"}', "{}"}
        assert "s3cret" not in json.dumps([job.subject, job.progress, job.report])
        assert await write_events(database, [make_event(project, user_id="ursula")]) == [True], (
            "they may come back"
        )


async def test_figures_of_sealed_days_stay_and_the_report_says_so(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        await record(database, [event_on(project, "2026-03-03", user) for user in ("ada", "bob")])
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        async with database.acquire() as connection:
            await connection.execute("UPDATE project_days SET state = 'sealed' WHERE day = '2026-03-03'")
        before = (await state(database, project))["figures"]
        job = await erased(database, project, Subject(user_id="ada"))
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        found = await state(database, project)
        assert [row for row in found["figures"] if "2026-03-03" in row and "daily" in row] == [
            row for row in before if "2026-03-03" in row and "daily" in row
        ]
        assert len(found["persons"]) == len(found["person_days"]) == 1
        assert job.report is not None
        assert job.report["report"]["sealed_days"] == ["2026-03-03"]

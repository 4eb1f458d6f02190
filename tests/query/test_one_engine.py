"""One engine: whichever endpoint a figure is asked through, over whatever history, it is the same figure.

Nothing is recounted here, but for the last hours, which only the rows of an export can tell as well.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.event import INACTIVE_EVENT_TYPES, NewEvent
from analytics_api.domain.filters import Operator
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import LATE_DAYS, record

NOW = datetime(2026, 4, 12, 21, 40, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]
"""On the 29th of March the clocks change in Berlin; in Kathmandu it is the next day already."""
DAYS = 30
UNCOUNTED = "bad"
"""A type of event that the rollups cannot count here."""
COUNTED = f"event_type is_not {UNCOUNTED}"
VIEW = {"event": "page_view"}
PAYMENT = "payment_completed"
TYPES = [
    "page_view",
    "page_view",
    "feature_used",
    "signup_completed",
    PAYMENT,
    "api_request",
    "$identify",
    UNCOUNTED,
]
HAPPENING = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(TYPES),
        "user": st.sampled_from(["ada", "bob", "cleo", None]),
        "device": st.sampled_from(["d1", "d2", None]),
        "minutes_ago": st.integers(0, 40).map(lambda n: n) | st.integers(0, 32 * 24).map(lambda n: n * 60) | st.integers(0, 70).map(lambda n: n * 1440),
        "is_bot": st.sampled_from([False, False, False, True]),
        "automatic": st.sampled_from([False, False, False, False, True]),
        "path": st.sampled_from(["/", "/a", None]),
        "country": st.sampled_from(["DE", "FR", None]),
        "late": st.booleans(),
    }
)  # fmt: skip
AUTOMATIC = {
    "kind": "page_view", "user": "ada", "device": None, "minutes_ago": 3, "is_bot": False, "automatic": True, "path": "/",
    "country": None, "late": False,
}  # fmt: skip
"""What a person did not cause makes nobody active, now as little as on any day."""
HISTORY = st.lists(HAPPENING, min_size=3, max_size=40)


def build(project: Project, happenings: Sequence[dict[str, Any]]) -> list[NewEvent]:
    """Whatever identifies needs both ids; payments bring 5 or 7."""
    return [
        make_event(
            project,
            item["kind"] if item["kind"] != "$identify" or (item["user"] and item["device"]) else "page_view",
            user_id=item["user"],
            anonymous_id=item["device"],
            event_id=f"{project.slug}-{number}",
            occurred_at=NOW - timedelta(minutes=item["minutes_ago"]),
            event_data={
                **({} if item["path"] is None else {"path": item["path"]}),
                **(
                    {}
                    if number % 3
                    else {"size": number, "due": str((NOW - timedelta(minutes=item["minutes_ago"])).date())}
                ),
            },
            user_properties={"plan": "pro" if number % 2 else "free"} if item["user"] == "ada" else None,
            context={
                **({"automatic": True} if item["automatic"] else {}),
                **({"country": item["country"]} if item["country"] else {}),
            },
            revenue=("5" if number % 2 else "7") if item["kind"] == PAYMENT else None,
            is_bot=item["is_bot"],
        )
        for number, item in enumerate(happenings)
    ]


@dataclass
class Asking:
    """Everything is asked of one project about the same days."""

    api: Api
    project: Project
    bots: bool
    zone: str | None

    @property
    def today(self) -> date:
        return NOW.astimezone(ZoneInfo(self.zone) if self.zone else self.project.zone).date()

    @property
    def days(self) -> dict[str, Any]:
        return {"start_date": str(self.today - timedelta(days=DAYS - 1)), "end_date": str(self.today)}

    async def metric(self, name: str, *, first: date | None = None) -> dict[str, Any]:
        """Values by the first day of the bucket."""
        asked = {**self.days, "project": self.project.slug, "metric_type": name}
        asked["include_bots"] = self.bots
        if first is not None:
            asked["start_date"] = str(first)
        if self.zone:
            asked["zone"] = self.zone
        return {
            point["metric_date"]: point["value"]
            for point in await self.api.get("/metrics/aggregated", **asked)
        }

    async def analysis(self, name: str, **question: Any) -> Any:
        asked = self.question(**question)
        return await self.api.post(f"/analysis/{name}?project={self.project.slug}", asked)

    def question(self, **more: Any) -> dict[str, Any]:
        return {**self.days, "include_bots": self.bots, **({"zone": self.zone} if self.zone else {}), **more}

    async def trend(self, *, period: str = "daily", **series: Any) -> tuple[dict[str, Any], Any]:
        """Values by bucket, and the total."""
        found = (await self.analysis("trends", series=[series], period=period))["series"][0]
        return {point["date"]: point["value"] for point in found["points"]}, found["total"]

    async def cohorts(self, period: str = "daily", mode: str = "recurring", **birth: Any) -> dict[str, int]:
        """Sizes by the first day of the cohort."""
        found = await self.analysis("retention", birth=birth, mode=mode, period=period, columns=1)
        return {row["cohort"]: row["size"] for row in found["cohorts"]}

    async def people(self, **of: Any) -> int:
        """How many there are behind a number; all of them are listed."""
        asked = {"of": of, "limit": 1000}
        found = await self.api.post(f"/analysis/people?project={self.project.slug}", asked)
        assert found["total"] == len(found["persons"])
        return int(found["total"])

    async def behaving(self, **did: Any) -> int:
        """How many persons have done something."""
        question = {
            "include_bots": self.bots,
            "people": {"did": [did]},
            **({"zone": self.zone} if self.zone else {}),
        }
        return await self.people(analysis="persons", question=question)

    async def report(self, path: str, **asked: Any) -> Any:
        asked = {"project": self.project.slug, "days": DAYS, "include_bots": self.bots, **asked}
        return await self.api.get(path, **asked)

    async def exported(self, form: str = "jsonl", **asked: Any) -> list[dict[str, Any]]:
        """Rows of the file for the same days."""
        zone = self.project.zone
        since = datetime.combine(self.today - timedelta(days=DAYS - 1), datetime.min.time(), zone)
        asked = {"project": self.project.slug, "include_bots": self.bots, "since": since.isoformat(), **asked}
        answer = await self.api.client.get("/export", params={"format": form, **asked})
        assert answer.status_code == 200, answer.text
        if form == "csv":
            return list(csv.DictReader(io.StringIO(answer.text)))
        return [json.loads(line) for line in answer.text.splitlines()]


def same(*figures: Any) -> None:
    """All are equal, whichever way they were asked."""
    assert all(figure == figures[0] for figure in figures), figures


def summed(points: dict[str, Any]) -> Any:
    return sum(value for value in points.values() if value is not None)


async def events_of_a_type(ask: Asking) -> None:
    by_day, total = await ask.trend(**VIEW)
    metric = await ask.metric("page_views")
    same(metric, by_day, await ask.metric("views"))
    grouped = await ask.analysis("trends", series=[VIEW], breakdown="event_data.path", breakdown_limit=50)
    same(total, summed(metric), sum(row["total"] for row in grouped["series"]))
    everybody = await ask.metric("events")
    if ask.zone is not None:
        return
    pages, places, people = await ask.report("/pages"), await ask.report("/geo"), await ask.report("/users")
    listed = (await ask.report("/events", event_type="page_view", since="2026-01-01T00:00:00Z", limit=1000))[
        "events"
    ]
    exported = await ask.exported(event_type="page_view")
    first = min((row["occurred_at"] for row in exported), default="")
    same(
        total,
        (await ask.report("/overall"))["page_views"],
        sum(page["views"] for page in pages["pages"]),
        sum(place["page_views"] for place in places["places"]),
        len(exported),
        len(await ask.exported("csv", event_type="page_view")),
        sum(event["occurred_at"] >= first for event in listed) if exported else 0,
    )
    same(
        sum(person["page_views"] for person in people["users"]),
        sum(row["person_id"] is not None for row in exported),
        (await ask.analysis("funnel", steps=[VIEW], unit="totals"))["steps"][0]["count"],
    )
    for person in people["users"]:
        one = await ask.report(f"/users/{person['person_id']}")
        assert {name: one[name] for name in person} == person
        same(person["events"], sum(kind["events"] for kind in one["event_types"]))
    same(
        summed(everybody),
        len(await ask.exported(filter=COUNTED)),
        sum(place["events"] for place in places["places"]),
    )


async def persons_of_a_type(ask: Asking) -> None:
    by_day, total = await ask.trend(of="persons", **VIEW)
    same(by_day, await ask.metric("viewers"), await ask.cohorts(**VIEW))
    journeys = await ask.analysis("journeys", anchor=VIEW, unit="person")
    asked = {"series": [{"of": "persons", **VIEW}]}
    same(
        total,
        (await ask.analysis("funnel", steps=[VIEW]))["steps"][0]["count"],
        journeys["persons"],
        journeys["journeys"],
        await ask.people(analysis="funnel", question=ask.question(steps=[VIEW])),
        await ask.people(analysis="trend", question=ask.question(**asked)),
        await ask.behaving(**VIEW, within_days=DAYS),
    )


async def active_persons(ask: Asking) -> None:
    by_day, total = await ask.trend(of="persons")
    stages = (await ask.analysis("lifecycle", period="daily"))["points"]
    same(
        by_day,
        await ask.metric("dau"),
        await ask.cohorts(),
        {each["date"]: each["active"] for each in stages},
    )
    rolling = (await ask.metric("mau_rolling"))[str(ask.today)]
    same(
        total,
        rolling,
        (await ask.analysis("funnel", steps=[{}]))["steps"][0]["count"],
        await ask.behaving(within_days=DAYS),
    )
    asked = {
        "project": ask.project.slug,
        "include_bots": ask.bots,
        **({"zone": ask.zone} if ask.zone else {}),
    }
    board = await ask.api.get("/metrics/dashboard", **asked)
    same(board["daily_active_users"], by_day[str(ask.today)])
    same(board["monthly_active_users"], total)
    for period in ("weekly", "monthly"):
        points = (await ask.analysis("lifecycle", period=period))["points"]
        first = date.fromisoformat(points[0]["date"])
        same(
            await ask.metric("wau" if period == "weekly" else "mau", first=first),
            await ask.cohorts(period),
            {point["date"]: point["active"] for point in points},
        )
        for stage in ("new", "current", "resurrected", "dormant"):
            same(
                await ask.metric(f"{period}_lifecycle_{stage}", first=first),
                {point["date"]: point[stage] for point in points},
            )
    if ask.zone is None:
        overall = await ask.report("/overall")
        same(overall["active_users"], total, overall["new_users"] + overall["returning_users"])


async def first_times(ask: Asking) -> None:
    registrations = await ask.metric("new_registrations")
    born = {"event": "signup_completed", "mode": "first_ever"}
    same(registrations, await ask.cohorts(**born))
    weeks = await ask.cohorts("weekly", **born)
    same(weeks, await ask.metric("weekly_new_users", first=date.fromisoformat(min(weeks))))
    asked = {
        "project": ask.project.slug,
        "include_bots": ask.bots,
        **({"zone": ask.zone} if ask.zone else {}),
    }
    board = await ask.api.get("/metrics/dashboard", **asked)
    same(board["new_registrations_today"], registrations[str(ask.today)])
    stages = (await ask.analysis("lifecycle", period="daily", activity=VIEW))["points"]
    same(await ask.cohorts(mode="first_ever", **VIEW), {each["date"]: each["new"] for each in stages})
    long = {**ask.question(birth=VIEW, period="monthly", columns=1), "start_date": "2026-01-01"}
    found = await ask.api.post(f"/analysis/retention?project={ask.project.slug}", long)
    same(await ask.behaving(**VIEW), sum(row["size"] for row in found["cohorts"]))
    every = await ask.api.post(f"/analysis/retention?project={ask.project.slug}", {**long, "birth": {}})
    same(await ask.behaving(), sum(row["size"] for row in every["cohorts"]))


async def money_and_sessions(ask: Asking) -> None:
    revenue = await ask.metric("revenue")
    payments = {"event": PAYMENT, "of": "sum", "property": "revenue"}
    same(revenue, (await ask.trend(**payments))[0], await ask.metric("takings"))
    sessions = await ask.metric("sessions")
    if ask.zone is not None:
        return
    same(summed(revenue), sum(float(row["revenue"] or 0) for row in await ask.exported()))
    overall, listed = await ask.report("/overall"), await ask.report("/sessions", limit=1000)
    same(summed(sessions), overall["sessions"], listed["total"], len(listed["sessions"]))
    same(overall["average_session_seconds"], listed["average_session_seconds"])
    same(sum(person["sessions"] for person in (await ask.report("/users"))["users"]), listed["total"])


SEGMENTS: list[dict[str, Any]] = [
    {"path": "context.country", "op": "is", "value": ["DE", "FR"]},
    {"path": "context.country", "op": "is_not", "value": "DE"},
    {"path": "event_data.path", "op": "contains", "value": "a"},
    {"path": "event_data.path", "op": "not_contains", "value": "a"},
    {"path": "user_id", "op": "starts_with", "value": ["a", "c"]},
    {"path": "user_id", "op": "ends_with", "value": "b"},
    {"path": "user_id", "op": "matches", "value": "^[ab]"},
    {"path": "anonymous_id", "op": "not_matches", "value": "1$"},
    {"path": "revenue", "op": ">", "value": 5},
    {"path": "revenue", "op": ">=", "value": 5},
    {"path": "event_data.size", "op": "<", "value": 20},
    {"path": "event_data.size", "op": "<=", "value": 20},
    {"path": "event_data.size", "op": "between", "value": [10, 30]},
    {"path": "event_data.due", "op": "between", "value": ["2026-02-10", "2026-03-20"]},
    {"path": "event_data.due", "op": ">=", "value": "2026-03-01"},
    {"path": "person.plan", "op": "exists"},
    {"path": "person.plan", "op": "not_exists"},
    {
        "any_of": [
            {"path": "person.plan", "op": "is", "value": "pro"},
            {"path": "is_bot", "op": "is", "value": True},
        ]
    },
]
"""Every operator, on events and on persons, with several values and with ranges of numbers and of days."""


def test_every_operator_is_among_the_segments() -> None:
    assert {each["op"] for each in SEGMENTS if "op" in each} == {str(op) for op in Operator}


async def a_segment(ask: Asking, segment: dict[str, Any]) -> None:
    """The same filter everywhere."""
    said = json.dumps(segment)

    async def trend(**series: Any) -> Any:
        found = await ask.analysis("trends", series=[series], filters=[segment])
        return found["series"][0]["total"]

    overall, pages = await ask.report("/overall", filter=said), await ask.report("/pages", filter=said)
    places, people = await ask.report("/geo", filter=said), await ask.report("/users", filter=said)
    sessions = await ask.report("/sessions", filter=said, limit=1000)
    exported = await ask.exported(filter=[said, COUNTED])
    same(
        await trend(**VIEW),
        overall["page_views"],
        sum(page["views"] for page in pages["pages"]),
        sum(place["page_views"] for place in places["places"]),
        sum(row["event_type"] == "page_view" for row in exported),
    )
    same(len(exported), sum(place["events"] for place in places["places"]))
    funnel = await ask.analysis("funnel", steps=[{}], filters=[segment])
    same(
        await trend(of="persons"),
        overall["active_users"],
        funnel["steps"][0]["count"],
        who(filter(is_active, exported)),
    )
    same(who(exported), people["total"])
    by_day = (await ask.analysis("trends", series=[{"of": "persons", **VIEW}], filters=[segment]))["series"][
        0
    ]
    matrix = await ask.analysis("retention", birth=VIEW, mode="recurring", columns=1, filters=[segment])
    same(
        {point["date"]: point["value"] for point in by_day["points"]},
        {row["cohort"]: row["size"] for row in matrix["cohorts"]},
    )
    stages = await ask.analysis("lifecycle", activity=VIEW, period="daily", filters=[segment])
    first_ever = await ask.analysis("retention", birth=VIEW, columns=1, filters=[segment])
    same(
        {row["cohort"]: row["size"] for row in first_ever["cohorts"]},
        {each["date"]: each["new"] for each in stages["points"]},
    )
    journeys = await ask.analysis("journeys", anchor=VIEW, unit="person", filters=[segment])
    asked = ask.question(steps=[VIEW], filters=[segment])
    same(by_day["total"], journeys["persons"], await ask.people(analysis="funnel", question=asked))
    same(overall["sessions"], sessions["total"], len(sessions["sessions"]))
    same(sum(person["sessions"] for person in people["users"]), sessions["total"])
    day = await ask.exported(since=(NOW - timedelta(days=1)).isoformat(), filter=[said, COUNTED])
    same(who(filter(is_active, day)), overall["active_users_24h"])
    for session in sessions["sessions"]:
        inside = [
            row for row in exported
            if row["person_id"] == session["person_id"] and (row["anonymous_id"] or None) == session["device"]
            and session["started_at"] <= row["occurred_at"] <= session["ended_at"]
        ]  # fmt: skip
        assert inside, session


def is_active(row: dict[str, Any]) -> bool:
    kind = row["event_type"]
    return kind not in {*INACTIVE_EVENT_TYPES, UNCOUNTED} and row["context"].get("automatic") is not True


def who(rows: Iterable[dict[str, Any]]) -> int:
    return len({row["person_id"] for row in rows} - {None})


async def the_last_hours(ask: Asking) -> None:
    async def active_since(since: datetime) -> list[dict[str, Any]]:
        return [row for row in await ask.exported(since=since.isoformat()) if is_active(row)]

    now, overall = await ask.report("/realtime"), await ask.report("/overall")
    last_day = await ask.report("/overall", days=1)
    day, hour = await active_since(NOW - timedelta(days=1)), await active_since(NOW - timedelta(hours=1))
    same(
        who(day),
        now["active_users_24h"],
        overall["active_users_24h"],
        last_day["active_users"],
    )
    before = await ask.exported(
        since="2026-01-01T00:00:00Z", until=(NOW - timedelta(days=1)).isoformat(), filter=COUNTED
    )
    known = {row["person_id"] for row in before}
    same(who(row for row in day if row["person_id"] not in known), last_day["new_users"])
    same(who(hour), now["active_users_1h"], overall["active_users_1h"])
    same(who(await active_since(NOW - timedelta(minutes=30))), now["active_30_minutes"])
    same(who(await active_since(NOW - timedelta(minutes=5))), now["active_now"])
    same(
        len(await active_since(NOW - timedelta(minutes=29))),
        sum(minute["events"] for minute in now["minutes"]),
    )


async def play(
    url: str,
    happenings: Sequence[dict[str, Any]],
    zone: str,
    other: str,
    bots: bool,
    segments: Sequence[dict[str, Any]],
) -> None:
    async with open_database(url) as database:
        await prepare(database)
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, happenings)
        late = [item["late"] for item in happenings]
        await record(
            database, [event for event, comes_late in zip(events, late, strict=True) if not comes_late]
        )
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        await record(database, [event for event, comes_late in zip(events, late, strict=True) if comes_late])
        api = Api(database)
        api.now = NOW
        async with api.client:
            for name, measure in (
                ("views", {"of": "events", "events": ["page_view"]}),
                ("viewers", {"of": "persons", "events": ["page_view"]}),
                ("takings", {"of": "sum", "property": "revenue", "events": [PAYMENT]}),
            ):
                await api.post(
                    f"/metrics/custom?project={project.slug}", {"name": name, "measure": measure}, 201
                )
            for asked in (Asking(api, project, bots, None), Asking(api, project, bots, other)):
                await events_of_a_type(asked)
                await persons_of_a_type(asked)
                await active_persons(asked)
                await first_times(asked)
                await money_and_sessions(asked)
            await the_last_hours(Asking(api, project, bots, None))
            for segment in segments:
                await a_segment(Asking(api, project, bots, None), segment)


async def prepare(database: Database) -> None:
    """Without what examples before have left, which closing would look at as well, and with events that cannot be counted."""
    for table in (
        "readers",
        "project_days",
        "event_days",
        "event_groups",
        "partition_ranges",
        "events",
        "projects",
    ):
        await database.pool.execute(f"TRUNCATE {table}")
    await database.pool.execute("ALTER TABLE event_days DROP CONSTRAINT IF EXISTS spoilt")
    await database.pool.execute(
        f"ALTER TABLE event_days ADD CONSTRAINT spoilt CHECK (event_type <> '{UNCOUNTED}')"
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(happenings=[AUTOMATIC], zone="UTC", other="Asia/Kathmandu", bots=False, segments=SEGMENTS)
@given(
    happenings=HISTORY,
    zone=st.sampled_from(ZONES),
    other=st.sampled_from(ZONES),
    bots=st.booleans(),
    segments=st.lists(st.sampled_from(SEGMENTS), min_size=2, max_size=2),
)
def test_a_figure_is_the_same_whichever_way_it_is_asked(
    database_url: str,
    happenings: list[dict[str, Any]],
    zone: str,
    other: str,
    bots: bool,
    segments: list[dict[str, Any]],
) -> None:
    in_thread(play(database_url, happenings, zone, other, bots, segments))

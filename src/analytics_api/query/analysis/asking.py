"""What all analyses are asked with, and what all their answers say of themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.access.caller import Caller
from analytics_api.domain.cohorts import parse_behaviour
from analytics_api.domain.filters import Path, in_words, parse_filters
from analytics_api.domain.metrics import SMALL_SAMPLE, State
from analytics_api.domain.project import Project
from analytics_api.domain.statistics import CONFIDENCE, wilson_interval
from analytics_api.errors import Forbidden, NotFound, Unprocessable
from analytics_api.query.metrics import EARLIEST, FigureRules, as_utc, wanted_zone
from analytics_api.store.analysis.membership import Behaving, Listed
from analytics_api.store.analysis.scope import Kind, People, Scope, check, find_position, never_counted
from analytics_api.store.cohorts import find_cohort
from analytics_api.store.engine import Database
from analytics_api.store.metrics.days import rollup_lag

LONGEST_TYPE = 200
MOST_DAYS = 1100
DEFAULT_DAYS = 30

_one_at_a_time = asyncio.Semaphore(1)
"""An analysis keeps a processor and up to a gigabyte of memory busy for a second."""

Answer = TypeVar("Answer")


def _is_filters(value: list[Any]) -> list[Any]:
    parse_filters(value)
    return value


def _is_behaviour(value: dict[str, Any]) -> dict[str, Any]:
    parse_behaviour(value)
    return value


def _is_path(value: str) -> str:
    Path.parse(value)
    return value


Filters = Annotated[
    list[Any],
    AfterValidator(_is_filters),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "object"},
            "examples": [[{"path": "context.country", "op": "is", "value": ["DE", "AT"]}]],
        }
    ),
    Field(description="All must hold; docs/filters.md has the language."),
]
CohortId = Annotated[int, Field(ge=1, le=2**31 - 1)]
PropertyPath = Annotated[str, AfterValidator(_is_path), Field(examples=["event_data.plan"])]
NO_NUL = r"^[^\x00]*$"
"""What PostgreSQL can hold."""
EventType = Annotated[
    str, Field(min_length=1, max_length=LONGEST_TYPE, pattern=NO_NUL, examples=["page_view"])
]


class Asked(BaseModel):
    """A part of a request; what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid")


class Happening(Asked):
    """A kind of event."""

    event: EventType | None = Field(
        None, description="Its type; without one, any that makes its person active."
    )
    filters: Filters = []

    def kind(self) -> Kind:
        """As the store has it."""
        return Kind(self.event, parse_filters(self.filters))

    def words(self) -> str:
        """For people."""
        filters = in_words(parse_filters(self.filters))
        return (self.event or "any active event") + (f" where {filters}" if filters else "")


class Happenings(Happening):
    """An event, or one of several, under a name."""

    name: str | None = Field(None, max_length=200)
    any_of: list[Happening] = Field([], max_length=20, description="Instead of `event`: one of these.")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.any_of and (self.event is not None or self.filters):
            raise ValueError("give event and filters, or any_of")
        return self

    def kinds(self) -> list[Kind]:
        """As the store has it."""
        return [happening.kind() for happening in self.any_of or [self]]

    def words(self) -> str:
        """For people."""
        return " or ".join(map(Happening.words, self.any_of or [self]))

    def title(self) -> str:
        """Its name, or else what it is."""
        return self.name or self.words()


class Question(Asked):
    """What every analysis is asked with."""

    start_date: date | None = Field(None, description="First local day; default: 30 days up to the end.")
    end_date: date | None = Field(None, description="Last local day, included; default: today.")
    as_of: AwareDatetime | None = Field(
        None,
        ge=datetime(1971, 1, 1, tzinfo=UTC),
        description="As if it were this moment: later events are not looked at. Default: now.",
    )
    zone: str | None = Field(None, description="IANA zone of the local days; default: the project's.")
    include_bots: bool = Field(False, description="Count what is marked as a bot, too.")
    filters: Filters = []
    cohorts: list[CohortId] = Field([], max_length=10, description="Only persons of all these cohorts.")
    not_cohorts: list[CohortId] = Field([], max_length=10, description="Only persons of none of these.")
    people: Annotated[dict[str, Any], AfterValidator(_is_behaviour)] | None = Field(
        None,
        description="Only persons who behave so: docs/analysis.md, cohorts.",
        examples=[{"did": [{"event": "login", "at_least": 3, "within_days": 30}]}],
    )


@asynccontextmanager
async def opened(
    database: Database, caller: Caller, rules: FigureRules, question: Question
) -> AsyncIterator[Scope]:
    """The events that a question is about, on one snapshot. Raises Unprocessable."""
    if caller.is_shared:
        _refuse_personal(question.model_dump(mode="json"))
    now = rules.clock()
    async with database.read() as connection:
        position, gone_until = await find_position(connection, caller.project)
        scope = Scope(
            connection,
            caller.project,
            wanted_zone(question.zone) or caller.project.zone,
            now if question.as_of is None else min(question.as_of, now),
            question.as_of is not None and question.as_of < now,
            position,
            gone_until,
            question.include_bots,
            parse_filters(question.filters),
            await _wanted_people(connection, caller.project, question),
        )
        await check(connection, [scope.filters])
        yield scope


_PERSONAL = re.compile(r"(user_id|anonymous_id|session_id)$|(person|user_properties)\.")


def _refuse_personal(asked: Any) -> None:
    """Share links tell no persons apart. Raises Forbidden for a question by what persons are told apart by."""
    if isinstance(asked, dict):
        for each in asked.values():
            _refuse_personal(each)
    elif isinstance(asked, list):
        for each in asked:
            _refuse_personal(each)
    elif isinstance(asked, str) and _PERSONAL.match(asked):
        raise Forbidden(f"{asked}: a share link may not ask by what tells persons apart.")


async def _wanted_people(
    connection: AsyncConnection, project: Project, question: Question
) -> tuple[People, ...]:
    """The groups that a question is about. Raises Unprocessable."""
    behaviours = [] if question.people is None else [parse_behaviour(question.people)]
    found: list[People] = [Behaving(behaviour) for behaviour in behaviours]
    for belong, ids in ((True, question.cohorts), (False, question.not_cohorts)):
        for cohort_id in ids:
            try:
                cohort = await find_cohort(connection, project.id, cohort_id)
            except NotFound as error:
                raise Unprocessable(f"cohorts: {error.detail}") from None
            if cohort.behaviour is None:
                found.append(Listed(cohort.id, belong))
            else:
                behaviours.append(cohort.behaviour)
                found.append(Behaving(cohort.behaviour, belong))
    for behaviour in behaviours:
        await check(connection, [behaviour.are, *(rule.filters for rule in behaviour.did)])
    return tuple(found)


def wanted_days(scope: Scope, question: Question) -> tuple[date, date]:
    """First and last local day that are asked for, none after today. Raises Unprocessable."""
    last = min(max(question.end_date or scope.today, EARLIEST - timedelta(days=1)), scope.today)
    first = question.start_date or max(EARLIEST, last - timedelta(days=DEFAULT_DAYS - 1))
    if first < EARLIEST or last < EARLIEST:
        raise Unprocessable(f"start_date and end_date must not be before {EARLIEST}.")
    if last < first:
        raise Unprocessable(
            f"start_date {first} is after end_date {last}; nothing can be told of days to come."
        )
    if (last - first).days >= MOST_DAYS:
        raise Unprocessable(f"start_date to end_date is too long: at most {MOST_DAYS} days.")
    if scope.gone_until is not None and first <= scope.gone_until:
        raise Unprocessable(
            f"start_date: raw events up to {scope.gone_until} are gone; ask for days from "
            f"{scope.gone_until + timedelta(days=1)} on."
        )
    return first, last


async def worked_out(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """What takes a processor's time, outside the event loop."""
    async with _one_at_a_time:
        return await asyncio.to_thread(work, *arguments)


def _event_types(asked: Any) -> Iterator[str]:
    """The types of events that a question names, but for those of kept cohorts and in filters."""
    if isinstance(asked, Happening) and asked.event is not None:
        yield asked.event
    if isinstance(asked, Question) and asked.people is not None:
        yield from filter(None, (rule.event_type for rule in parse_behaviour(asked.people).did))
    for inner in (
        dict(asked).values() if isinstance(asked, Asked) else asked if isinstance(asked, list) else ()
    ):
        yield from _event_types(inner)


async def explained(
    scope: Scope, question: Question, definition: str, first: date, last: date, late_days: int
) -> dict[str, Any]:
    """What every answer says of itself. The state is that of the last day."""
    lag = await rollup_lag(scope.connection, scope.project.id)
    behind = 0.0 if lag.since is None else max(0.0, (scope.as_of - lag.since).total_seconds())
    return {
        "definition": definition,
        "window": {"start": first.isoformat(), "end": last.isoformat()},
        "zone": scope.zone.key,
        "state": day_state(last, scope.today, late_days).value,
        "counted_as": scope.project.counted_as(first, last),
        "as_of": as_utc(scope.as_of if lag.since is None else min(lag.since, scope.as_of)),
        "lag": {"events": lag.events, "seconds": round(behind, 3)},
        "include_bots": scope.include_bots,
        "filters": in_words(scope.filters),
        "people": " and ".join(people.in_words() for people in scope.people),
        "unknown_events": await never_counted(
            scope.connection, scope.project, sorted({*_event_types(question)})
        ),
        "source": "events",
    }


def day_state(last: date, today: date, late_days: int) -> State:
    """How certain a figure is whose last local day is `last`."""
    if last >= today:
        return State.OPEN
    return State.SETTLING if today <= last + timedelta(days=late_days) else State.FINAL


def proportion(numerator: int, denominator: int) -> dict[str, Any]:
    """A share with its parts, its 95 % interval and a warning about a small sample; null of nothing."""
    answer: dict[str, Any] = {
        "value": numerator / denominator if denominator else None,
        "numerator": numerator,
        "denominator": denominator,
        "small_sample": denominator < SMALL_SAMPLE,
    }
    if denominator:
        low, high = wilson_interval(numerator, denominator)
        answer["interval"] = {"low": low, "high": high, "confidence": CONFIDENCE}
    return answer


def person_answer(row: Any) -> dict[str, Any]:
    """One person as JSON."""
    return {
        "person_id": str(row.person_id),
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "first_seen_at": as_utc(row.first_seen_at),
        "last_seen_at": as_utc(row.last_seen_at),
        "properties": row.properties,
    }

"""Who belongs to a cohort, as a condition on a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from analytics_api.domain.cohorts import Behaviour, Did
from analytics_api.domain.filters import AllOf
from analytics_api.domain.period import start_of_day
from analytics_api.store.analysis.scope import Kind, People, Scope, Statement, in_firsts
from analytics_api.store.filter_sql import Binds, filter_sql

_BEFORE_ALL = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed(People):
    """Who is on a list, or is not."""

    cohort_id: int
    belong: bool = True

    def in_words(self) -> str:
        """For people."""
        return f"{'' if self.belong else 'not '}in cohort {self.cohort_id}"

    def sql(self, scope: Scope, person: str, binds: Binds) -> str:
        """The condition."""
        return f"""
            {person} {"" if self.belong else "NOT "}IN (
                SELECT coalesce(m.canonical_id, c.person_id) FROM cohort_members c
                LEFT JOIN person_merges m ON m.person_id = c.person_id
                WHERE c.cohort_id = {binds.bind(self.cohort_id, "integer")} AND c.project_id = {int(scope.project.id)})
        """


@dataclass(frozen=True, slots=True)
class Behaving(People):
    """Who did and is what a behaviour says, or does not."""

    behaviour: Behaviour
    belong: bool = True

    def in_words(self) -> str:
        """For people."""
        words = self.behaviour.in_words()
        return words if self.belong else f"not ({words})"

    def sql(self, scope: Scope, person: str, binds: Binds) -> str:
        """The condition."""
        plain = replace(scope, filters=AllOf(), people=())
        parts = [part for rule in self.behaviour.did for part in _did(plain, rule, person, binds)]
        if self.behaviour.are.parts:
            asked = Binds(binds.prefix, binds.event, "q", binds.parameters)
            parts.append(
                f"{person} IN (SELECT q.person_id FROM persons q WHERE q.project_id = {int(scope.project.id)} "
                f"AND {filter_sql(self.behaviour.are, asked)})"
            )
        return f"{'' if self.belong else 'NOT '}({' AND '.join(parts)})"


def _did(scope: Scope, rule: Did, person: str, binds: Binds) -> list[str]:
    parts = []
    if rule.at_least:
        parts.append(f"{person} IN ({_times(scope, rule, rule.at_least, binds)})")
    if rule.at_most is not None:
        parts.append(f"{person} NOT IN ({_times(scope, rule, rule.at_most + 1, binds)})")
    return parts


def _times(scope: Scope, rule: Did, times: int, binds: Binds) -> str:
    """SQL for the persons that did it at least so often."""
    _, until = scope.stretch(scope.today, scope.today)
    kind = Kind(rule.event_type, rule.filters)
    if times == 1 and rule.within_days is None and in_firsts(scope, kind):
        return f"""
            SELECT f.person_id FROM person_firsts f
            WHERE f.project_id = {int(scope.project.id)} AND f.event_type = {binds.bind(rule.event_type, "text")}
              AND f.first_at{"_with_bots" if scope.include_bots else ""} < {binds.bind(until, "timestamptz")}
        """
    since = _BEFORE_ALL
    if rule.within_days is not None:
        since = max(since, start_of_day(scope.today - timedelta(days=rule.within_days - 1), scope.zone))
    statement = Statement(scope, since, until, binds)
    statement.only_types_of([kind])
    statement.only(statement.kind(kind))
    return f"SELECT {statement.PERSON} {statement.source()} GROUP BY 1 HAVING count(*) >= {binds.bind(times, 'bigint')}"

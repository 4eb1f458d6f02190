"""How far attempts get through a funnel, found out one event at a time in plain Python: the oracle for funnels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations


@dataclass(frozen=True)
class Happening:
    """An event; `does` holds the steps it can do, and numbers from 100 on for what excludes."""

    person: int
    time: int
    seq: int
    does: frozenset[int]
    held: int = 0


@dataclass(frozen=True)
class Rules:
    steps: int
    window: int
    order: str = "ordered"
    first_attempt: bool = False
    unit: str = "person"
    grace: int = 0
    exclusions: tuple[tuple[int, int, int], ...] = ()
    """(what excludes, the step after which, the step before which)"""


def outcome(
    events: Sequence[Happening], rules: Rules, until: int, *, hold: bool = False
) -> list[tuple[int, tuple[int, ...]]]:
    """(person, places in the log of the events that did the steps) of each attempt that counts, sorted."""
    everything = sorted(events, key=lambda event: (event.time, event.seq))
    found = []
    for person in {event.person for event in events}:
        mine = [event for event in everything if event.person == person]
        tries: list[list[Happening]] = []
        for value in sorted({event.held for event in mine}) if hold else [None]:
            path = [event for event in mine if value is None or event.held == value]
            if rules.unit == "totals":
                found += [(person, done) for done in _one_by_one(path, rules, until)]
            tries += [_attempt(path, number, rules) for number in _entries(path, rules, until)]
        if rules.unit == "person" and tries:
            tries.sort(key=lambda done: (done[0].time, done[0].seq))
            best = tries[0] if rules.first_attempt else max(tries, key=len)
            found.append((person, tuple(event.seq for event in best)))
    return sorted(found)


def _entries(path: Sequence[Happening], rules: Rules, until: int) -> Iterator[int]:
    for number, event in enumerate(path):
        wanted = set(range(rules.steps)) if rules.order == "any" else {0}
        if event.time < until and event.does & wanted:
            yield number


def _one_by_one(path: Sequence[Happening], rules: Rules, until: int) -> Iterator[tuple[int, ...]]:
    entries = list(_entries(path, rules, until))
    while entries:
        done = _attempt(path, entries[0], rules)
        yield tuple(event.seq for event in done)
        if len(done) == rules.steps:
            last = max(path.index(event) for event in done)
            entries = [entry for entry in entries if entry > last]
        else:
            entries = [entry for entry in entries if path[entry].time > done[0].time + rules.window]


def _attempt(path: Sequence[Happening], entry: int, rules: Rules) -> list[Happening]:
    if rules.order == "any":
        return _attempt_in_any_order(path, entry, rules)
    done = [path[entry]]
    for step in range(1, rules.steps):
        found = _next(path, done, step, rules)
        if found is None or found.time - done[0].time > rules.window:
            return done
        between = path[path.index(done[-1]) + 1 : path.index(found)]
        for bit, after, before in rules.exclusions:
            if after < step <= before and any(bit in event.does for event in between):
                return done
        done.append(found)
    return done


def _next(path: Sequence[Happening], done: Sequence[Happening], step: int, rules: Rules) -> Happening | None:
    last = path.index(done[-1])
    if rules.order == "strict":
        behind = path[last + 1 : last + 2]
    elif rules.grace:
        behind = [event for event in path if event.time >= done[-1].time - rules.grace and event not in done]
    else:
        behind = path[last + 1 :]
    return next((event for event in behind if step in event.does), None)


def _attempt_in_any_order(path: Sequence[Happening], entry: int, rules: Rules) -> list[Happening]:
    window = []
    for event in path[entry:]:
        if event.time - path[entry].time > rules.window:
            break
        if event is not path[entry] and any(bit in event.does for bit, _, _ in rules.exclusions):
            break
        if event.does & set(range(rules.steps)):
            window.append(event)
    done: list[Happening] = []
    for event in window:
        if _fit([*done, event], rules.steps):
            done.append(event)
    return done


def _fit(events: Sequence[Happening], steps: int) -> bool:
    """Whether each event can do a step of its own, tried in every way."""
    return any(
        all(step in event.does for event, step in zip(events, order, strict=True))
        for chosen in combinations(range(steps), min(len(events), steps))
        if len(chosen) == len(events)
        for order in permutations(chosen)
    )

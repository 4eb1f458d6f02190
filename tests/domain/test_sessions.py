"""The rule of sessions on the golden examples of its definition, and that order never matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.sessions import LONGEST, PAUSE, Session, cut, is_long, islands, join

DAY = datetime(2026, 3, 10, tzinfo=UTC)


def at(clock: str, day: int = 0) -> Session:
    hours, minutes = clock.split(":")
    moment = DAY + timedelta(days=day, hours=int(hours), minutes=int(minutes))
    return Session(moment, moment)


def spans(sessions: list[Session]) -> list[tuple[str, int]]:
    return [
        (f"{s.started_at:%H:%M}", int((s.ended_at - s.started_at).total_seconds() // 60)) for s in sessions
    ]


def test_golden_examples() -> None:
    assert spans(cut([at("13:00"), at("13:10"), at("13:50"), at("14:10"), at("14:25")])) == [
        ("13:00", 10),
        ("13:50", 35),
    ]
    assert spans(cut([at("23:30"), at("23:50"), at("00:05", 1)])) == [("23:30", 35)]


def test_a_pause_of_exactly_half_an_hour_ends_a_session() -> None:
    assert len(cut([at("10:00"), at("10:30")])) == 2
    assert len(cut([at("10:00"), at("10:29")])) == 1


def test_no_session_lasts_longer_than_a_day() -> None:
    events = [
        Session(moment, moment) for moment in (DAY + number * timedelta(minutes=20) for number in range(100))
    ]
    sessions = cut(events)
    assert [session.events for session in sessions] == [72, 28]
    assert all(session.ended_at - session.started_at < LONGEST for session in sessions)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_joining_what_is_known_equals_cutting_everything(minutes: list[int]) -> None:
    """What the rollup relies on: islands of sessions and new events are the islands of all events."""
    events = [Session(DAY + timedelta(minutes=m), DAY + timedelta(minutes=m)) for m in minutes]
    middle = len(events) // 2
    known, new = cut(events[:middle]), events[middle:]
    made: list[Session] = []
    for island in islands([*known, *new]):
        if is_long(island):
            whole = join(island)
            made += cut(e for e in events if whole.started_at <= e.started_at <= whole.ended_at)
        else:
            made.append(join(island))
    assert sorted(made, key=lambda s: s.started_at) == cut(events)
    for earlier, later in pairwise(made):
        gap = later.started_at - earlier.ended_at
        assert gap >= PAUSE or later.started_at - earlier.started_at >= LONGEST

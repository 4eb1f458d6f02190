"""When an alert begins, reminds and ends, whatever is found when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.alert import Alert, AlertState, Finding, Notice, Timing, step

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FOUND = Finding("destination:a", 5.0, "it is so")
TIMING = Timing(hold=timedelta(minutes=5), clear=timedelta(minutes=2), remind=timedelta(hours=1))


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


def test_it_fires_once_when_it_has_held_for_long_enough() -> None:
    alert, notice = step(None, FOUND, minutes(0), TIMING)
    assert alert is not None
    assert (alert.state, notice) == (AlertState.PENDING, None)
    alert, notice = step(alert, FOUND, minutes(5), TIMING)
    assert alert is not None
    assert (alert.state, notice, alert.since, alert.started_at) == (
        AlertState.FIRING,
        Notice.FIRING,
        minutes(0),
        minutes(5),
    )
    assert step(alert, FOUND, minutes(6), TIMING)[1] is None


def test_what_does_not_last_is_forgotten() -> None:
    alert, _ = step(None, FOUND, minutes(0), TIMING)
    assert step(alert, None, minutes(4), TIMING) == (None, None)


def test_one_that_comes_and_goes_is_one_alert() -> None:
    alert = Alert("destination:a", NOW, None, "", started_at=NOW, notified_at=NOW)
    for minute in range(1, 30):
        held, notice = step(alert, FOUND if minute % 2 else None, minutes(minute), TIMING)
        assert held is not None
        assert (held.state, notice) == (AlertState.FIRING, None)
        alert = held
    for minute, expected in ((30, None), (31, None), (32, Notice.RESOLVED)):
        held, notice = step(alert, None, minutes(minute), TIMING)
        assert held is not None
        assert notice == expected
        alert = held
    assert alert.ended_at == minutes(32)


def test_reminders_stop_when_somebody_knows() -> None:
    alert = Alert("destination:a", NOW, None, "", started_at=NOW, notified_at=NOW)
    reminded, notice = step(alert, FOUND, minutes(60), TIMING)
    assert notice is Notice.REMINDER
    assert reminded is not None
    assert step(reminded, FOUND, minutes(119), TIMING)[1] is None
    assert step(reminded, FOUND, minutes(120), TIMING)[1] is Notice.REMINDER
    known = replace(reminded, acknowledged_at=minutes(61))
    assert step(known, FOUND, minutes(500), TIMING)[1] is None


@dataclass
class Round:
    """One evaluation: what was found and what came of it."""

    at: datetime
    found: bool
    alert: Alert | None
    notice: Notice | None


TIMINGS = st.builds(
    Timing,
    hold=st.integers(0, 300).map(lambda seconds: timedelta(seconds=seconds)),
    clear=st.integers(0, 300).map(lambda seconds: timedelta(seconds=seconds)),
    remind=st.none() | st.integers(1, 3).map(lambda hours: timedelta(hours=hours)),
)
ROUNDS = st.lists(
    st.tuples(st.integers(1, 240) | st.integers(1_000, 9_000), st.booleans(), st.booleans()), max_size=60
)


@given(timing=TIMINGS, rounds=ROUNDS)
def test_whatever_is_found_when(timing: Timing, rounds: list[tuple[int, bool, bool]]) -> None:
    """Checked against what happened before and after each round, not against another copy of the rules."""
    alert: Alert | None = None
    now, done = NOW, list[Round]()
    for seconds, found, acknowledged in rounds:
        now += timedelta(seconds=seconds)
        if alert is not None and alert.state is AlertState.FIRING and acknowledged:
            alert = replace(alert, acknowledged_at=alert.acknowledged_at or now)
        alert, notice = step(alert, FOUND if found else None, now, timing)
        done.append(Round(now, found, alert, notice))
        if alert is not None and alert.ended_at is not None:
            alert = None
    for index, each in enumerate(done):
        check_round(done[: index + 1], each, timing)
    told = [each.notice for each in done if each.notice is not None]
    firing = False
    for notice in told:
        assert (notice is not Notice.FIRING) == firing, "begins before it reminds or ends, and begins once"
        firing = notice is not Notice.RESOLVED


def check_round(before: list[Round], each: Round, timing: Timing) -> None:
    streak = [each]
    for earlier in reversed(before[:-1]):
        if earlier.found != each.found:
            break
        streak.insert(0, earlier)
    lasted = each.at - streak[0].at
    state = each.alert.state if each.alert is not None else None
    if each.found:
        assert state in (AlertState.PENDING, AlertState.FIRING)
        if lasted >= timing.hold:
            assert state is AlertState.FIRING
        if each.notice is Notice.FIRING:
            assert lasted >= timing.hold
    else:
        assert state is not AlertState.PENDING
        if each.notice is Notice.RESOLVED:
            assert lasted >= timing.clear
        if lasted >= timing.clear:
            assert state is not AlertState.FIRING
    if each.notice is Notice.REMINDER:
        assert each.alert is not None
        assert each.alert.acknowledged_at is None
        last = next(earlier.at for earlier in reversed(before[:-1]) if earlier.notice is not None)
        assert timing.remind is not None
        assert each.at - last >= timing.remind

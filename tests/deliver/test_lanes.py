"""Lanes: whoever is free takes what comes next, and still each person's events stay together and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics_api.deliver.lanes import Lane, Line
from analytics_api.deliver.parcel import Parcel
from tests.support.stored import stored_event


@given(
    persons=st.lists(st.sampled_from("abcdefg"), max_size=60),
    turns=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=60),
)
def test_a_persons_events_are_never_in_two_lanes_and_keep_the_order_of_the_log(
    persons: list[str], turns: list[tuple[int, int, bool]]
) -> None:
    """In any order of turns, in each of which a lane takes some events; they are in flight until the lane has them settled."""
    parcels = [Parcel(stored_event(user_id=person)) for person in persons]
    line = Line(parcels)
    lanes = [Lane(line) for _ in range(4)]
    flying: list[list[Parcel]] = [[] for _ in lanes]
    taken: list[Parcel] = []
    to_the_end = [(number, len(parcels), True) for _ in parcels for number in range(4)]
    for number, most, settled in [*turns, *to_the_end]:
        for _ in range(most):
            parcel = lanes[number].first
            if parcel is None:
                break
            assert parcel is lanes[number].first
            lanes[number].take_first()
            others = [each for lane in range(4) if lane != number for each in flying[lane]]
            assert parcel.event.person_id not in {each.event.person_id for each in others}
            flying[number].append(parcel)
            taken.append(parcel)
        if settled:
            flying[number].clear()
            lanes[number].settle()
    assert sorted(parcel.event.seq for parcel in taken) == [parcel.event.seq for parcel in parcels]
    for person in {parcel.event.person_id for parcel in parcels}:
        theirs = [parcel.event.seq for parcel in taken if parcel.event.person_id == person]
        assert theirs == sorted(theirs)


def test_requests_are_full() -> None:
    """Whoever takes a hundred gets a hundred, also when some persons belong to others."""
    parcels = [Parcel(stored_event(user_id=f"u{n}")) for n in range(300)]
    line = Line(parcels)
    for lane in (Lane(line), Lane(line), Lane(line)):
        for _ in range(100):
            assert lane.first is not None
            lane.take_first()
    assert not line.waiting

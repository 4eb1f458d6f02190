"""Order, days and counts of arrays, held against plain Python."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_api.domain.analysis.days import local_days
from analytics_api.domain.analysis.journey import END, links, top_paths
from analytics_api.domain.analysis.stream import chronological

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3))),
    far=st.sampled_from([1, 10**6, 2**61]),
)
def test_events_are_in_the_order_of_group_time_and_place(rows: list[tuple[int, int]], far: int) -> None:
    """Also where group and time together do not fit into one number."""
    seq = list(range(len(rows), 0, -1))
    group, time = ([row[place] for row in rows] for place in (0, 1))
    columns = np.array(group, np.int64), np.array(time, np.int64) * far, np.array(seq, np.int64)
    expected = sorted(range(len(rows)), key=lambda number: (group[number], time[number], seq[number]))
    assert chronological(*columns).tolist() == expected


ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia"]


@pytest.mark.parametrize("zone", ZONES)
@given(
    minutes=st.integers(-2_000_000, 14_000_000),
    length=st.integers(0, 400),
    shares=st.lists(st.floats(0, 1)),
)
@example(minutes=5_000_000, length=1000, shares=[])
def test_days_are_those_of_the_zone(zone: str, minutes: int, length: int, shares: list[float]) -> None:
    """Over days without midnight and days that are skipped, and of the minute of a day that Newfoundland had twice until 2011."""
    since = EPOCH + timedelta(minutes=minutes)
    until = since + timedelta(days=length)
    moments = [since, until, *(since + (until - since) * share for share in shares)]
    moments += [datetime(2010, 11, 7, 2, minute, tzinfo=UTC) for minute in range(25, 40)]
    moments = [moment for moment in moments if since <= moment <= until]
    times = np.array([(moment - EPOCH) // MICROSECOND for moment in moments], np.int64)
    expected = [(moment.astimezone(ZoneInfo(zone)).date() - EPOCH.date()).days for moment in moments]
    assert local_days(times, EPOCH, since, until, ZoneInfo(zone)).tolist() == expected


@given(
    walks=st.lists(st.lists(st.sampled_from([-9, -2, 7, 2**62]), min_size=0, max_size=3)),
    most=st.integers(0, 4),
)
def test_links_and_paths_are_counted(walks: list[list[int]], most: int) -> None:
    paths = [(5, *walk, *[END] * (3 - len(walk))) for walk in walks]
    levels = np.array(paths, np.int64).reshape(-1, 4).T
    expected = Counter(
        (level, here, there)
        for path in paths
        for level, (here, there) in enumerate(pairwise(path))
        if here != END
    )
    found = links(levels)
    assert {(link.level, link.source, link.target): link.count for link in found} == expected
    order = [(link.level, -link.count, link.source, link.target) for link in found]
    assert order == sorted(order)
    ranked = sorted(Counter(paths).items(), key=lambda item: (-item[1], item[0]))
    assert [(tuple(path), count) for path, count in top_paths(levels, most)] == ranked[:most]

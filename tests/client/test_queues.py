"""The two queues hold to one contract: order, bounds, and every event settled, dropped and counted, or still there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from analytics_client.queue import MemoryQueue
from analytics_client.spool import Spool
from analytics_client.stats import Counters
from hypothesis import given
from hypothesis import strategies as st

STEPS = st.lists(st.sampled_from(["put", "put", "put", "settle", "give back", "reopen"]), max_size=60)


def spool(folder: Path, counters: Counters, most_bytes: int = 1_000_000, memory: int = 1000) -> Spool:
    return Spool(folder, most_bytes, MemoryQueue(memory, counters), counters)


@given(STEPS, st.booleans(), st.integers(1, 5))
def test_nothing_is_lost_or_out_of_order(steps: list[str], on_disk: bool, most: int) -> None:
    counters = Counters()
    with tempfile.TemporaryDirectory() as name:
        queue = spool(Path(name), counters) if on_disk else MemoryQueue(1000, counters)
        put = settled = 0
        for step in steps:
            if step == "put":
                queue.put(b'{"n":%d}' % put)
                put += 1
            elif step == "reopen" and isinstance(queue, Spool):
                queue.renew_after_fork()  # Lets go of its segment, as the end of a process does.
                queue = spool(Path(name), counters)
            elif (batch := queue.take(most)) is not None:
                expected = [b'{"n":%d}' % number for number in range(settled, settled + len(batch.lines))]
                assert batch.lines == expected
                if step == "settle":
                    settled += len(batch.lines)
                    queue.settle(batch)
                else:
                    queue.give_back(batch)
        while (batch := queue.take(most)) is not None:
            settled += len(batch.lines)
            queue.settle(batch)
        assert settled == put
        assert not os.listdir(name)
    assert counters.read().dropped == 0


@given(st.lists(st.integers(20, 400), max_size=200), st.integers(2_000, 20_000))
def test_a_spool_keeps_its_bound_and_the_newest(sizes: list[int], most_bytes: int) -> None:
    counters = Counters()
    with tempfile.TemporaryDirectory() as name:
        queue = spool(Path(name), counters, most_bytes)
        for number, size in enumerate(sizes):
            queue.put(b"%04d" % number + b"x" * size)
            assert sum(path.stat().st_size for path in Path(name).iterdir()) <= most_bytes * 5 // 4 + 500
        kept: list[int] = []
        while (batch := queue.take(1000)) is not None:
            kept += [int(line[:4]) for line in batch.lines]
            queue.settle(batch)
    assert kept == list(range(len(sizes) - len(kept), len(sizes)))
    assert counters.read().dropped == len(sizes) - len(kept)


def test_half_a_line_of_a_killed_program_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "0-1-a.events").write_bytes(b'{"n":1}\n{"n":')
    batch = spool(tmp_path, Counters()).take(10)
    assert batch is not None
    assert batch.lines == [b'{"n":1}']


def test_two_processes_never_hold_the_same_events(tmp_path: Path) -> None:
    writer, one, other = (spool(tmp_path, Counters()) for _ in range(3))
    writer.put(b"1")
    assert one.take(10) is None
    writer.put(b"2")
    taken = writer.take(10)
    assert taken is not None
    assert one.take(10) is None
    writer.give_back(taken)
    again = one.take(10)
    assert again is not None
    assert again.lines == [b"1", b"2"]
    assert other.take(10) is None
    one.settle(again)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_emptied_while_the_program_runs(tmp_path: Path) -> None:
    queue = spool(tmp_path, Counters())
    queue.put(b"1")
    for path in tmp_path.iterdir():
        path.unlink()
    batch = queue.take(10)
    assert batch is not None
    assert batch.lines == [b"1"]


def test_a_disk_that_is_full_moves_events_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = spool(tmp_path, Counters())
    queue.put(b"1")
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:1]))
    queue.put(b"2")
    queue.put(b"3")
    monkeypatch.undo()
    found = []
    while (batch := queue.take(10)) is not None:
        found += batch.lines
        queue.settle(batch)
    assert sorted(found) == [b"1", b"2", b"3"]

"""How much of charts is kept. That none is out of date is shown by the histories of tests/aggregate/test_corrections.py."""

from __future__ import annotations

from analytics_api.query.chart_memory import ChartMemory


def test_what_was_not_asked_for_longest_goes_first() -> None:
    memory = ChartMemory(most_bytes=30)
    for name in "abc":
        memory.put(name, name.encode() * 10)
    assert memory.get("a") == b"a" * 10
    memory.put("d", b"d" * 5)
    assert [memory.get(name) is not None for name in "abcd"] == [True, False, True, True]
    memory.put("d", b"d" * 31)
    assert [memory.get(name) is not None for name in "abcd"] == [False] * 4
    memory.put("e", b"e" * 30)
    assert memory.get("e") is not None

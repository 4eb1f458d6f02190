"""Short words for the measures that reports are made of, and their values as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from analytics_api.domain.filters import EVERY_EVENT, AllOf, Path, in_words, parse_filter_text
from analytics_api.domain.measures import Measure, Of
from analytics_api.query.metrics import as_utc
from analytics_api.store.reports.table import Groups, Number
from analytics_api.store.reports.window import Window

PERCENTILES = (50, 95, 99)


def where(*texts: str) -> AllOf:
    """Filters as a query string has them: `event_data.success is true`."""
    return parse_filter_text(list(texts))


def events(*types: str, only: AllOf = EVERY_EVENT) -> Measure:
    """Events of some types; of all when none is named."""
    return Measure(Of.EVENTS, types, only)


def persons(*types: str, only: AllOf = EVERY_EVENT) -> Measure:
    """Distinct persons with such events."""
    return Measure(Of.PERSONS, types, only)


def number(of: Of, path: str, *types: str, only: AllOf = EVERY_EVENT) -> Measure:
    """The numbers at a path put together."""
    return Measure(of, types, only, Path.parse(path))


def percentiles(path: str, *types: str, only: AllOf = EVERY_EVENT) -> dict[str, Measure]:
    """p50, p95 and p99 of the numbers at a path."""
    return {
        f"p{share}": Measure(Of.PERCENTILE, types, only, Path.parse(path), Decimal(share))
        for share in PERCENTILES
    }


def plain(value: Number | float) -> int | float | None:
    """A measure as JSON has it: whole numbers stay whole, as far as 64 bits hold them."""
    if value is None or isinstance(value, int):
        return value
    whole = -(2**63) <= value < 2**63 and value == int(value)
    return int(value) if whole else float(value)


def share(part: Number, whole: Number) -> float | None:
    """A fraction; None of nothing."""
    return float(Decimal(part or 0) / Decimal(whole)) if whole else None


def rows(groups: Groups, name: str) -> list[dict[str, Any]]:
    """Groups as JSON, their key under `name`."""
    return [{name: row.key, **values(row.values)} for row in groups.rows]


def values(found: Mapping[str, Number]) -> dict[str, Any]:
    """Measures as JSON."""
    return {name: plain(value) for name, value in found.items()}


def window_answer(window: Window) -> dict[str, Any]:
    """Which time an answer is about, and whether its people are visitor-days."""
    people = window.project.counted_as(window.first, window.last)
    return {
        **({} if people is None else {"counted_as": people}),
        "from": as_utc(window.begins),
        "to": as_utc(min(window.ends, window.now)),
        "first_day": window.first.isoformat(),
        "last_day": window.last.isoformat(),
        "rolling": window.rolling,
        "zone": window.project.zone.key,
        "include_bots": window.include_bots,
        **({"filters": in_words(window.filters)} if window.filters.parts else {}),
    }

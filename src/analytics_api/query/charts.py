"""A metric bucket by bucket as JSON. What is settled of it is made once and kept as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import orjson

from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import next_bucket
from analytics_api.query.chart_memory import ChartMemory
from analytics_api.query.metrics import json_default, point_answer
from analytics_api.store.metrics.answer import Figures, Point


async def chart(
    figures: Figures, metric: Metric, first: date, last: date, *, include_bots: bool, memory: ChartMemory
) -> bytes:
    """The points of all buckets that touch the days from `first` to `last`, as a JSON list."""
    parts = []
    settled = None if include_bots and metric.takes_bots else await figures.settled(metric, first, last)
    if settled is not None:
        text = memory.get(settled.key)
        if text is None:
            text = _rendered(figures, await figures.points(metric, settled.first, settled.last))
            memory.put(settled.key, text)
        parts.append(text)
        first = next_bucket(settled.last, metric.period)
    if first <= last:
        points = await figures.points(metric, first, last, include_bots=include_bots)
        if points:
            parts.append(_rendered(figures, points, include_bots=include_bots))
    return b"[" + b",".join(parts) + b"]"


def _rendered(figures: Figures, points: Sequence[Point], *, include_bots: bool = False) -> bytes:
    """Without the brackets of the list."""
    answers = [
        point_answer(each, figures.project, include_bots=include_bots, raw=figures.raw) for each in points
    ]
    return orjson.dumps(answers, default=json_default)[1:-1]

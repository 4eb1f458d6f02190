"""Breakdowns: the most frequent values of a property, and everything else together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics_api.domain.analysis.stream import Flags, Ints, Stream
from analytics_api.domain.filters import Path
from analytics_api.store.analysis.labels import Example, names
from analytics_api.store.analysis.scope import Scope


@dataclass(frozen=True, slots=True)
class Shown:
    """A value and what has it."""

    value: str | None
    """None: there is none; or it stands for all others."""
    others: bool
    members: Flags


async def shown(
    scope: Scope, path: Path, stream: Stream, events: Ints, hashes: Ints, most: int
) -> list[Shown]:
    """The `most` frequent values, the others last. `events` are positions, `hashes` their values."""
    values, firsts, counts = np.unique(hashes, return_index=True, return_counts=True)
    order = np.lexsort((values, -counts))
    kept = order[:most]
    at = events[firsts[kept]]
    examples = [
        Example(seq, time)
        for seq, time in zip(stream.seq[at].tolist(), stream.time[at].tolist(), strict=True)
    ]
    found = [
        Shown(name, False, hashes == value)
        for name, value in zip(await names(scope, path, examples), values[kept].tolist(), strict=True)
    ]
    if len(values) > most:
        found.append(Shown(None, True, ~np.isin(hashes, values[kept])))
    return found

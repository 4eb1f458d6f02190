"""Lifecycle: persons of each bucket by what they did before (definitions, section 5a)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analytics_api.domain.analysis.stream import Flags, Ints, distinct
from analytics_api.domain.analysis.terms import LifecycleStage


def lifecycle(
    person: Ints, bucket: Ints, known: Flags, buckets: int
) -> Mapping[LifecycleStage, tuple[Ints, Ints]]:
    """For each stage persons and their buckets, from 0 to `buckets` - 1.

    `person` was there in `bucket`, of which -1 is the one before the first; `known`: by person, whether they were there before that.
    """
    width = buckets + 1
    keys = distinct(person * width + bucket + 1)
    who, where = keys // width, keys % width - 1
    same = who[1:] == who[:-1]
    goes_on = np.append(same & (where[1:] == where[:-1] + 1), False)[: len(keys)]
    current = np.roll(goes_on, 1)
    earlier = known[who] | np.append(False, same)[: len(keys)]
    inside = where >= 0
    chosen = {
        LifecycleStage.NEW: inside & ~earlier,
        LifecycleStage.CURRENT: inside & current,
        LifecycleStage.RESURRECTED: inside & earlier & ~current,
    }
    gone = ~goes_on & (where + 1 < buckets)
    return {
        **{stage: (who[those], where[those]) for stage, those in chosen.items()},
        LifecycleStage.DORMANT: (who[gone], where[gone] + 1),
    }

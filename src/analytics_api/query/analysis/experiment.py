"""Experiments as they are asked for and answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.experiment import Floats, Stretch, exposures, outcomes, summed_up
from analytics_api.domain.analysis.stream import Flags, Ints, Stream
from analytics_api.domain.analysis.terms import SECOND
from analytics_api.domain.filters import Path
from analytics_api.domain.metrics import SMALL_SAMPLE
from analytics_api.domain.statistics import (
    CONFIDENCE,
    Comparison,
    Sample,
    compare_means,
    compare_shares,
    sample_ratio,
)
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import explained, proportion, wanted_days, worked_out
from analytics_api.query.analysis.cells import ExperimentCell
from analytics_api.query.analysis.questions import ExperimentQuestion, OutcomeAsked
from analytics_api.store.analysis.columns import People, micros
from analytics_api.store.analysis.labels import NO_VALUE, Example, names
from analytics_api.store.analysis.scope import Scope, check
from analytics_api.store.analysis.steps import Wanted, read_events

MOST_VARIANTS = 20
SUSPICIOUS = 0.001
"""p value of the group sizes below which the split is not what it should be (Fabijan et al. 2019)."""
DEFINITION = (
    "Persons by the {variant} of their first {exposure} in the window of days; who saw several variants is left out. Only what comes "
    "after the exposure counts, and only persons whose time is over are compared."
)


@dataclass(frozen=True, slots=True)
class Groups:
    """Who saw what."""

    stream: Stream
    people: People
    values: Floats
    """Of the events, one row for each metric."""
    first: Ints
    """Position of the first exposure of each person that saw one variant."""
    variant: Ints
    """Place of that variant in `names`."""
    names: list[str]
    several: int
    """Persons that saw several."""


async def experiment_answer(scope: Scope, question: ExperimentQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    first, last = wanted_days(scope, question)
    groups = await _groups(scope, question, first, last)
    control = _control(question, groups)
    definition = DEFINITION.format(variant=question.variant, exposure=question.exposure.words())
    answer = await explained(scope, question, definition, first, last, late_days)
    sizes = np.bincount(groups.variant, minlength=len(groups.names)).tolist()
    metrics = [
        await worked_out(_metric, scope, asked, groups, number, control)
        for number, asked in enumerate(question.metrics)
    ]
    return {
        **answer,
        "variant": question.variant,
        "control": groups.names[control] if groups.names else None,
        "variants": [
            {"variant": name, "persons": size} for name, size in zip(groups.names, sizes, strict=True)
        ],
        "in_several": groups.several,
        "sample_ratio": _sample_ratio(question, groups, sizes),
        "metrics": metrics,
    }


async def _groups(scope: Scope, question: ExperimentQuestion, first: date, last: date) -> Groups:
    kinds = [question.exposure.kind(), *(kind for asked in question.metrics for kind in asked.kinds())]
    await check(scope.connection, [kind.filters for kind in kinds])
    path = Path.parse(question.variant)
    wanted = Wanted(
        [[question.exposure.kind()], *(asked.kinds() for asked in question.metrics)],
        label=path,
        numbers=[
            None if asked.property is None else Path.parse(asked.property) for asked in question.metrics
        ],
    )
    since, until = scope.stretch(first, last)
    longest = [asked.before_seconds for asked in question.metrics]
    extra = timedelta(seconds=max(filter(None, longest), default=0))
    if None in longest:
        extra = max(extra, scope.as_of - until)
    events = await read_events(scope, since, scope.stretch(first, last, extra)[1], wanted)
    stream = events.stream
    exposed = (stream.mask & 1 == 1) & (stream.label != NO_VALUE) & (stream.time < micros(until))
    found = exposures(stream, np.flatnonzero(exposed))
    alone = found.position[~found.several]
    hashes, index, variant = np.unique(stream.label[alone], return_index=True, return_inverse=True)
    if len(hashes) > MOST_VARIANTS:
        raise Unprocessable(
            f"variant: {question.variant} has {len(hashes)} values; an experiment has at most {MOST_VARIANTS}."
        )
    named = await _names(scope, path, stream, alone[index])
    order = sorted(range(len(named)), key=named.__getitem__)
    places = np.empty(len(named), np.int64)
    places[order] = np.arange(len(named))
    return Groups(
        stream,
        events.people,
        events.numbers,
        alone,
        places[variant.reshape(-1)],
        [named[each] for each in order],
        int(found.several.sum()),
    )


async def _names(scope: Scope, path: Path, stream: Stream, events: Ints) -> list[str]:
    """The variants that some exposures show."""
    places, times = stream.seq[events].tolist(), stream.time[events].tolist()
    examples = [Example(seq, time) for seq, time in zip(places, times, strict=True)]
    return [name or "" for name in await names(scope, path, examples)]


def _control(question: ExperimentQuestion, groups: Groups) -> int:
    if question.control is None or not groups.names:
        return 0
    if question.control not in groups.names:
        raise Unprocessable(f"control: nobody saw {question.control!r}; there are {', '.join(groups.names)}.")
    return groups.names.index(question.control)


def _sample_ratio(question: ExperimentQuestion, groups: Groups, sizes: list[int]) -> dict[str, Any] | None:
    shares = question.shares or dict.fromkeys(groups.names, 1.0)
    unknown = [name for name in groups.names if name not in shares]
    if unknown:
        raise Unprocessable(f"shares: say what share {', '.join(unknown)} should have.")
    counts = dict.fromkeys(shares, 0) | dict(zip(groups.names, sizes, strict=True))
    found = sample_ratio([counts[name] for name in shares], list(shares.values())) if shares else None
    if found is None:
        return None
    statistic, p_value = found
    return {"chi_square": statistic, "p_value": p_value, "mismatch": p_value < SUSPICIOUS}


def _found(scope: Scope, asked: OutcomeAsked, groups: Groups, number: int) -> tuple[Floats, Flags]:
    """What a metric is for each person, and whose time is over."""
    stream = groups.stream
    end = None if asked.before_seconds is None else asked.before_seconds * SECOND
    ripe = np.ones(len(groups.first), np.bool_)
    if end is not None:
        ripe = stream.time[groups.first] + end <= micros(scope.as_of)
    events = stream.having(number + 1)
    values = groups.values[number][events]
    if asked.property is not None:
        events, values = events[~np.isnan(values)], values[~np.isnan(values)]
    stretch = Stretch(asked.after_seconds * SECOND, end)
    return outcomes(stream, groups.first, events, values, stretch), ripe


async def experiment_people(
    scope: Scope, question: ExperimentQuestion, cell: ExperimentCell
) -> tuple[People, Ints]:
    """Who is in a number, as numbers of persons, each once."""
    groups = await _groups(scope, question, *wanted_days(scope, question))
    if cell.metric > len(question.metrics):
        raise Unprocessable(f"cell.metric: the experiment has {len(question.metrics)} metrics.")
    if cell.variant not in groups.names:
        raise Unprocessable(f"cell.variant: nobody saw {cell.variant!r}.")
    chosen = groups.variant == groups.names.index(cell.variant)
    if cell.outcome != "exposed":
        # Only whether there is any matters, not what it is worth.
        counted = replace(groups, values=np.where(np.isnan(groups.values), np.nan, 1.0))
        found, ripe = _found(scope, question.metrics[cell.metric - 1], counted, cell.metric - 1)
        chosen &= ripe & ((found > 0) if cell.outcome == "converted" else (found == 0))
    persons: Ints = groups.stream.person[groups.first[chosen]]
    return groups.people, persons


def _metric(scope: Scope, asked: OutcomeAsked, groups: Groups, number: int, control: int) -> dict[str, Any]:
    found, ripe = _found(scope, asked, groups, number)
    results = [_result(asked, found, ripe, groups.variant == place) for place in range(len(groups.names))]
    samples = [sample for sample, _ in results]
    return {
        "name": asked.title(),
        "measure": asked.measure,
        "after_seconds": asked.after_seconds,
        "before_seconds": asked.before_seconds,
        "pending": int((~ripe).sum()),
        "results": [
            {
                "variant": name,
                **answer,
                "against_control": None
                if place == control
                else _compared(asked, samples[place], samples[control]),
            }
            for place, (name, (_, answer)) in enumerate(zip(groups.names, results, strict=True))
        ],
    }


def _result(asked: OutcomeAsked, found: Floats, ripe: Flags, members: Flags) -> tuple[Sample, dict[str, Any]]:
    values = found[members & ripe]
    if asked.measure == "conversion":
        values = (values > 0).astype(np.float64)
        sample = summed_up(values)
        return sample, proportion(int(values.sum()), sample.size)
    sample = summed_up(values)
    return sample, {
        "value": sample.mean if sample.size else None,
        "numerator": float(values.sum()),
        "denominator": sample.size,
        "standard_deviation": sample.variance**0.5 if sample.size > 1 else None,
        "small_sample": sample.size < SMALL_SAMPLE,
    }


def _compared(asked: OutcomeAsked, one: Sample, control: Sample) -> dict[str, Any] | None:
    if asked.measure == "conversion":
        found = compare_shares(
            round(one.mean * one.size), one.size, round(control.mean * control.size), control.size
        )
    else:
        found = compare_means(one, control)
    return None if found is None else _comparison(asked, found, control)


def _comparison(asked: OutcomeAsked, found: Comparison, control: Sample) -> dict[str, Any]:
    return {
        "test": "z" if asked.measure == "conversion" else "t",
        "difference": found.difference,
        "relative": found.difference / control.mean if control.mean else None,
        "statistic": found.statistic,
        "degrees_of_freedom": found.degrees_of_freedom,
        "p_value": found.p_value,
        "interval": None
        if found.low is None
        else {"low": found.low, "high": found.high, "confidence": CONFIDENCE},
    }

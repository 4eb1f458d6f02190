"""Metrics that a project defines for itself: the definition, and the metrics of the catalogue that it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from analytics_api.domain.measures import (
    ADDITIVE,
    COUNTS,
    Measured,
    Ratio,
    measured_json,
    parse_measured,
)
from analytics_api.domain.metrics import METRICS_BY_NAME, Metric, Unit
from analytics_api.domain.period import Period

LONGEST_TITLE = 100
LONGEST_DESCRIPTION = 2_000
LONGEST_UNIT = 30
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class CustomMetric:
    """A definition. It can be asked for by day, week and month."""

    name: str
    title: str
    description: str
    unit: str
    measure: Measured
    version: int = 1
    """Raised when the figures change their meaning: kept ones of an older version are made again."""

    def explained(self) -> str:
        """What is counted, in words."""
        return f"{self.description} {self.measure.in_words()}.".lstrip()

    def metric(self, period: Period) -> Metric:
        """The metric of one period, as the catalogue has them."""
        measure = self.measure
        return Metric(
            self.name,
            period,
            self.unit,
            self.explained(),
            counts_people=measure.concerns_persons,
            proportion=isinstance(measure, Ratio) and measure.is_proportion,
            sampled=measure.denominator.of in COUNTS
            if isinstance(measure, Ratio)
            else measure.of not in ADDITIVE,
            version=self.version,
            title=self.title,
            measure=self.measure,
        )

    def as_json(self) -> dict[str, Any]:
        """What `parse_custom_metric` makes the same of."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "unit": self.unit,
            "measure": measured_json(self.measure),
        }


def parse_custom_metric(value: dict[str, Any], version: int = 1) -> CustomMetric:
    """A definition from JSON. Raises ValueError whose words begin with the field."""
    unknown = next(
        (key for key in value if key not in ("name", "title", "description", "unit", "measure")), None
    )
    if unknown is not None:
        raise ValueError(f"{unknown}: is not known here; use name, title, description, unit, measure")
    name = value.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("name: use 1 to 63 of a-z, 0-9 and _, a letter first")
    if name in METRICS_BY_NAME:
        raise ValueError(f"name: {name} is a metric of the product; use another name")
    title = _text(value.get("title") or name, LONGEST_TITLE, "title")
    description = _text(value.get("description") or "", LONGEST_DESCRIPTION, "description").strip()
    if description and description[-1] not in ".!?":
        description += "."
    measure = parse_measured(value.get("measure"))
    unit = value.get("unit")
    if unit is None:
        unit = _unit(measure)
    unit = _text(unit, LONGEST_UNIT, "unit")
    if unit == Unit.CURRENCY:
        raise ValueError(
            "unit: amounts of events are not converted, so name what they are in, as in EUR; revenue is the converted sum of payments"
        )
    return CustomMetric(name, title, description, unit, measure, version)


def _unit(measure: Measured) -> str:
    """The unit of a measure that nobody has named one for."""
    if isinstance(measure, Ratio):
        return Unit.FRACTION if measure.is_proportion else Unit.RATIO
    return Unit.COUNT if measure.of in COUNTS else "value"


def _text(value: object, longest: int, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > longest:
        raise ValueError(f"{where}: use a text of at most {longest} printable characters")
    return value

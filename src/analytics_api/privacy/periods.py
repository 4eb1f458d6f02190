"""Which periods of retention may be decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from analytics_api.domain.retention import Periods
from analytics_api.errors import Unprocessable

MOST_TYPES = 500
MOST_DAYS = 36_500

_EventType = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
_Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """What the installation says."""

    default_days: int
    late_days: int

    @property
    def least_days(self) -> int:
        """Figures of a day are final after `late_days`, and its events are needed until then."""
        return self.late_days + 1

    def checked(self, periods: Periods) -> Periods:
        """The same. Raises Unprocessable when a period is too short."""
        named = {
            "days": periods.days,
            **{f"event_types.{name}": days for name, days in periods.event_types.items()},
        }
        for name, days in named.items():
            if days is not None and days < self.least_days:
                raise Unprocessable(
                    f"{name}: {days} is too short, because figures of a day are final after {self.late_days} days "
                    f"(ANALYTICS__LATE_DAYS): use {self.least_days} or more."
                )
        return periods


class PeriodsBody(BaseModel):
    """Days that raw events are kept. What is left out is as the installation says."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"days": 180, "event_types": {"page_view": 60}}}
    )

    days: _Days | None = Field(
        None,
        description="Of types without a period of their own. null: `ANALYTICS__DATA_RETENTION_DAYS`, by whole partitions.",
    )
    event_types: dict[_EventType, _Days] = Field(
        {}, max_length=MOST_TYPES, description="Of single types, shorter or longer."
    )

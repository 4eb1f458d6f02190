"""/metrics/custom: metrics that a project defines for itself. Their figures are asked for like any other's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.aggregate import custom_metrics as administration
from analytics_api.domain.clock import system_clock
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store.custom_metrics import (
    StoredMetric,
    custom_metrics,
    find_custom_metric,
    metric_history,
)

router = Routes(prefix="/metrics/custom", tags=["metrics"])

_EXAMPLE: dict[str, Any] = {
    "name": "analysis_error_rate",
    "title": "Failed analyses",
    "description": "How many analyses fail.",
    "unit": "fraction",
    "measure": {
        "numerator": {"of": "events", "events": ["analysis_failed"]},
        "denominator": {"of": "events", "events": ["analysis_failed", "analysis_completed"]},
    },
}

Name = Annotated[str, Path(description="Of a metric that the project has defined.", max_length=63)]


class MetricBody(BaseModel):
    """A definition. It is checked whole; a mistake is named with its place, as in `measure.filters[0].op`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {key: value for key, value in _EXAMPLE.items() if key != "name"}},
    )

    title: str | None = Field(None, description="For people; default: the name.")
    description: str = ""
    unit: str | None = Field(
        None,
        description="What the value is in, as in seconds. Default: count, fraction of a part, ratio, or value.",
    )
    measure: dict[str, Any] = Field(
        description="`of`: events, persons, sum, average, minimum, maximum or percentile; `events`: types, all when empty; "
        "`filters`; `property`: path of the numbers; `percentile`. Or `numerator` and `denominator`, each of these."
    )


class NewMetric(MetricBody):
    """A metric to add."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    name: str = Field(description="a-z, 0-9 and _, a letter first; no name of a metric of the product.")


class MetricInfo(BaseModel):
    """A definition as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_EXAMPLE,
                "definition": "How many analyses fail. Events analysis_failed / events analysis_completed or analysis_failed.",
                "version": 1,
                "changed_at": "2026-03-10T12:00:00Z",
            }
        }
    )

    name: str
    title: str
    description: str
    unit: str
    measure: dict[str, Any]
    definition: str = Field(description="What is counted, in words, as figures explain it.")
    version: int = Field(
        description="Raised when something else is measured; kept figures are then made again."
    )
    changed_at: datetime


class Change(BaseModel):
    """One change of a definition."""

    version: int
    changed_at: datetime
    definition: dict[str, Any] | None = Field(description="Null: the metric was removed.")


class MetricDetails(MetricInfo):
    """A definition, and what it was before."""

    history: list[Change] = Field(description="All changes, the newest first.")


class MetricList(BaseModel):
    """The project's own metrics."""

    project: str
    metrics: list[MetricInfo]


@router.get("", summary="The project's own metrics", response_model=MetricList)
async def list_metrics(caller: ReadCaller, database: DatabaseOf) -> MetricList:
    """By name. `GET /metrics/definitions` lists them with those of the product."""
    async with database.read() as connection:
        found = await custom_metrics(connection, caller.project.id)
    return MetricList(project=caller.project.slug, metrics=[MetricInfo(**_info(each)) for each in found])


@router.post("", summary="Define a metric", status_code=201, response_model=MetricInfo)
async def add_metric(body: NewMetric, caller: EditCaller, database: DatabaseOf) -> MetricInfo:
    """It answers at once for all events that there are, by day, week and month."""
    stored = await administration.add_metric(database, caller.project, _given(body), system_clock())
    return MetricInfo(**_info(stored))


@router.get("/{name}", summary="One of the project's own metrics", response_model=MetricDetails)
async def show_metric(name: Name, caller: ReadCaller, database: DatabaseOf) -> MetricDetails:
    """Its definition, and all changes of it."""
    async with database.read() as connection:
        stored = await find_custom_metric(connection, caller.project.id, name)
        history = await metric_history(connection, caller.project.id, name)
    if stored is None:
        raise NotFound(f"Project {caller.project.slug} has no metric {name} of its own.")
    changes = [
        Change(version=version, changed_at=at, definition=definition)
        for _, version, at, definition in history
    ]
    return MetricDetails(**_info(stored), history=changes)


@router.put("/{name}", summary="Change a metric", response_model=MetricInfo)
async def replace_metric(
    name: Name, body: MetricBody, caller: EditCaller, database: DatabaseOf
) -> MetricInfo:
    """Everything is given again. Figures are answered by the new definition at once; final ones that change leave a
    revision with the cause `definition` at the next hourly run."""
    definition = {**_given(body), "name": name}
    stored = await administration.replace_metric(database, caller.project, definition, system_clock())
    return MetricInfo(**_info(stored))


@router.delete("/{name}", summary="Remove a metric", status_code=204)
async def remove_metric(name: Name, caller: EditCaller, database: DatabaseOf) -> Response:
    """Its kept figures go, its revisions stay."""
    await administration.remove_metric(database, caller.project, name, system_clock())
    return Response(status_code=204)


def _given(body: MetricBody) -> dict[str, Any]:
    return body.model_dump(exclude_none=True)


def _info(stored: StoredMetric) -> dict[str, Any]:
    metric = stored.metric
    return {
        **metric.as_json(),
        "definition": metric.explained(),
        "version": metric.version,
        "changed_at": stored.changed_at,
    }

"""The answers of the delivery calls, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": values})


class Resumed(BaseModel):
    """What a resume did."""

    model_config = _example(destination="amplitude", resumed=True)

    destination: str
    resumed: bool = Field(description="Whether it was paused.")


class SandboxItem(BaseModel):
    """A payload that was logged here instead of being sent."""

    model_config = _example(
        id=17,
        event_id="018f3f4e-0000-7000-8000-000000000001",
        event_type="feature_used",
        logged_at="2026-03-10T12:00:31Z",
        payload={"event_type": "feature_used", "event_data": {"feature_name": "image_generator"}},
    )

    id: int
    event_id: UUID
    event_type: str
    logged_at: datetime
    payload: dict[str, Any]


class SandboxPage(BaseModel):
    """The last payloads, newest first; a thousand are kept per project."""

    items: list[SandboxItem]
    next: int | None = Field(description="`before` of the next page; null on the last.")

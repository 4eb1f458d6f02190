"""/project/origins: whose pages may send events to a project, and read from it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.cors import MOST_ORIGINS, checked_origins
from analytics_api.access.dependencies import AdminCaller, DatabaseOf
from analytics_api.routes import Routes
from analytics_api.store.projects import get_project, set_allowed_origins

router = Routes(prefix="/project", tags=["logins"])


class Origins(BaseModel):
    """Origins of pages."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"origins": ["https://shop.example"]}}
    )

    origins: Annotated[list[str], Field(max_length=MOST_ORIGINS)] = Field(
        description="Scheme, host and port. Empty: pages of all origins may send events, and none may read."
    )


@router.get("/origins", summary="Whose pages may send and read", response_model=Origins)
async def show(caller: AdminCaller, database: DatabaseOf) -> Origins:
    """Origins that the project names."""
    async with database.read() as connection:
        project = await get_project(connection, caller.project.slug)
    return Origins(origins=sorted(project.allowed_origins))


@router.put("/origins", summary="Say whose pages may send and read", response_model=Origins)
async def replace(body: Origins, caller: AdminCaller, database: DatabaseOf) -> Origins:
    """Counts within 5 seconds in every process. Servers and apps, which name no origin, are not concerned."""
    origins = checked_origins(body.origins)
    async with database.write() as connection:
        await set_allowed_origins(connection, caller.project.id, origins)
    return Origins(origins=origins)

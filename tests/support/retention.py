"""Why old events of a project stay."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.store.upkeep import Limits, expired_partitions


async def blocked_by(connection: asyncpg.Connection, project: Project, before: datetime) -> str:
    """What blocks the one partition that is past retention; empty when nothing does."""
    (expired,) = await expired_partitions(connection, Limits({project.id: before}, before))
    return expired.blocked.get(project.id, "")

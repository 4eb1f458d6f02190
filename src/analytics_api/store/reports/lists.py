"""Sessions of a window, one by one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.filter_sql import Binds
from analytics_api.store.reports.window import Window
from analytics_api.store.statements import fetch


async def session_page(
    connection: AsyncConnection, window: Window, limit: int, after: tuple[datetime, UUID, str] | None
) -> list[Any]:
    """Sessions that began in the window, newest first; `after`: start, person and device of the last one seen."""
    behind = "AND (s.started_at, s.person_id, s.device) < (:started_at, CAST(:person AS uuid), CAST(:device AS text))"
    binds = Binds()
    sql = f"""
        SELECT s.person_id, p.user_id, s.device, s.started_at, s.ended_at, s.events, s.page_views, s.is_bot
        FROM sessions s JOIN persons p USING (person_id)
        WHERE s.project_id = :project AND s.day >= :first AND s.day <= :last
          AND s.started_at >= :begins AND s.started_at < :ends AND (:bots OR NOT s.is_bot) {behind if after else ""}
          {window.of_sessions("s", binds)}
        ORDER BY s.started_at DESC, s.person_id DESC, s.device DESC LIMIT :limit
    """
    more = {} if after is None else dict(zip(("started_at", "person", "device"), after, strict=True))
    return await fetch(
        connection,
        sql,
        window.parameters(first=window.first, last=window.last, limit=limit, **more, **binds.parameters),
    )

"""The dashboard counts how it is used itself, like any other product: with the script for pages, into a project of its own."""

from __future__ import annotations

from html import escape

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.clock import system_clock
from analytics_api.show.browser import load_script
from analytics_api.show.dashboard import PATH, load_dashboard
from analytics_api.store.keys import ensure_page_key
from analytics_api.store.projects import ensure_project

PROJECT = "analytics-dashboard"


async def self_tracking(
    connection: AsyncConnection, *, script: str, endpoint: str, time_zone: str, currency: str
) -> bytes:
    """What the dashboard's page ends with to load the script at the path `script`, which sends to `endpoint`. Makes the project."""
    now = system_clock()
    project = await ensure_project(connection, PROJECT, time_zone=time_zone, currency=currency, now=now)
    key = await ensure_page_key(connection, project, name="The dashboard", now=now)
    # The file that takes names out of events comes before the script that makes them; both after the page's own.
    settings = f'data-key="{key}" data-endpoint="{escape(endpoint)}" data-storage-prefix="dashboard." data-respect-dnt'
    return (
        f'<script defer src="{PATH}/assets/{load_dashboard().version}/tracking.js"></script>'
        f'<script defer src="{escape(script)}?v={load_script().version}" {settings}></script>'
    ).encode()

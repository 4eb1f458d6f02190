"""One HTTP request that an application has answered: what auto-tracking notes of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from analytics_api.domain.project import Project


class ApiRequest(NamedTuple):
    """A request after its end. It holds nothing that the client chose freely: no path, query, header or body."""

    at: datetime
    """When it arrived, in UTC."""
    method: str
    """An HTTP method of the standards, else `(other)`."""
    route: str
    """The route's template, such as `/users/{id}`; `(unmatched)` when no route took it."""
    status: int
    """As sent; 500 after an exception, 499 when the client hung up before the response began."""
    seconds: float
    """From arrival to the last byte of the response, without background tasks."""
    caller: str | None
    """Name of the caller, safe to store; none when the application did not say."""
    project: Project | None
    """The caller's project."""
    streamed: bool
    """Whether the response was a stream of server-sent events, whose duration is how long somebody listened."""

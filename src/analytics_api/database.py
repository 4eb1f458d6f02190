"""Where the database is: the one that is set, or the embedded server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from analytics_api.settings import Settings
from analytics_api.store.embedded import EmbeddedServer


@contextlib.contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the database: the one that is set, or the embedded server's for as long as the block lasts."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedServer(settings.data_dir)
    try:
        url = server.start()
        with server.kept_running():
            yield url
    finally:
        server.stop()

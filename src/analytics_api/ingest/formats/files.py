"""Files as they lie on disk, gzip or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from analytics_api.errors import ConfigurationError

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_file(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The file as stored (for progress) and unpacked. Raises ConfigurationError when it cannot be read."""
    try:
        stored = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    with stored:
        try:
            magic = stored.read(2)
            stored.seek(0)
            plain: object = gzip.GzipFile(fileobj=stored) if magic == GZIP_MAGIC else stored
            yield stored, cast(IO[bytes], plain)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ConfigurationError(f"{path} is damaged: {error}") from None

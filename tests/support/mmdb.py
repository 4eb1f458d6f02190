"""The smallest file in MaxMind's format: one record for the upper half of IPv4 (format: maxmind.github.io/MaxMind-DB)."""

from __future__ import annotations

from collections.abc import Mapping

_MARKER = b"\xab\xcd\xefMaxMind.com"
_TEXT, _MAP, _ARRAY = 2, 7, 11
_UNSIGNED = {"node_count": 6, "build_epoch": 9}
"""Width of a number is part of its type: 6 is uint32, 9 uint64, and the others are uint16 (5)."""


def write_mmdb(record: Mapping[str, object]) -> bytes:
    """A database in which 128.0.0.0/1 has `record` and all other addresses have none."""
    # One node: its left branch (first bit 0) leads to "nothing" (= node count), its right one to the data's start.
    tree = (1).to_bytes(3, "big") + (1 + 16).to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_767_225_600,
        "database_type": "Test",
        "description": {},
        "ip_version": 4,
        "languages": [],
        "node_count": 1,
        "record_size": 24,
    }
    return tree + bytes(16) + _encode(record) + _MARKER + _encode(metadata)


def _encode(value: object, name: str = "") -> bytes:
    if isinstance(value, Mapping):
        pairs = b"".join(_encode(name) + _encode(inner, str(name)) for name, inner in value.items())
        return _control(_MAP, len(value)) + pairs
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encode, value))
    if isinstance(value, int):
        plain = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(_UNSIGNED.get(name, 5), len(plain)) + plain
    text = str(value).encode()
    return _control(_TEXT, len(text)) + text


def _control(kind: int, size: int) -> bytes:
    """Type and size in the first byte; types past 7 have a byte of their own, sizes past 28 (to 284) too."""
    small, extra = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([kind << 5 | small]) + extra if kind <= 7 else bytes([small, kind - 7]) + extra

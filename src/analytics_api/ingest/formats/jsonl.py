"""JSON lines: one event a line as POST /events takes it; and what all formats of JSON lines share."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

import msgspec

from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.formats.line import FieldMap, Lines, Reader, mapped
from analytics_api.ingest.payloads import BYTE_ORDER_MARK, EventPayload, decode_event


def reader_of(decode: Callable[[bytes], EventPayload | None]) -> Reader:
    """A reader of lines that `decode` turns into events, or None for a line to leave out.

    `decode` may raise Rejected or what msgspec raises.
    """

    def read(stream: IO[bytes], mapping: FieldMap) -> Lines:
        for number, raw in enumerate(stream, start=1):
            line = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
            if line.isspace() or not line:
                continue
            try:
                payload = decode(line)
                yield (
                    (number, None, len(line))
                    if payload is None
                    else mapped(number, payload, len(line), mapping)
                )
            except Rejected as reason:
                yield number, reason, len(line)
            except RecursionError:
                yield number, Rejected("the line is nested too deeply to be read"), len(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield number, Rejected(str(error)), len(line)

    return read


read_jsonl = reader_of(decode_event)

"""From the body of a request to single events: envelopes, arrays, NDJSON, gzip. Nothing here knows what an event means."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from analytics_api.domain.times import parse_time
from analytics_api.errors import BadRequest, PayloadTooLarge


class EventPayload(msgspec.Struct):
    """One event as a client sends it. Wrong types are refused by the decoder, which names the field."""

    event_type: str
    event_data: dict[str, Any] | None = None
    user_properties: dict[str, Any] | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    session_id: str | int | None = None
    event_id: str | None = None
    timestamp: str | int | float | None = None
    context: dict[str, Any] | None = None
    revenue: int | float | str | None = None
    currency: str | None = None


class _Envelope(msgspec.Struct):
    events: list[msgspec.Raw]
    sent_at: str | int | float | None = None
    key: str | None = None


class _Object(msgspec.Struct):
    """What tells an event from an envelope."""

    event_type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    events: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some clients (.NET, PowerShell) begin with it; RFC 8259, section 8.1, lets readers overlook it."""
EVENT_FIELDS = frozenset(EventPayload.__struct_fields__)
MOST_MEMBERS = 100
"""Of a gzip body (RFC 1952, section 2.2). Each costs a copy of what is behind it."""
VALUES_PER_EVENT = 100
LEAST_VALUES = 100_000
"""A body may hold VALUES_PER_EVENT values for each event that a batch may have, and LEAST_VALUES in any case. Nothing but
commas would take thirty times its size in memory."""


class _StrictPayload(EventPayload, forbid_unknown_fields=True):
    """An event without unknown fields, which nearly all are: then one look is enough."""


_strict = msgspec.json.Decoder(_StrictPayload).decode
_array = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(_Envelope)
_object = msgspec.json.Decoder(_Object)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
decode_event = msgspec.json.Decoder(EventPayload).decode
"""An event from its JSON, without its unknown fields. Raises msgspec.DecodeError naming the field that is wrong."""


def decode_with_unknown(raw: bytes) -> tuple[EventPayload, set[str]]:
    """An event and the names of the fields in it that nobody knows. Raises msgspec.DecodeError naming the field."""
    try:
        return _strict(raw), set()
    except msgspec.ValidationError:
        payload = decode_event(raw)
        return payload, set(_fields.decode(raw)) - EVENT_FIELDS


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries: raw events, each JSON of its own, and what the envelope said about all of them."""

    events: list[bytes | msgspec.Raw | str]
    """JSON of an event, or (text) why that place in the batch cannot be one."""
    single: bool
    sent_at: datetime | None = None
    key: str | None = None


def unpack(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises BadRequest, or PayloadTooLarge above `limit` bytes unpacked."""
    coding = (encoding or "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip"):
        raise BadRequest(f"Content-Encoding {coding!r} is not supported: send gzip or none.")
    plain = b""
    for _ in range(MOST_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            # One byte more than allowed is enough to know; a bomb is never unpacked whole.
            plain += unpacker.decompress(body, limit + 1 - len(plain))
        except zlib.error:
            raise BadRequest("The body is not gzip to its end, though Content-Encoding says so.") from None
        if len(plain) > limit:
            raise PayloadTooLarge(
                f"The body is larger than {limit} bytes when unpacked: send smaller batches."
            )
        if not unpacker.eof:
            raise BadRequest("The gzip body ends too early.")
        body = unpacker.unused_data
        if not body:
            return plain
    raise BadRequest(f"The gzip body has more than {MOST_MEMBERS} members: compress it as a whole.")


def parse_body(body: bytes, content_type: str | None, most: int = 5_000) -> Body:
    """Split a body into at most that many events.

    Raises BadRequest when it is no event, no array and no envelope, and PayloadTooLarge when it has more.
    """
    if len(body) > LEAST_VALUES:
        values = body.count(b",") + body.count(b"\n")
        if values > max(LEAST_VALUES, VALUES_PER_EVENT * most):
            raise PayloadTooLarge(f"The body has {values} values, more than can be read at once: split it.")
    found = _split(body, content_type)
    if len(found.events) > most:
        raise PayloadTooLarge(f"The batch has {len(found.events)} events; the limit is {most}: split it.")
    return found


def _split(body: bytes, content_type: str | None) -> Body:
    body = body.removeprefix(BYTE_ORDER_MARK)
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        lines = [line.strip() for line in body.split(b"\n")]
        return Body([line for line in lines if line], single=False)
    start = body.lstrip()[:1]
    if not start:
        raise BadRequest("The body is empty: send an event as JSON.")
    try:
        if start == b"[":
            return Body([*_array.decode(body)], single=False)
        if start == b"{":
            return _parse_object(body)
    except RecursionError:
        raise BadRequest("The body is nested too deeply to be read.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _parse_leniently(body, error)
    raise BadRequest('The body is neither an event, nor an array of events, nor {"events": [...]}.')


def _parse_object(body: bytes) -> Body:
    found = _object.decode(body)
    if found.events is msgspec.UNSET or found.event_type is not msgspec.UNSET:
        return Body([body], single=True)
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The envelope cannot be read: {error}.") from None
    return Body([*envelope.events], single=False, sent_at=_sent_at(envelope.sent_at), key=envelope.key)


def _sent_at(value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRequest("The envelope cannot be read: sent_at is neither text nor a number.")
    try:
        return parse_time(value, "sent_at")
    except ValueError as error:
        raise BadRequest(f"The envelope cannot be read: {error}.") from None


def _parse_leniently(body: bytes, error: Exception) -> Body:
    """Read again with a parser that lets half a surrogate pair and NaN through, so that one such event fails alone."""
    try:
        document = json.loads(body, parse_constant=_constant, parse_float=_number)
    except (ValueError, RecursionError):
        raise BadRequest(f"The body is not JSON: {_plain(error)}.") from None
    if isinstance(document, list):
        return Body([_encode(item) for item in document], single=False)
    if (
        isinstance(document, dict)
        and isinstance(document.get("events"), list)
        and "event_type" not in document
    ):
        key = document.get("key")
        return Body(
            [_encode(item) for item in document["events"]],
            single=False,
            sent_at=_sent_at(document.get("sent_at")),
            key=key if isinstance(key, str) else None,
        )
    return Body([_encode(document)], single=True)


def _encode(item: object) -> bytes | str:
    try:
        return msgspec.json.encode(item)
    except (UnicodeEncodeError, ValueError, OverflowError):
        return "a text holds half a surrogate pair, which is not Unicode: send well-formed text"


def _constant(name: str) -> msgspec.Raw:
    """NaN and Infinity, which Python's json writes and JSON does not have, go on as they were written: their event is refused."""
    return msgspec.Raw(name.encode())


def _number(text: str) -> float | msgspec.Raw:
    """A number beyond a double's range goes on as it was written, so that its event is refused by name."""
    number = float(text)
    return number if math.isfinite(number) else msgspec.Raw(text.encode())


def _plain(error: Exception) -> str:
    text = str(error)
    return text.removeprefix("JSON is malformed: ")

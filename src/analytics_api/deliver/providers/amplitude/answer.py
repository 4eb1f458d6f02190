"""What Amplitude's answers mean for each event of a request. Pure functions.

Source: Amplitude's documentation of the batch event upload and of the HTTP V2 API, section "Response format".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analytics_api.deliver.providers.port import Payload, counted
from analytics_api.domain.outcome import (
    Dead,
    Delivered,
    Outcome,
    Paused,
    Refused,
    Resend,
    Retry,
    Throttled,
    TooLarge,
    Unknown,
)
from analytics_api.outbound.http import Answer, common_outcome

THROTTLED_SECONDS = 15.0
"""For /batch; the HTTP V2 API asks for 30."""
QUOTA_SECONDS = 3600.0
"""The daily quota is a rolling 24 hours, so an hourly try finds its end in good time."""

_INVALID_MAPS = {
    "events_with_invalid_fields": "invalid field",
    "events_with_missing_fields": "missing field",
    "events_with_invalid_id_lengths": "invalid id length of",
}
_OUR_SETUP = ("Invalid API key", "Invalid request path")
_THROTTLES = (
    "throttled_users",
    "throttled_devices",
    "exceeded_daily_quota_users",
    "exceeded_daily_quota_devices",
)


def read_answer(answer: Answer, payloads: Sequence[Payload]) -> list[Outcome]:
    """An outcome for each payload of the request."""
    found = common_outcome(answer)
    if found is not None:
        return [found] * len(payloads)
    body = answer.json_object()
    if answer.status == 413:
        return [TooLarge(answer.words())] * len(payloads)
    if body is None:
        return [_not_amplitude(answer)] * len(payloads)
    if answer.status == 429:
        return _read_429(answer, body, payloads)
    if answer.status == 400:
        return _read_400(answer, body, payloads)
    if body.get("code") == 200:
        return counted([Delivered()] * len(payloads), body.get("events_ingested"))
    return [_not_amplitude(answer)] * len(payloads)


def _not_amplitude(answer: Answer) -> Outcome:
    """A proxy's page, another server, half an answer: it may have been taken behind it."""
    return Unknown(f"not an answer of Amplitude: {answer.words()}", answer.retry_after())


def _read_400(answer: Answer, body: dict[str, Any], payloads: Sequence[Payload]) -> list[Outcome]:
    error = str(body.get("error", ""))
    if error.startswith(_OUR_SETUP) or body.get("missing_field") == "api_key":
        return [Paused(error or answer.words())] * len(payloads)
    dead = _invalid(body, len(payloads), error)
    dead.update(_silenced(body, payloads, error or "silenced"))
    throttled = _throttled(body, payloads)
    if not dead and not throttled:
        return [Refused(error or answer.words())] * len(payloads)
    return [
        Dead(dead[index]) if index in dead else throttled.get(index, Resend())
        for index in range(len(payloads))
    ]


def _read_429(answer: Answer, body: dict[str, Any], payloads: Sequence[Payload]) -> list[Outcome]:
    throttled = _throttled(body, payloads)
    if not throttled:
        return [Retry(answer.words(), answer.retry_after())] * len(payloads)
    return [throttled.get(index, Resend()) for index in range(len(payloads))]


def _invalid(body: dict[str, Any], count: int, error: str) -> dict[int, str]:
    """Index: Amplitude's words, from its three maps {field: [index]}."""
    found: dict[int, str] = {}
    for name, meaning in _INVALID_MAPS.items():
        fields = body.get(name)
        for field, indexes in fields.items() if isinstance(fields, dict) else ():
            for index in _indexes(indexes, count):
                found.setdefault(index, f"{error or 'refused'}: {meaning} {field}")
    return found


def _silenced(body: dict[str, Any], payloads: Sequence[Payload], error: str) -> dict[int, str]:
    """Events that Amplitude drops for good: the listed indexes, or where there are none, those of the listed devices."""
    indexes = _indexes(body.get("silenced_events"), len(payloads))
    if not indexes:
        named = _names(body, ("silenced_devices",))
        indexes = [index for index, payload in enumerate(payloads) if named & {*payload.person}]
    return dict.fromkeys(indexes, f"{error} (silenced)")


def _throttled(body: dict[str, Any], payloads: Sequence[Payload]) -> dict[int, Outcome]:
    """Whom to hold: every payload of a listed user or device, and every listed index."""
    words = str(body.get("error") or "too many events of one user or device")
    named = _names(body, _THROTTLES)
    over_quota = _names(body, _THROTTLES[2:])
    listed = set(_indexes(body.get("throttled_events"), len(payloads)))
    found: dict[int, Outcome] = {}
    for index, payload in enumerate(payloads):
        if index in listed or named & {*payload.person}:
            seconds = QUOTA_SECONDS if over_quota & {*payload.person} else THROTTLED_SECONDS
            found[index] = Throttled(seconds, words)
    return found


def _names(body: dict[str, Any], fields: Iterable[str]) -> set[str]:
    """Ids in maps {id: count} or lists [id]."""
    found: set[str] = set()
    for field in fields:
        value = body.get(field)
        if isinstance(value, dict | list):
            found.update(str(name) for name in value)
    return found


def _indexes(value: Any, count: int) -> list[int]:
    """The usable indexes of a list; an index outside the request says nothing."""
    if not isinstance(value, list):
        return []
    return [index for index in value if isinstance(index, int) and 0 <= index < count]

"""What Mixpanel's answers mean for each record of a request. Pure functions.

Source: Mixpanel's documentation of "Import Events" (strict=1) and of the profile endpoint "/engage".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from analytics_api.deliver.providers.port import Payload, counted
from analytics_api.domain.outcome import Dead, Delivered, Outcome, Refused, Retry, TooLarge, Unknown
from analytics_api.outbound.http import Answer, common_outcome

_LIMIT = re.compile(r"limit of (\d+) bytes")


def read_answer(answer: Answer, payloads: Sequence[Payload]) -> list[Outcome]:
    """An outcome for each record of the request."""
    count = len(payloads)
    found = common_outcome(answer)
    if found is not None:
        return [found] * count
    if answer.status == 429:
        return [Retry(answer.words(), answer.retry_after())] * count
    if answer.status == 413:
        limit = _LIMIT.search(answer.words())
        return [TooLarge(answer.words(), int(limit[1]) if limit else None)] * count
    body = answer.json_object()
    if body is None or "status" not in body:
        if answer.status == 400 and body is not None and "error" in body:
            return [Refused(str(body["error"]))] * count
        return [Unknown(f"not an answer of Mixpanel: {answer.words()}", answer.retry_after())] * count
    failed = _failed(body, payloads)
    number = body.get("num_records_imported")
    if failed:
        # The others of this request are stored: nothing is sent again.
        return counted(
            [Dead(failed[index]) if index in failed else Delivered() for index in range(count)], number
        )
    if answer.status != 400 and body["status"] in ("OK", 1):
        # A smaller number is no reason to send again: that would never end where repetitions are not counted.
        return counted([Delivered()] * count, number)
    return [Refused(str(body.get("error") or answer.words()))] * count


def _failed(body: dict[str, Any], payloads: Sequence[Payload]) -> dict[int, str]:
    """Index: Mixpanel's words. The record is named by index, or by its insert id in one of two spellings."""
    records = body.get("failed_records")
    found: dict[int, str] = {}
    for record in records if isinstance(records, list) else ():
        if not isinstance(record, dict):
            continue
        index = record.get("index")
        if not isinstance(index, int) or not 0 <= index < len(payloads):
            index = _index_of(record.get("insert_id") or record.get("$insert_id"), payloads)
        if index is not None:
            message = record.get("message") or body.get("error") or "refused"
            found[index] = f"{record['field']}: {message}" if record.get("field") else str(message)
    return found


def _index_of(insert_id: object, payloads: Sequence[Payload]) -> int | None:
    if not isinstance(insert_id, str):
        return None
    for index, payload in enumerate(payloads):
        if json.loads(payload.body).get("properties", {}).get("$insert_id") == insert_id:
            return index
    return None

"""Mixpanel, as strict as its documentation."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from typing import Any

from tests.support.providers.server import JSON, Received, Reply, StandIn, depth, strict_json


class MixpanelStandIn(StandIn):
    """`POST /import?strict=1` and `/engage`. A record whose properties hold `"bad": true` is refused."""

    NOBODY = frozenset(
        [
            "00000000-0000-0000-0000-000000000000",
            "anon",
            "anonymous",
            "nil",
            "none",
            "null",
            "n/a",
            "na",
            "undefined",
            "unknown",
            "<nil>",
            "0",
            "-1",
            "true",
            "false",
            "[]",
            "{}",
        ]
    )

    def __init__(self, token: str = "mixpanel-token", project_id: str | None = None) -> None:
        super().__init__()
        self.token = token
        self.project_id = project_id
        self.insert_id_spelling = "insert_id"
        self.with_index = True
        self.stored: list[JSON] = []
        self.repeated: Counter[str] = Counter()
        self.profiles: dict[str, JSON] = {}
        self.updates: list[JSON] = []
        self._keys: set[tuple[str, int, str, str]] = set()

    def too_large(self) -> Reply:
        words = f"request exceeds max limit of {self.largest} bytes"
        return Reply(413, {"code": 413, "error": words, "status": "Request Entity Too Large"})

    def handle(self, request: Received) -> Reply:
        if request.path == "/import":
            return self._import(request)
        if request.path == "/engage":
            return self._engage(request)
        return Reply(404, {"error": "not found", "status": "error"})

    def _import(self, request: Received) -> Reply:
        expected = base64.b64encode(f"{self.token}:".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}" or (
            self.project_id is not None and request.query.get("project_id") != self.project_id
        ):
            return Reply(401, {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"})
        if request.query.get("strict") != "1":
            return Reply(400, {"code": 400, "error": "this stand-in wants strict=1", "status": "Bad Request"})
        if len(request.body) > 2_097_152:
            return Reply(413, {"code": 413, "error": "request exceeds max limit of 2097152 bytes"})
        try:
            records = strict_json(request.body)
        except ValueError:
            return Reply(400, {"code": 400, "error": "request data malformed", "status": "Bad Request"})
        if not isinstance(records, list) or len(records) > 2000:
            return self.too_large()
        failed, before = [], self.repeated.total()
        for index, record in enumerate(records):
            problem = self._problem(record)
            if problem is None:
                self._store(record)
                continue
            entry: JSON = {
                self.insert_id_spelling: record.get("properties", {}).get("$insert_id"),
                "field": problem[0],
                "message": problem[1],
            }
            failed.append({"index": index, **entry} if self.with_index else entry)
        imported = len(records) - len(failed)
        if not self.counts_repeats:
            imported -= self.repeated.total() - before
        if failed:
            return Reply(
                400,
                {
                    "code": 400,
                    "error": "some data points in the request failed validation",
                    "failed_records": failed,
                    "num_records_imported": imported,
                    "status": "Bad Request",
                },
                acknowledges=imported,
            )
        return Reply(
            200, {"code": 200, "num_records_imported": imported, "status": "OK"}, acknowledges=imported
        )

    def _problem(self, record: JSON) -> tuple[str, str] | None:
        properties = record.get("properties", {})
        insert_id = properties.get("$insert_id", "")
        distinct_id = properties.get("distinct_id")
        if not isinstance(record.get("event"), str) or not record["event"]:
            return "event", "event name is required"
        if type(properties.get("time")) is not int or not properties["time"] >= 31_536_000_000:
            return "properties.time", "time is invalid"
        if properties["time"] > time.time() * 1000:
            return "properties.time", "time is in the future"
        if not isinstance(distinct_id, str) or distinct_id in self.NOBODY or len(distinct_id) > 255:
            return "properties.distinct_id", "'properties.distinct_id' is invalid"
        if not re.fullmatch("[A-Za-z0-9-]{1,36}", insert_id) or insert_id in self.NOBODY:
            return "properties.$insert_id", "'properties.$insert_id' is invalid"
        if len(properties) >= 255:
            return "properties", "too many properties"
        if any(depth(value) > 3 for value in properties.values()):
            return "properties", "nested too deeply"
        if any(
            _widest(value) >= 255 or _size(value) > 8192
            for value in properties.values()
            if isinstance(value, dict | list)
        ):
            return "properties", "a list or an object is too large"
        if _size(record) >= 1_000_000:
            return "event", "the event is too large"
        if "ip" not in properties or properties.get("$ignore") is not None or "bucket" in properties:
            return "properties", "this stand-in wants ip and no reserved names"
        if properties.get("bad") is True:
            return "properties.bad", "bad is bad"
        return None

    def _store(self, record: JSON) -> None:
        properties = record["properties"]
        key = (record["event"], properties["time"], properties["distinct_id"], properties["$insert_id"])
        if key in self._keys:
            self.repeated[properties["$insert_id"]] += 1
        else:
            self._keys.add(key)
            self.stored.append(record)

    def _engage(self, request: Received) -> Reply:
        updates = strict_json(request.body)
        if len(updates) > 2000:
            return self.too_large()
        failed = []
        for index, update in enumerate(updates):
            if update.get("$token") != self.token or not update.get("$distinct_id"):
                failed.append({"index": index, "message": "missing $token or $distinct_id"})
            else:
                self._apply(update)
        if failed:
            return Reply(
                400,
                {
                    "code": 400,
                    "error": "some data points in the request failed validation",
                    "failed_records": failed,
                    "num_records_imported": len(updates) - len(failed),
                    "status": "Bad Request",
                },
                acknowledges=len(updates) - len(failed),
            )
        return Reply(200, {"status": 1, "error": None}, acknowledges=len(updates))

    def _apply(self, update: JSON) -> None:
        self.updates.append(update)
        profile = self.profiles.setdefault(update["$distinct_id"], {})
        for name, value in update.get("$set_once", {}).items():
            profile.setdefault(name, value)
        profile.update(update.get("$set", {}))
        for name, value in update.get("$add", {}).items():
            held = profile.get(name, 0)
            if isinstance(held, int | float):
                profile[name] = held + value
        for name, value in update.get("$append", {}).items():
            held = profile.get(name, [])
            profile[name] = [*(held if isinstance(held, list) else [held]), value]
        for name in update.get("$unset", []):
            profile.pop(name, None)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _widest(value: Any) -> int:
    """Elements of the largest list or object inside."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return max(len(value), *map(_widest, inner), 0)

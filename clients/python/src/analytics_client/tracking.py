"""What a program says: the calls that both clients and the test double have."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from analytics_client.events import Timestamp, new_event_id, text_of
from analytics_client.machine import machine_id
from analytics_client.version import __version__

Properties = Mapping[str, Any]
_LIBRARY = {"name": "analytics-api-client", "version": __version__}


class Tracking:
    """The calls. None of them raises, waits for the network or changes what it is given.

    `app` names a program that runs on the machines of its users: events that name nobody are then of the machine's
    anonymous id, and in a session that is the run of the program. Leave it out in a server.
    """

    def __init__(self, app: str | None) -> None:
        self._context: dict[str, Any] = {"library": _LIBRARY}
        self._request_start: str | None = None
        self._machine: str | None = None
        self._session: str | None = None
        if app is not None:
            self._machine = machine_id(app)
            self._session = new_event_id()
            self._context["app"] = {"name": app}
            self._context["os"] = {"name": _system()}

    def _take(self, event: dict[str, Any]) -> bool:
        """Take an event; whether it was taken."""
        raise NotImplementedError

    def _take_request(self, line: bytes) -> None:
        """Take the JSON of an event that a middleware has made."""
        raise NotImplementedError

    def _track_request(self, method: str, route: str, status: int, milliseconds: float) -> None:
        """`track("api_request", ...)` for a middleware, in a fraction of the time: nothing in it has to be looked at."""
        start = self._request_start
        if start is None:
            context = json.dumps(self._context)
            start = self._request_start = f'{{"event_type":"api_request","context":{context},"event_id":"'
        self._take_request(
            f'{start}{new_event_id()}","timestamp":{time.time_ns() // 1_000_000},"event_data":{{"method":"{method}",'
            f'"route":{_as_json(route)},"status":{status},"duration_ms":{milliseconds}}}}}'.encode()
        )

    def track(
        self,
        event_type: str,
        event_data: Properties | None = None,
        *,
        user_id: str | int | None = None,
        anonymous_id: str | int | None = None,
        session_id: str | int | None = None,
        user_properties: Properties | None = None,
        timestamp: Timestamp | None = None,
        revenue: int | float | str | Decimal | None = None,
        currency: str | None = None,
        context: Properties | None = None,
        event_id: str | None = None,
    ) -> str | None:
        """Something happened. Returns the event's id; None when it was not taken (opted out, or it cannot be an event).

        `timestamp`: when, a datetime, ISO 8601 or milliseconds since 1970; now, when it is left out. `event_id` makes a
        repetition recognisable: the same id is counted once. `revenue` in units of `currency` (ISO 4217), not in cents.
        """
        identity = event_id or new_event_id()
        event: dict[str, Any] = {
            "event_type": event_type,
            "event_id": identity,
            "timestamp": time.time_ns() // 1_000_000 if timestamp is None else timestamp,
            "context": self._context if context is None else {**self._context, **_dict(context)},
        }
        if event_data:
            event["event_data"] = event_data
        if user_id is not None:
            event["user_id"] = text_of(user_id)
        elif anonymous_id is None:
            anonymous_id = self._machine
        if anonymous_id is not None:
            event["anonymous_id"] = text_of(anonymous_id)
        session_id = self._session if session_id is None else session_id
        if session_id is not None:
            event["session_id"] = text_of(session_id)
        if user_properties:
            event["user_properties"] = user_properties
        if revenue is not None:
            event["revenue"] = str(revenue) if isinstance(revenue, Decimal) else revenue
        if currency is not None:
            event["currency"] = currency
        return identity if self._take(event) else None

    def identify(
        self,
        user_id: str | int,
        user_properties: Properties | None = None,
        *,
        anonymous_id: str | int | None = None,
    ) -> str | None:
        """Sets properties of a known person; with `anonymous_id` (a program's own machine, if it has `app`) joins that device."""
        device = self._machine if anonymous_id is None else anonymous_id
        return self.track("$identify", user_id=user_id, anonymous_id=device, user_properties=user_properties)

    def alias(self, alias: str | int, user_id: str | int) -> str | None:
        """From now on, and for the past, `alias` (a device or a user) is the known person `user_id`."""
        return self.track("$alias", {"alias": str(alias)}, user_id=user_id)

    def page(
        self,
        path: str,
        *,
        title: str | None = None,
        url: str | None = None,
        referrer: str | None = None,
        properties: Properties | None = None,
        user_id: str | int | None = None,
        anonymous_id: str | int | None = None,
        session_id: str | int | None = None,
        context: Properties | None = None,
    ) -> str | None:
        """A page was viewed: the event `page_view`. From `url` and `referrer` the server finds source and campaign."""
        page = {"path": path, "title": title, "url": url, "referrer": referrer}
        known = {field: value for field, value in page.items() if value is not None}
        return self.track(
            "page_view",
            {**{field: value for field, value in known.items() if field != "url"}, **_dict(properties)},
            user_id=user_id,
            anonymous_id=anonymous_id,
            session_id=session_id,
            context={"page": known, **_dict(context)},
        )

    def track_download(
        self,
        track_name: str,
        audio_format: str | None = None,
        versions: str | Sequence[str] | None = None,
        success: bool = True,
        *,
        properties: Properties | None = None,
        user_id: str | int | None = None,
    ) -> str | None:
        """A file was downloaded, or could not be: the event `download` with system and Python version."""
        version = versions if isinstance(versions, (str, type(None))) else ", ".join(map(str, versions))
        data = {
            "track_name": track_name,
            "format": audio_format,
            "version": version,
            "platform": _system(),
            "python_version": platform.python_version(),
            "success": success,
            **_dict(properties),
        }
        return self.track("download", data, user_id=user_id)

    def track_session_completion(
        self,
        success: bool = True,
        *,
        properties: Properties | None = None,
        user_id: str | int | None = None,
        session_id: str | int | None = None,
    ) -> str | None:
        """A run of the program has come to its end: the event `session_completed`."""
        data = {"success": success, **_dict(properties)}
        return self.track("session_completed", data, user_id=user_id, session_id=session_id)

    def track_share(
        self,
        session_id: str | int | None,
        user_id: str | int | None,
        share_type: str,
        share_data: Properties | None = None,
        recipient_count: int = 1,
    ) -> str | None:
        """Something was shared: the event `share` with the channel (`whatsapp`, `email`, `qr`, `link`) and how many got it."""
        data = {"channel": share_type, "recipient_count": recipient_count, **_dict(share_data)}
        return self.track("share", data, user_id=user_id, session_id=session_id)

    def track_action(
        self,
        session_id: str | int | None,
        user_id: str | int | None,
        action: str,
        action_data: Properties | None = None,
    ) -> str | None:
        """A user did something: an event named after it."""
        return self.track(action, action_data, user_id=user_id, session_id=session_id)


@lru_cache(maxsize=1000)
def _as_json(text: str) -> str:
    return json.dumps(text)


def _dict(properties: Properties | None) -> dict[str, Any]:
    """A copy; of what is no mapping, an entry that says so, because these calls raise nothing."""
    if properties is None:
        return {}
    return dict(properties) if isinstance(properties, Mapping) else {"value": properties}


def _system() -> str:
    return {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, platform.system() or sys.platform)

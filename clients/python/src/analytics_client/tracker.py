"""The tracker: events of generations, payments and the rest by their names, in the caller's database transaction if it gives one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any, Generic, TypeVar, Union

from analytics_client.events import InvalidEvent, encode
from analytics_client.requests import Tracker
from analytics_client.tracking import Tracking

logger = logging.getLogger("analytics_client")

Returned = TypeVar("Returned")
Id = Union[str, int]
Amount = Union[int, float, str, Decimal]

INSERT = """
INSERT INTO event_outbox (project_id, event, created_at)
SELECT id, CAST(:event AS jsonb), now() FROM projects WHERE slug = :project
"""


class _Shared(Generic[Returned]):
    """The calls of both trackers; they differ in how they wait."""

    def __init__(
        self,
        analytics_service: Tracker,
        session: Any = None,
        *,
        project: str = "default",
        keep_pii: bool = False,
    ) -> None:
        """`analytics_service`: a client; events go through it when there is no session.

        session: a SQLAlchemy session on the analytics server's database. Events are then written to `event_outbox` in its
            transaction: they exist if and only if the transaction commits, and are sent by the server.
        project, keep_pii: for events of the outbox, which no client filters.
        """
        self._client = analytics_service
        self._session = session
        self._project = project
        self._writer = _Line(keep_pii)

    def _send(
        self, event_type: str, data: dict[str, Any], user_id: Id | None, more: dict[str, Any]
    ) -> Returned:
        raise NotImplementedError

    def track(
        self,
        event_type: str,
        event_data: dict[str, Any] | None = None,
        *,
        user_id: Id | None = None,
        **more: Any,
    ) -> Returned:
        """Any event; `more` as in the client's `track`. Returns its id, or None when it was not taken."""
        return self._send(event_type, event_data or {}, user_id, more)

    def track_generation(self, user_id: Id, generation_type: str, status: str, **data: Any) -> Returned:
        """`status`: started, completed, failed or cancelled."""
        return self._send(f"generation_{status}", {"generation_type": generation_type, **data}, user_id, {})

    def track_payment(self, user_id: Id, amount: Amount, currency: str, status: str, **data: Any) -> Returned:
        """`status`: initiated, completed, failed, refunded or chargeback. With `payment_id` a repetition counts once."""
        money = {"amount": _number(amount), "currency": currency}
        return self._send(f"payment_{status}", {**money, **data}, user_id, {})

    def track_subscription(self, user_id: Id, status: str, **data: Any) -> Returned:
        """`status`: created, renewed, cancelled, upgraded or downgraded; `data` with `subscription_id`, `amount`, `interval`."""
        return self._send(f"subscription_{status}", _numbers(data), user_id, {})

    def track_referral(self, user_id: Id, status: str, **data: Any) -> Returned:
        """`status`: sent, accepted, milestone_reached or earnings_withdrawn."""
        return self._send(f"referral_{status}", _numbers(data), user_id, {})

    def track_engagement(
        self, user_id: Id, feature_name: str, action: str | None = None, **data: Any
    ) -> Returned:
        """A feature was used."""
        known = {"feature_name": feature_name, **({} if action is None else {"action": action})}
        return self._send("feature_used", {**known, **data}, user_id, {})

    def track_session(
        self, user_id: Id, session_id: Id, duration_seconds: float | None = None, **data: Any
    ) -> Returned:
        """A session began, or, with `duration_seconds`, was so long."""
        if duration_seconds is None:
            return self._send("session_created", data, user_id, {"session_id": session_id})
        length = {"duration_seconds": duration_seconds, **data}
        return self._send("session_duration", length, user_id, {"session_id": session_id})

    def _statement(
        self, event_type: str, data: dict[str, Any], user_id: Id | None, more: dict[str, Any]
    ) -> Any:
        """The event's id, and the insert with its parameters. Raises InvalidEvent."""
        from sqlalchemy import text  # There when a session is.

        self._writer.line = b""
        made = self._writer.track(event_type, data, user_id=user_id, **more)
        return made, text(INSERT), {"project": self._project, "event": self._writer.line.decode()}


class AnalyticsTracker(_Shared[Awaitable[Union[str, None]]]):
    """For async code, with an AsyncSession or none: `await tracker.track_generation(...)`."""

    async def _send(
        self, event_type: str, data: dict[str, Any], user_id: Id | None, more: dict[str, Any]
    ) -> str | None:
        if self._session is None:
            return _tracked(self._client, event_type, data, user_id, more)
        try:
            made, statement, parameters = self._statement(event_type, data, user_id, more)
            async with (
                self._session.begin_nested()
            ):  # What goes wrong must not spoil the caller's transaction.
                _check(await self._session.execute(statement, parameters), self._project)
        except Exception as error:
            _say(event_type, error)
            return None
        return str(made)


class SyncAnalyticsTracker(_Shared[Union[str, None]]):
    """For code without asyncio, with a Session or none."""

    def _send(
        self, event_type: str, data: dict[str, Any], user_id: Id | None, more: dict[str, Any]
    ) -> str | None:
        if self._session is None:
            return _tracked(self._client, event_type, data, user_id, more)
        try:
            made, statement, parameters = self._statement(event_type, data, user_id, more)
            with self._session.begin_nested():
                _check(self._session.execute(statement, parameters), self._project)
        except Exception as error:
            _say(event_type, error)
            return None
        return str(made)


class _Line(Tracking):
    """Makes the JSON of an event and sends nothing."""

    def __init__(self, keep_pii: bool) -> None:
        super().__init__(None)
        self._keep_pii = keep_pii
        self.line = b""

    def _take(self, event: dict[str, Any]) -> bool:
        self.line = encode(event, keep_pii=self._keep_pii)
        return True


def _tracked(
    client: Tracker, event_type: str, data: dict[str, Any], user_id: Id | None, more: dict[str, Any]
) -> str | None:
    try:
        made: str | None = client.track(event_type, data, user_id=user_id, **more)
    except Exception as error:
        _say(event_type, error)
        return None
    return made


def _check(result: Any, project: str) -> None:
    if result.rowcount != 1:
        raise InvalidEvent(f"there is no project {project!r}: name one of the server's")


def _say(event_type: str, error: Exception) -> None:
    text = str(error) if isinstance(error, InvalidEvent) else f"{type(error).__name__}: {error}"
    logger.error("the event %s was not tracked: %s", event_type, text)


def _number(amount: Amount) -> int | float:
    """Money as JSON has it."""
    return amount if isinstance(amount, (int, float)) else float(amount)


def _numbers(data: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in data.items()}

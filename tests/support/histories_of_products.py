"""Events of the seed products at random, and what reports must say of them, counted in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, NewEvent
from analytics_api.domain.project import Project
from tests.support.events import make_event

START = datetime(2026, 3, 13, 12, tzinfo=UTC)
PAUSE = timedelta(minutes=30)

_DATA = {
    "page_view": st.fixed_dictionaries({}, optional={"path": st.sampled_from(["/", "/a", "/b"])}),
    "photo_processed": st.fixed_dictionaries({}, optional={"processed_count": st.sampled_from([0, 3, 2.5, "4", "x"])}),
    "photo_downloaded": st.fixed_dictionaries({}, optional={"count": st.sampled_from([1, 5, None])}),
    "link_created": st.just({}),
    "search_performed": st.fixed_dictionaries(
        {}, optional={"matches_found": st.sampled_from([0, 7]), "success": st.booleans()}
    ),
    "share": st.fixed_dictionaries(
        {}, optional={"channel": st.sampled_from(["whatsapp", "email", "qr", "fax"]), "recipient_count": st.integers(0, 9)}
    ),
    "api_request": st.just({}),
}  # fmt: skip
_KINDS = ["page_view", "page_view", "page_view", *list(_DATA)[1:]]


def _happening(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "kind": st.just(kind),
            "data": _DATA[kind],
            "person": st.sampled_from(["a", "b", "c", None]),
            "minutes": st.integers(0, 7 * 1440) | st.integers(7 * 1440 - 120, 7 * 1440),
            "is_bot": st.sampled_from([False, False, False, True]),
            "context": st.sampled_from(
                [
                    {},
                    {"country": "DE", "source": {"channel": "search", "site": "Google"}},
                    {"country": "FR", "page": {"path": "/c"}},
                ]
            ),
        }
    )


HAPPENINGS = st.lists(st.sampled_from(_KINDS).flatmap(_happening), max_size=30)


def made(project: Project, happenings: Sequence[dict[str, Any]]) -> list[NewEvent]:
    """The events, in the order of the log."""
    return [
        make_event(
            project,
            item["kind"],
            user_id=item["person"],
            occurred_at=START + timedelta(minutes=item["minutes"]),
            event_data=item["data"],
            context=item["context"],
            is_bot=item["is_bot"],
            event_id=f"{project.slug}-{number}",
        )
        for number, item in enumerate(happenings)
    ]


class Recount:
    """What a window holds: happenings from `begins` on and before `ends`."""

    def __init__(
        self, happenings: Sequence[dict[str, Any]], begins: datetime, ends: datetime, *, bots: bool
    ) -> None:
        self.begins, self.ends = begins, ends
        self.all = [{**item, "at": START + timedelta(minutes=item["minutes"])} for item in happenings]
        self.all = [item for item in self.all if bots or not item["is_bot"]]
        self.inside = [item for item in self.all if begins <= item["at"] < ends]

    def of(self, kind: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[dict[str, Any]]:
        """Events of a type in the window."""
        return [item for item in self.inside if item["kind"] == kind and holds(item["data"])]

    def active(self, since: datetime | None = None) -> set[str]:
        """Persons with an active event in the window, or since a time inside it."""
        return {
            item["person"]
            for item in self.inside
            if item["person"] is not None
            and item["kind"] not in INACTIVE_EVENT_TYPES
            and item["at"] >= (since or self.begins)
        }

    def new(self, since: datetime) -> set[str]:
        """Active persons without any event before a time."""
        known = {item["person"] for item in self.all if item["at"] < since}
        return self.active() - known

    def stays(self) -> list[tuple[str | None, timedelta]]:
        """(path, time on it) of views that are followed by another of the same person within 30 minutes."""
        found = []
        for person in ("a", "b", "c"):
            views = [item for item in self.of("page_view") if item["person"] == person]
            for view, after in pairwise(sorted(views, key=lambda item: item["at"])):
                if after["at"] - view["at"] < PAUSE:
                    found.append((path_of(view), after["at"] - view["at"]))
        return found


def path_of(item: dict[str, Any]) -> str | None:
    """The path of a page view."""
    found: str | None = item["data"].get("path") or item["context"].get("page", {}).get("path")
    return found


def number_in(value: Any) -> float:
    """What a property adds to a sum."""
    try:
        return 0.0 if value is None or isinstance(value, bool) else float(value)
    except ValueError:
        return 0.0

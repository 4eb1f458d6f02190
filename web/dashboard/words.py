"""Writes api/words.json: the names of the API that the dashboard shows in the chosen language. `make web-types` runs it.

`names` are shown as words (`signup_completed`: Signup completed), `texts` as they are. All come from closed sets; what
projects name themselves is nobody's to translate.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from analytics_api.access import login_limits, logins, member_routes, second_factors, shares
from analytics_api.alert.channels.registry import CHANNELS
from analytics_api.alert.kinds import KINDS
from analytics_api.control import Config
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.alert import AlertState
from analytics_api.domain.erasure import DeletionState
from analytics_api.domain.event import EventType
from analytics_api.domain.goals import Status
from analytics_api.domain.metrics import METRICS, State
from analytics_api.domain.outcome import DeadKind, SkipReason
from analytics_api.domain.personal_data import Mode, Rule
from analytics_api.domain.plan import PlanMode, WarningKind
from analytics_api.domain.privacy import REFUSED, Refusal
from analytics_api.domain.project import Role
from analytics_api.ingest.enrichment.agents import DEVICES
from analytics_api.ingest.enrichment.channels import CHANNELS as SOURCES
from analytics_api.store.erasure import OF_PERSON

OUT = Path(__file__).parent / "api" / "words.json"
_SETS = (AlertState, DeadKind, DeliveryState, Mode, PlanMode, Refusal, Rule, SkipReason, Status, WarningKind)
GATES = (
    login_limits.TOO_MANY, logins.WRONG, member_routes.GONE, second_factors.WRONG_CODE,
    shares.GONE, shares.TOO_MANY, shares.WRONG_PASSWORD,
)  # fmt: skip
"""What is said to somebody who does not get in."""
KEY_STATES = ("active", "expired", "revoked")
ACTIONS = (
    "analysis_completed", "analysis_failed", "daw_selected", "download", "experiment_viewed", "feedback_downloaded",
    "file_uploaded", "genre_detected", "link_created", "photo_processed", "photos_downloaded", "rating_given",
    "search_performed", "share",
)  # fmt: skip
"""Event types that the pages Actions and Experiments count."""
REPLAY_STATES = ("running", "paused", "done", "failed", "cancelled")


def _choices(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (each.value for each in annotation)
    elif typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for each in typing.get_args(annotation):
            yield from _choices(each)


def text() -> str:
    """The file's content."""
    fields = [field for kind in KINDS.values() for field in kind.parameters.model_fields.items()]
    names = {
        *(each for each in EventType if not each.startswith("$")),
        *(metric.name for metric in METRICS),
        *(each.value for members in _SETS for each in members),
        *(name for name, _ in fields),
        *(choice for _, field in fields for choice in _choices(field.annotation)),
        *(name for kind in CHANNELS.values() for name in (*kind.plain, *kind.secret)),
        *(*CHANNELS, *SOURCES, *DEVICES, *Config.model_fields, *ACTIONS, *REPLAY_STATES, REFUSED),
        *("events", "person_links", *OF_PERSON),
    }
    texts = {
        *(each.value for members in (DeletionState, Role, State) for each in members),
        *(kind.description for kind in KINDS.values()),
        *(field.description for _, field in fields if field.description),
        *GATES,
        *KEY_STATES,
    }
    return json.dumps({"names": sorted(map(str, names)), "texts": sorted(texts)}, indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(text())

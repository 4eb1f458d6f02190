"""Analyses name what the project has never had, wherever it stands in the question."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import event_on, record

KNOWN = {"event": "login"}


@pytest.mark.parametrize(
    ("analysis", "question", "unknown"),
    [
        ("funnel", {"steps": [KNOWN, {"event": "Login"}]}, ["Login"]),
        ("funnel", {"steps": [{"any_of": [{"event": "b"}, KNOWN, {"event": "a"}]}, {"event": "a"}]}, ["a", "b"]),
        ("funnel", {"steps": [KNOWN, KNOWN], "exclusions": [{"event": "logout"}]}, ["logout"]),
        ("retention", {"birth": {"event": "singup"}, "returning": {"event": "lgin"}}, ["lgin", "singup"]),
        ("lifecycle", {"activity": {"event": "used"}}, ["used"]),
        ("journeys", {"anchor": {"event": "seen"}, "nodes": [{"event": "node"}, KNOWN]}, ["node", "seen"]),
        ("trends", {"series": [{"event": "moo"}, {}], "people": {"did": [{"event": "elsewhere"}]}}, ["elsewhere", "moo"]),
        ("experiment", {"exposure": {"event": "saw"}, "metrics": [{"event": "buy"}]}, ["buy", "saw"]),
        ("trends", {"series": [KNOWN, {"event": "bots"}, {"event": "nobody"}]}, []),
        ("trends", {"series": [{}]}, []),
    ],
)  # fmt: skip
async def test_it_is_named(
    api: Api,
    database: Database,
    project: Project,
    analysis: str,
    question: dict[str, Any],
    unknown: list[str],
) -> None:
    elsewhere = await make_project(database, "elsewhere")
    await record(
        database,
        [
            event_on(project, "2026-01-01", "ada", "login"),
            event_on(project, "2026-01-01", None, "nobody"),
            event_on(project, "2026-01-01", "ada", "bots", is_bot=True),
            make_event(elsewhere, "elsewhere"),
        ],
    )
    answer = await api.post("/analysis/" + analysis, question)
    assert answer["unknown_events"] == unknown

"""`analytics-api metrics` and `goals`: definitions from files, mistakes named, goals listed."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pytest

from analytics_api.cli import main
from analytics_api.domain.goals import Direction, Goal, GoalPeriod
from analytics_api.store.goals import add_goal
from tests.support.events import NOW, make_project, open_database


class Run(Protocol):
    """Runs a command in a folder of its own and gives its output, or with an exit code that of its errors."""

    def __call__(self, *arguments: str, code: int = 0) -> str: ...


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS__DATABASE_URL", database_url)

    def command(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["analytics-api", *arguments])
        ended = 0
        try:
            main()
        except SystemExit as error:
            ended = int(error.code or 0)
        output, errors = capsys.readouterr()
        assert ended == code, errors
        return output if code == 0 else errors

    return command


def test_a_definition_is_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "uploads.json"
    definition = {"name": "uploads", "measure": {"of": "events", "events": ["upload"]}}
    file.write_text(json.dumps(definition))
    assert run("metrics", "define", "uploads.json") == "uploads (version 1): Events upload.\n"
    assert run("metrics", "define", "uploads.json") == "uploads (version 1): Events upload.\n"
    file.write_text(json.dumps({**definition, "measure": {"of": "persons", "events": ["upload"]}}))
    assert "uploads (version 2): Distinct persons with upload." in run("metrics", "define", "uploads.json")
    assert run("metrics", "list", "--own") == "uploads\tany\tcount\tDistinct persons with upload.\n"
    assert run("metrics", "list").startswith("dau\tdaily\tcount\t")
    assert "is removed" in run("metrics", "remove", "uploads")
    assert "no metric uploads" in run("metrics", "remove", "uploads", code=2)
    file.write_text(json.dumps({**definition, "measure": {"of": "moo"}}))
    assert "measure.of: use one of" in run("metrics", "define", "uploads.json", code=2)
    file.write_text("[]")
    assert "is no definition" in run("metrics", "define", "uploads.json", code=2)
    assert "cannot be read" in run("metrics", "define", "nowhere.json", code=2)


def test_goals_are_listed(run: Run, database_url: str) -> None:
    assert run("goals", "list") == "Project default has no goals.\n"

    async def prepare() -> None:
        async with open_database(database_url) as database:
            project = await make_project(database)
            days = date(2026, 3, 2), date(2026, 3, 8)
            views = Goal("Views", "page_views", Direction.AT_LEAST, Decimal(5), GoalPeriod.UNTIL, *days)
            gone = Goal("Gone", "gone", Direction.AT_MOST, Decimal("0.5"), GoalPeriod.WEEK, days[0])
            async with database.write() as connection:
                for goal in (views, gone):
                    await add_goal(connection, project.id, goal, NOW)

    asyncio.run(prepare())
    assert run("goals", "list").splitlines() == [
        "1\tmissed\t0 of at least 5\t2026-03-02 to 2026-03-08\tprojected 0\tViews",
        "2\tproblem\tat most 0.5\tmetric: there is no metric gone any more.\tGone",
    ]

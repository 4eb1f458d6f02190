"""`analytics-api plan`: what is exported can be imported, and a mistake is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Protocol

import pytest

from analytics_api.cli import main


class Run(Protocol):
    """Runs a command in a folder of its own and gives its output, or with an exit code that of its errors."""

    def __call__(self, *arguments: str, code: int = 0) -> str: ...


PLAN = {
    "mode": "reject",
    "unknown_types": "allow",
    "event_types": {
        "purchase": {
            "description": "Somebody pays.",
            "schema": {"required": ["price"], "properties": {"price": {}}},
        }
    },
}


@pytest.fixture
def plan(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS__DATABASE_URL", database_url)

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["analytics-api", "plan", *arguments])
        ended = 0
        try:
            main()
        except SystemExit as error:
            ended = int(error.code or 0)
        output, errors = capsys.readouterr()
        assert ended == code, errors
        return output if code == 0 else errors

    return run


def test_a_plan_goes_out_as_it_came_in(plan: Run, tmp_path: Path) -> None:
    assert "nothing is checked" in plan("show")
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    assert "1 event types in mode reject" in plan("import", "plan.json")
    exported = plan("export")
    assert json.loads(exported) == PLAN
    (tmp_path / "again.json").write_text(exported)
    plan("import", "again.json")
    assert plan("export") == exported
    assert "purchase\tprice\tSomebody pays." in plan("show")
    plan("import", "--catalogue")
    assert "feature_used" in json.loads(plan("export"))["event_types"]
    assert "purchase" not in json.loads(plan("export"))["event_types"]


def test_mistakes_are_named_and_change_nothing(plan: Run, tmp_path: Path) -> None:
    wrong = {
        "missing.json": (None, "cannot be read"),
        "text.json": ("{", "is not JSON"),
        "mode.json": (json.dumps({**PLAN, "mode": "warn"}), "mode: Input should be"),
        "types.json": (json.dumps({"mode": "reject"}), "event_types is missing"),
        "schema.json": (
            json.dumps({**PLAN, "event_types": {"a": {"schema": {"type": "x"}}}}),
            "event_types.'a': schema.type",
        ),
    }
    for name, (content, words) in wrong.items():
        if content is not None:
            (tmp_path / name).write_text(content)
        assert words in plan("import", name, code=2), name
    assert "not both" in plan("import", code=2)
    assert "nothing is checked" in plan("show")

"""`analytics-api codegen`: what it writes compiles, runs, and lets mypy and tsc find a wrong property."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from analytics_client.testing import RecordingClient
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytics_api.cli import app
from analytics_api.errors import ConfigurationError
from analytics_api.ingest.plan.codegen import Language, generate

ROOT = Path(__file__).parents[1]
TSC = ROOT / "web" / "node_modules" / "typescript" / "bin" / "tsc"
PLAN = {
    "mode": "observe",
    "unknown_types": "allow",
    "event_types": {
        "photo_processed": {
            "description": 'Photos were\n"processed" */ """.',
            "schema": {
                "required": ["count", "class"],
                "properties": {
                    "count": {"type": "integer"},
                    "class": {"enum": ["portrait", "landscape", None]},
                    "tags-of photo": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
                    "size": {"type": ["number", "null"]},
                    "more": {"type": "object", "additionalProperties": {"type": "string"}},
                    "any": {},
                },
                "$defs": {"tag": {"anyOf": [{"type": "string"}, {"type": "boolean"}]}},
            },
        },
        "class": {"schema": {}},
    },
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN))
    return file


def written(plan: Path, language: str, name: str) -> Path:
    """The module that the command makes."""
    output = plan.parent / name
    done = CliRunner().invoke(app, ["codegen", language, "--plan", str(plan), "--output", str(output)])
    assert done.exit_code == 0, done.output
    return output


def test_python_runs(plan: Path) -> None:
    module: dict[str, Any] = {}
    exec(compile(written(plan, "python", "events.py").read_text(), "events.py", "exec"), module)
    client = RecordingClient()
    typed = module["TypedAnalytics"](client)
    assert typed.photo_processed({"count": 1, "class": "portrait"}, user_id=7)
    assert typed.class_({})
    assert client.assert_tracked("photo_processed", {"count": 1})["user_id"] == "7"


GOOD = """
from analytics_client import AnalyticsClient
from events import TypedAnalytics

typed = TypedAnalytics(AnalyticsClient())
typed.photo_processed({"count": 1, "class": None, "tags-of photo": ["a", True], "size": 2.5}, user_id=1)
"""


GIVEN = {
    '{"count": 1, "class": None}': None,
    '{"count": "1", "class": None}': '"count"',
    '{"count": 1}': 'Missing key "class"',
    '{"count": 1, "class": "square"}': '"class"',
    '{"count": 1, "class": None, "cuont": 2}': 'Extra key "cuont"',
}


def test_mypy_finds_wrong_properties(plan: Path) -> None:
    written(plan, "python", "events.py")
    calls = "".join(f"typed.photo_processed({given})\n" for given in GIVEN)
    (plan.parent / "program.py").write_text(f"{GOOD}{calls}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "program.py"],
        cwd=plan.parent,
        env={**os.environ, "MYPYPATH": str(ROOT / "clients" / "python" / "src")},
        capture_output=True,
        text=True,
    )
    errors = dict(re.findall(r"^program\.py:(\d+): error: (.*)$", done.stdout, re.MULTILINE))
    first = GOOD.count("\n") + 1
    expected = {str(first + at): words for at, words in enumerate(GIVEN.values()) if words is not None}
    assert errors.keys() == expected.keys(), done.stdout
    assert all(words in errors[line] for line, words in expected.items()), done.stdout
    assert done.stdout.count("error:") == len(errors), done.stdout


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ('{ count: 1, class: "portrait", "tags-of photo": ["a", true] }', False),
        ("{ count: 1, class: null, cuont: 2 }", True),
        ("{ count: 1 }", True),
    ],
)
@pytest.mark.skipif(not TSC.exists(), reason="web/node_modules is not there: make web-check")
def test_tsc_finds_a_wrong_property(plan: Path, wrong: str, found: bool) -> None:
    node = Path(sys.executable).with_name("node")
    written(plan, "typescript", "events.ts")
    program = plan.parent / "program.ts"
    program.write_text(
        'import type { Events } from "./events";\n'
        "declare function track<Name extends keyof Events>(name: Name, data: Events[Name]): void;\n"
        f'track("photo_processed", {wrong});\n'
    )
    done = subprocess.run(
        [node, TSC, "--noEmit", "--strict", program], capture_output=True, text=True, cwd=plan.parent
    )
    assert (done.returncode != 0) is found, done.stdout
    assert not found or "program.ts(3" in done.stdout


_names = st.text(min_size=1, max_size=20)
_schemas = st.dictionaries(
    _names,
    st.sampled_from([{}, True, {"type": "string"}, {"enum": ["a", 1]}, {"$ref": "#/nowhere"}]),
    max_size=5,
)


@given(st.dictionaries(_names, st.tuples(_names, _schemas), max_size=5))
def test_any_names_make_a_module(types: dict[str, tuple[str, dict[str, Any]]]) -> None:
    events = {
        name: (words, {"properties": properties, "required": list(properties)[:2]})
        for name, (words, properties) in types.items()
    }
    module = ast.parse(generate(Language.PYTHON, "shop", events), feature_version=(3, 9))
    classes = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
    assert len(classes) == len(set(classes)) == len(events) + 2
    assert generate(Language.TYPESCRIPT, "shop", events).count("export interface") == len(events) + 1


def test_a_project_without_a_plan(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS__DATABASE_URL", database_url)
    run = CliRunner().invoke
    assert run(app, ["projects", "create", "default"]).exit_code in (0, 1, 2)
    done = run(app, ["codegen", "python"])
    assert isinstance(done.exception, ConfigurationError)
    assert "has no event types in its tracking plan" in done.exception.detail
    assert run(app, ["plan", "import", "--catalogue"]).exit_code == 0
    printed = run(app, ["codegen", "typescript"]).output
    assert '  "generation_started": GenerationStarted;' in printed

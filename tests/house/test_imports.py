"""The rooms keep their distance (DESIGN: who may import whom, who may write)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "analytics_api"
WRITING_ROOMS = ("store", "migrations")
WRITING_SQL = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO|COPY\s+\w+|(CREATE|ALTER|DROP)\s+TABLE)\b",
    re.IGNORECASE,
)
WRITING_NAMES = {"insert", "update", "delete"}


def test_import_contracts() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def modules_that_may_not_write() -> list[Path]:
    """All but the store, the migrations, and ops.py, which runs pg_restore."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in {*WRITING_ROOMS, "ops.py"}
    ]


def writing_statements(tree: ast.Module) -> Iterator[str]:
    """SQL in strings (docstrings aside), and SQLAlchemy's insert, update and delete."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            found = WRITING_SQL.search(node.value)
            if found and found[0].split()[0].isupper():
                yield f"line {node.lineno}: {found[0]}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            for alias in node.names:
                if alias.name in WRITING_NAMES:
                    yield f"line {node.lineno}: sqlalchemy's {alias.name}"


@pytest.mark.parametrize(
    "path", modules_that_may_not_write(), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_store_writes_rows(path: Path) -> None:
    assert list(writing_statements(ast.parse(path.read_text()))) == []


def test_a_writing_statement_is_recognised() -> None:
    source = (
        'from sqlalchemy import insert\nSQL = f"UPDATE readers SET position = {1}"\n"""INSERT INTO events"""'
    )
    assert len(list(writing_statements(ast.parse(source)))) == 3


@pytest.mark.parametrize("path", sorted((PACKAGE / "query").rglob("*.py")), ids=lambda path: path.name)
def test_query_opens_read_only_connections(path: Path) -> None:
    """`Database.read` is a read-only transaction, so PostgreSQL itself refuses a write."""
    opened = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    }
    assert opened.isdisjoint({"write", "connect", "pool"})


@pytest.mark.parametrize(
    "name", ["rollup_recount", "recount", "who", "filtering", "funnel_oracle", "retention_oracle"]
)
def test_oracles_use_nothing_that_they_judge(name: str) -> None:
    """A recount shares words of the domain with the product, and neither SQL nor counting."""
    tree = ast.parse((ROOT / "tests" / "support" / f"{name}.py").read_text())
    assert not any(
        isinstance(node, ast.Import) and "analytics" in node.names[0].name for node in ast.walk(tree)
    )
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module.startswith(("analytics_api", "tests"))}
    assert all(module.startswith("analytics_api.domain.") for module in ours), ours

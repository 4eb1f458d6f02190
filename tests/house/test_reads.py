"""Routes that read do so in a snapshot that is cut off in time, and write nothing."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "analytics_api"
UNBOUNDED = {"acquire", "write", "connect"}


def is_get(function: ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "get"
        for decorator in function.decorator_list
    )


def test_reading_routes_are_bounded() -> None:
    functions = [
        (path.name, function)
        for path in SOURCE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.AsyncFunctionDef) and is_get(function)
    ]
    assert len(functions) >= 25
    found = [
        f"{file}: {function.name} calls database.{call.func.attr}()"
        for file, function in functions
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in UNBOUNDED
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "database"
    ]
    assert found == []

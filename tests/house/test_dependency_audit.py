"""What the dependency audit says and when it fails."""

from __future__ import annotations

from typing import Any

from tools.dependency_audit import judge

FINE = {"name": "httpx", "version": "0.28.1", "vulns": []}
BROKEN: dict[str, Any] = {
    "name": "example",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}],
}
SKIPPED = {"name": "other", "skip_reason": "Dependency not found on PyPI"}


def test_a_vulnerable_dependency_fails_and_is_named_with_the_cure() -> None:
    code, words = judge({"dependencies": [FINE, BROKEN]})
    assert (code, "example 1.0: PYSEC-2026-1, mended in 1.1" in words) == (1, True)


def test_dependencies_without_known_vulnerabilities_pass() -> None:
    assert judge({"dependencies": [FINE]}) == (0, "Dependency audit: 1 looked up, 0 vulnerabilities.")


def test_a_database_that_is_away_is_said_loudly_and_breaks_nothing() -> None:
    assert judge(None)[0] == 0
    assert judge(None)[1].startswith("!!! DEPENDENCIES WERE NOT AUDITED")
    code, words = judge({"dependencies": [SKIPPED, FINE]})
    assert (code, "!!! 1 DEPENDENCIES WERE NOT AUDITED, such as other" in words) == (0, True)
    assert judge({"dependencies": [SKIPPED, BROKEN]})[0] == 1

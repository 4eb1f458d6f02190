"""Looks pinned dependencies up in PyPI's database of known vulnerabilities, with pip-audit in an environment of its own.

Exit code 1 when one is vulnerable. A database that cannot be reached is said loudly and is no failure: it says nothing about the
dependencies, and the next run asks again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

TOOL = Path(__file__).parents[1] / "requirements" / "audit.txt"
SECONDS = 600


def look_up(requirements: Path, folder: Path) -> dict[str, Any] | None:
    """pip-audit's report; None when there is none."""
    report = folder / "report.json"
    programs = folder / "environment" / "bin"
    venv.create(programs.parent, with_pip=True)
    install = [
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "install",
        "--require-hashes",
        "-r",
        str(TOOL),
    ]
    ask = [
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--timeout",
        "15",
        "--format",
        "json",
    ]
    try:
        subprocess.run([programs / "python", *install], check=True, timeout=SECONDS)
        # Its exit code is 1 for vulnerabilities and for a database that is away alike.
        subprocess.run(
            [programs / "pip-audit", *ask, "--output", report, "-r", requirements],
            check=False,
            timeout=SECONDS,
        )
        found: dict[str, Any] = json.loads(report.read_text())
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        print(f"dependency audit: {error}", file=sys.stderr)  # noqa: T201
        return None
    return found


def judge(report: dict[str, Any] | None) -> tuple[int, str]:
    """The exit code and the words for a report."""
    if report is None:
        return 0, "!!! DEPENDENCIES WERE NOT AUDITED: the database of vulnerabilities cannot be reached."
    entries = report["dependencies"]
    skipped = [f"{one['name']} ({one['skip_reason']})" for one in entries if "skip_reason" in one]
    found = [
        f"{one['name']} {one['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version yet'}"
        for one in entries
        for bug in one.get("vulns", [])
    ]
    lines = [f"Dependency audit: {len(entries) - len(skipped)} looked up, {len(found)} vulnerabilities."]
    if skipped:
        lines.append(f"!!! {len(skipped)} DEPENDENCIES WERE NOT AUDITED, such as {skipped[0]}.")
    return (1 if found else 0), "\n".join([*lines, *found])


def main(requirements: str) -> int:
    """Look up and tell."""
    with tempfile.TemporaryDirectory() as folder:
        code, words = judge(look_up(Path(requirements).resolve(), Path(folder)))
    print(words, file=sys.stderr if "!!!" in words or code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

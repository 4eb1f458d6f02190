"""Requirements are pinned with hashes, the README tells the truth, nothing points to somebody's machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
TEXT = re.compile(
    r"\.(py|md|toml|txt|ini|yml|yaml|json|html|js|ts|vue|css|sh|mako|example)$|^[^.]+$|^\.[^.]+$"
)
# Written in pieces, so that this file does not match itself.
TRACES = re.compile(
    "|".join(
        [
            r"/(?:home|Users)/[a-z]\w*/",
            r"/(?:ro" + "ot|wo" + "rk|fa" + r"rm|opt/py" + r"pi|opt/wh" + r"eels)\b/",
            r"pip\.conf",
            r"\bfile" + r":///",
            r"--(?:extra-)?index" + r"-url",
            r"--find" + r"-links",
        ]
    )
)


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_traces_of_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked_files()
        if TEXT.search(path.name)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (match := TRACES.search(line))
    ]
    assert found == []


def test_no_generated_or_secret_file_is_tracked() -> None:
    names = {str(path.relative_to(ROOT)) for path in tracked_files()}
    assert not {
        name for name in names if re.search(r"(^|/)(__pycache__|\.venv|\.data|node_modules)/|\.pyc$", name)
    }
    assert names.isdisjoint({".env", ".env.analytics"})


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_and_hashed(path: Path) -> None:
    joined = path.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"^[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+ ", line), line
        assert "--hash=sha256:" in line, line


def test_requirement_files_agree_with_each_other() -> None:
    pins: dict[str, set[str]] = {}
    for path in REQUIREMENTS:
        for name, version in re.findall(
            r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", path.read_text(), re.MULTILINE
        ):
            pins.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_commands_in_the_documentation_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("CONTRIBUTING.md")]
    for document in documents:
        named = set(
            re.findall(r"^(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)", document.read_text(), re.MULTILINE)
        )
        assert {first or second for first, second in named} <= targets, document.name


def test_links_between_documents_lead_somewhere() -> None:
    for document in [path for path in tracked_files() if path.suffix == ".md"]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)}: {target}"


def test_make_help_lists_every_target_with_its_purpose() -> None:
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(re.findall(r"^  make (\S+)", shown, re.MULTILINE)) == set(phony[1].split())


def test_the_ci_script_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)

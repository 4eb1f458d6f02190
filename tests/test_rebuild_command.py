"""`analytics-api rebuild` as people run it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from analytics_api.cli import main


def test_a_project_is_rebuilt_and_told_what_was_different(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS__DATABASE_URL", database_url)

    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["analytics-api", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return said.out, said.err

    lines = [
        {"event_type": "page_view", "user_id": f"u{n % 3}", "timestamp": f"2026-03-0{1 + n % 5}T12:00:00Z"}
        for n in range(20)
    ]
    (tmp_path / "history.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    run("import", "history.jsonl", "--format", "jsonl")

    told, progress = run("rebuild", "--from", "2026-03-02", "--to", "2026-03-04")
    assert "3 days from 2026-03-02 to 2026-03-04 and 3 persons were counted again" in told
    assert "0 days and 0 links between ids were different, 0 final figures changed" in told
    assert "rebuild: persons, 0 of 3" in progress

    for arguments, words in (
        (("--from", "2026-03-04", "--to", "2026-03-02"), "swap them"),
        (("--to", "2025-01-01"), "nothing to rebuild"),
        (("--project", "none"), "There is no project 'none'"),
    ):
        assert words in run("rebuild", *arguments, code=2)[1]

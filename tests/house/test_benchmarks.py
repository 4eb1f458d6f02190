"""The benchmarks run to their end and count what they sent. Their figures are for people: no limit is checked here."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        (
            "benchmarks",
            "--rounds",
            "1",
            "--batches",
            "2",
            "--requests",
            "50",
            "--rows",
            "2000",
            "--deliveries",
            "300",
        ),
        ("benchmarks.long", "--minutes", "0.05", "--millions", "0"),
        ("benchmarks.analysis", "--events", "5000", "--persons", "500", "--rounds", "1"),
    ],
)
def test_benchmarks_run(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ratio" in done.stdout

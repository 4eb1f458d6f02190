"""Cells that a spreadsheet would run are only shown."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.csv_cells import csv_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+cmd|' /C calc'!A0",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1",
        "\ufeff=1",
        '=HYPERLINK("http://evil.example")',
    ],
)
def test_formulas_are_made_text(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "a=1", "1-1", 5, -5, -5.5, None, True])
def test_all_else_stays(value: object) -> None:
    assert csv_cell(value) is value


@given(st.text())
def test_no_cell_begins_like_a_formula_and_none_is_lost(text: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([csv_cell(text), "end"])
    cell, end = next(csv.reader(io.StringIO(buffer.getvalue(), newline="")))
    assert end == "end"
    assert cell.removeprefix("'") == text.removeprefix("'") or "\x00" in text
    assert not cell.strip(" \u00a0\ufeff\x00").startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))

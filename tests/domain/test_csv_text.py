"""Cells of CSV: read back as they were, and never a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.csv_text import FORMULA, cell, csv_line

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.sampled_from(
    ["=1", "+1", "-1", "@a", "\tx", "\rx"]
)


@given(st.lists(TEXTS, min_size=1))
def test_a_reader_gets_the_texts_back(texts: list[str]) -> None:
    [row] = csv.reader(io.StringIO(csv_line([*texts]), newline=""))
    assert [
        text.removeprefix("'") if given.lstrip(" \u00a0\ufeff\x00").startswith(FORMULA) else text
        for text, given in zip(row, texts, strict=True)
    ] == texts
    assert not any(text.startswith(FORMULA) for text in row)


def test_values_that_are_no_text() -> None:
    assert [cell(value) for value in (None, True, False, -1, 2.5, "-1")] == [
        "",
        "true",
        "false",
        "-1",
        "2.5",
        "'-1",
    ]


@pytest.mark.parametrize(
    "text", ["=1+1", "-1+cmd|' /C calc'!A0", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "\uff1d1", "\u00a0@x"]
)
def test_formulas_are_made_text_however_they_are_hidden(text: str) -> None:
    assert cell(text) == f"'{text}"

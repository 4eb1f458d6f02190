"""Cells of CSV files that people open in a spreadsheet, which runs what looks like a formula."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also in full width, which some spreadsheets take for the same (OWASP, CSV Injection)."""


def csv_cell(value: object) -> object:
    """A value for `csv.writer`: text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay.

    Every CSV file that the product writes goes through it, headings included.
    """
    if isinstance(value, str) and value.lstrip(" \u00a0\ufeff\x00").startswith(_STARTS):
        return f"'{value}"
    return value

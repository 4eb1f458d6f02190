"""Values as cells of a CSV file (RFC 4180) that no spreadsheet takes for a formula."""

from __future__ import annotations

from decimal import Decimal

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A text that begins with one of these, blanks aside, could be run by the program that opens the file; some take full width, too
(OWASP, CSV Injection)."""
_BLANKS = " \u00a0\ufeff\x00"


def cell(value: object) -> str:
    """The text of a cell. A text that could be a formula gets an apostrophe before it; numbers stay as they are."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(_BLANKS).startswith(FORMULA) else text


def csv_line(values: list[object]) -> str:
    """One line with its end. A single empty cell is quoted: an empty line would be no row."""
    return (",".join(_quoted(cell(value)) for value in values) or '""') + "\r\n"


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text

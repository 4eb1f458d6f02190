"""What stands on a page of the dashboard, read as a person reads it, and held against an answer of the API."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page

from tests.support.dashboard import settle

_FIGURE = re.compile(r"([-−]?)\$?([\d,]+)(?:\.(\d+))?(K|M|%| ms| s| mo)?")
_SCALES = {"K": 1e3, "M": 1e6, "%": 0.01, " s": 1e3}
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_ROWS = "(table) => [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"


def shows(text: str, value: float | None) -> bool:
    """Whether a text is this figure, rounded to as many places as are written; times of requests are in milliseconds."""
    if value is None:
        return text in ("–", "")
    found = _FIGURE.fullmatch(text)
    if found is None:
        return False
    sign, whole, places, unit = found.groups(default="")
    step = _SCALES.get(unit, 1.0) * 10.0 ** -len(places)
    shown = int(whole.replace(",", "") + places) * step * (-1 if sign else 1)
    return abs(shown - value) <= step / 2 + 1e-9


def lasts(text: str, seconds: float | None) -> bool:
    """Whether a text such as `3m 34s` is that time; the last unit that is written may be rounded."""
    if seconds is None:
        return text == "–"
    parts = re.findall(r"(\d+)([dhms])\b", text)
    if not parts:
        return False
    shown = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    # A first unit without a second one has a zero for it.
    last = parts[-1][1]
    place = "dhms".index(last)
    step = _SECONDS["dhms"[min(3, place + (len(parts) == 1))]]
    return abs(shown - seconds) < step


def cells(table: Locator) -> list[list[str]]:
    """The texts of a table's body, row by row."""
    found: list[list[str]] = table.evaluate(_ROWS)
    return found


def values(page: Page, attribute: str) -> dict[str, float | None]:
    """The figures behind what is painted, by what they are of; None: there is none."""
    found: list[tuple[str, str | None]] = page.locator(f"[{attribute}]").evaluate_all(
        "(all, name) => all.map((each) => [each.getAttribute(name), each.getAttribute('data-value')])",
        attribute,
    )
    return {name: None if value is None else float(value) for name, value in found}


def answered(page: Page, path: str) -> Any:
    """Bring the page's figures anew: what the API answered it on that path, once it is painted."""
    with page.expect_response(lambda each: f"/api/v1/analytics{path}" in each.url) as heard:
        page.keyboard.press("r")
    answer = heard.value.json()
    settle(page)
    return answer

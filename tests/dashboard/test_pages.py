"""Every page in every mode: it loads without complaint, fits a phone, and is accessible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.dashboard import MODES, Dashboard, scroll_through, violations

LIST = Path(__file__).parents[2] / "web" / "dashboard" / "src" / "pages" / "index.ts"
PAGES = [path for path in re.findall(r"path: '([^']+)'", LIST.read_text()) if ":" not in path]
PAGES += [f"settings?tab={tab}" for tab in ("keys", "members", "privacy")]
MOST_SCRIPT = 70_000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_fits_and_complains_about_nothing(
    dashboard: Dashboard, path: str, mode: str
) -> None:
    with dashboard.open(path, **MODES[mode]) as looked:
        page = looked.page
        scroll_through(page)
        # The window itself grows with what does not fit on a phone.
        width = MODES[mode]["viewport"]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        assert looked.complaints == []


def test_the_first_load_is_small(dashboard: Dashboard) -> None:
    with dashboard.open("overview") as looked:
        sizes = looked.page.evaluate(
            "() => performance.getEntriesByType('resource').filter((each) => each.name.endsWith('.js'))"
            ".map((each) => [each.name.split('/').pop(), each.encodedBodySize])"
        )
    total = sum(size for _, size in sizes)
    print(f"\nfirst load: {total} bytes of JavaScript in {len(sizes)} files")
    assert 10_000 < total <= MOST_SCRIPT, sizes

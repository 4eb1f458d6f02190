"""The documented settings are the settings."""

from __future__ import annotations

import re
from pathlib import Path

from analytics_api.settings import ENV_FILE, PREFIX, Settings

EXAMPLE = Path(__file__).parents[2] / f"{ENV_FILE}.example"
LINE = re.compile(rf"^#?({PREFIX}\w+)=(.*)$", re.MULTILINE)


def test_every_setting_is_documented_once_and_nothing_else() -> None:
    documented = [name for name, _ in LINE.findall(EXAMPLE.read_text())]
    assert sorted(documented) == sorted(PREFIX + name.upper() for name in Settings.model_fields)


def test_the_documented_values_are_the_defaults(tmp_path: Path) -> None:
    everything_set = tmp_path / "env"
    everything_set.write_text(
        "\n".join(f"{name}={value}" for name, value in LINE.findall(EXAMPLE.read_text()))
    )
    documented = Settings(_env_file=everything_set).model_dump()
    assert documented == Settings(_env_file=None).model_dump()


def test_the_example_changes_nothing_as_it_stands() -> None:
    assert Settings(_env_file=EXAMPLE).model_fields_set == set()

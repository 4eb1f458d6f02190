"""Secrets at rest: sealed, bound to their place, opened by the same key only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from analytics_api.errors import ConfigurationError
from analytics_api.store.secret_box import SecretBox, key_in

VALUES = {"api_key": "hush-hush-hush", "other": "größer"}


def box(key: bytes = b"a key of sixteen characters") -> SecretBox:
    return SecretBox(lambda: key)


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = box().seal(VALUES, "here")
    assert box().open(sealed, "here") == VALUES
    assert b"hush" not in sealed
    assert box().seal(VALUES, "here") != sealed


def test_another_key_another_place_or_a_changed_byte_does_not_open() -> None:
    sealed = box().seal(VALUES, "here")
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for other, text, place in [
        (box(b"another key of mine"), sealed, "here"),
        (box(), sealed, "there"),
        (box(), broken, "here"),
        (box(), b"", "here"),
    ]:
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            other.open(text, place)


def test_the_key_is_not_asked_for_before_it_is_needed() -> None:
    def load() -> bytes:
        raise ConfigurationError("no key")

    without = SecretBox(load)
    with pytest.raises(ConfigurationError, match="no key"):
        without.seal(VALUES, "here")


def test_the_file_is_private_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = key_in(folder)
    assert key_in(folder) == key
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    assert len(key) == 64
    assert [path.name for path in folder.iterdir()] == ["secret.key"]


def test_many_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(key_in, [tmp_path] * 32))
    assert len(keys) == 1


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="set ANALYTICS__SECRET_KEY"):
        key_in(tmp_path / "file")

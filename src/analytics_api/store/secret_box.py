"""Encrypts what must be stored and never shown: AES-256-GCM under a key made from SECRET_KEY or from a file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from analytics_api.errors import ConfigurationError

KEY_FILE = "secret.key"
_NONCE = 12
"""Bytes, as GCM wants; chosen at random for each text (NIST SP 800-38D, 8.2.2)."""


class SecretBox:
    """Seals and opens secrets. The key is asked for when it is first needed, so that who stores none needs none."""

    def __init__(self, load_key: Callable[[], bytes]) -> None:
        """`load_key` returns any bytes that nobody can guess, or raises ConfigurationError."""
        self._load = load_key
        self._cipher: AESGCM | None = None

    def seal(self, values: Mapping[str, str], place: str) -> bytes:
        """Encrypt. `place` says what the secrets belong to: moved to another place they cannot be opened."""
        nonce = os.urandom(_NONCE)
        return nonce + self._opened().encrypt(nonce, json.dumps(dict(values)).encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> dict[str, str]:
        """Decrypt. Raises ConfigurationError when they were sealed with another key."""
        try:
            text = self._opened().decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                "the stored secrets cannot be read with this ANALYTICS__SECRET_KEY: set the former key, or the "
                "secrets once more."
            ) from None
        values: dict[str, str] = json.loads(text)
        return values

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that reports are signed with (RFC 8032), always the same of one SECRET_KEY. Raises ConfigurationError."""
        derive = HKDF(hashes.SHA256(), length=32, salt=None, info=b"analytics-api reports")
        return Ed25519PrivateKey.from_private_bytes(derive.derive(self._load()))

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            derive = HKDF(hashes.SHA256(), length=32, salt=None, info=b"analytics-api destinations")
            self._cipher = AESGCM(derive.derive(self._load()))
        return self._cipher


def key_in(folder: Path) -> bytes:
    """The key in a folder's file, made at the first call (mode 0600). Two processes at once agree on one."""
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be used ({error.strerror}): set ANALYTICS__SECRET_KEY instead."
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link appears with its content or not at all, and never replaces a key that another process has made.
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()

"""An anonymous id of this machine: a keyed hash of the id that its system made up at installation.

No name, address or hardware number goes into it. The key is the program's name, so two programs see different ids, and
nobody can get back to the system's id (systemd's machine-id(5) asks for exactly that).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import subprocess
import sys
from functools import cache
from pathlib import Path

_LINUX = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_MAC = re.compile(r'"IOPlatformUUID" = "([0-9A-Fa-f-]+)"')


def state_folder() -> Path:
    """Where programs of this user keep what they must remember, as each system has it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")


@cache
def machine_id(app: str) -> str:
    """32 hexadecimal digits: the same for a program on a machine at all times, another for each program."""
    source = _system_id() or _own_id()
    return hmac.new(f"analytics-api-client:{app}".encode(), source.encode(), hashlib.sha256).hexdigest()[:32]


def _system_id() -> str | None:
    try:
        if sys.platform == "win32":
            import winreg

            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE,
                r"SOFTWARE\Microsoft\Cryptography",
                0,
                winreg.KEY_READ | winreg.KEY_WOW64_64KEY,
            ) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        if sys.platform == "darwin":
            shown = subprocess.run(
                ["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"],
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            ).stdout
            found = _MAC.search(shown)
            return found[1] if found else None
        for path in _LINUX:
            if path.exists() and (text := path.read_text().strip()):
                return text
    except (OSError, subprocess.SubprocessError):
        pass
    return None


def _own_id() -> str:
    """A random id, kept in a file; without a place for a file, one for this process."""
    made = secrets.token_hex(16)
    try:
        path = state_folder() / "analytics-client" / "machine-id"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with path.open("x") as file:
                file.write(made)
        except FileExistsError:
            return path.read_text().strip() or made
    except (OSError, RuntimeError):
        pass
    return made

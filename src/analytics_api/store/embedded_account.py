"""The account PostgreSQL runs as. It refuses to run as root, so root starts it as an account without rights."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics_api.errors import EmbeddedServerError

SERVICE_ACCOUNT = "analytics-postgres"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """User and group id; `switch` says that they are not those of this process."""

    uid: int
    gid: int
    switch: bool

    def process_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.run` that start a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        """Hand a file or folder to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def server_account(pgdata: Path) -> Account:
    """The account for a data directory: its owner; for a new one this process's, or as root the service account.

    Raises EmbeddedServerError when the directory belongs to an account this process cannot become.
    """
    me = os.geteuid()
    owner = pgdata.stat().st_uid if pgdata.exists() else me
    if me != 0:
        if owner != me:
            raise EmbeddedServerError(
                f"{pgdata} belongs to {_name(owner)}: start Analytics API as that user or as root, "
                "or choose another directory with ANALYTICS__DATA_DIR."
            )
        return Account(me, os.getegid(), switch=False)
    if owner != 0:
        return Account(owner, pgdata.stat().st_gid, switch=True)
    entry = _service_account()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def open_to(account: Account, data_dir: Path, package: Path) -> None:
    """Let the account pass through the folders above the data and use the wheel's programs; nothing more.

    Folders above get the missing permission to pass (never to list); `package` and its libraries beside it get the
    missing permissions to read.
    """
    opened = [
        folder
        for folder in sorted({data_dir, *data_dir.parents, *package.parents})
        if folder.stat().st_uid != account.uid and _add(folder, stat.S_IXOTH)
    ]
    libraries = package.with_name(f"{package.name}.libs")
    for root in (package, libraries):
        for folder, _, files in os.walk(root):
            _add(Path(folder), stat.S_IROTH | stat.S_IXOTH)
            for name in files:
                path = Path(folder, name)
                executable = path.stat().st_mode & stat.S_IXUSR
                _add(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))
    if opened:
        log.info(
            "PostgreSQL runs as %s; to let it reach its files, others may now pass through (not list) %s.",
            _name(account.uid),
            ", ".join(map(str, opened)),
        )


def _add(path: Path, permissions: int) -> bool:
    """Add permissions; returns whether any were missing."""
    mode = path.stat().st_mode
    if mode & permissions == permissions:
        return False
    path.chmod(stat.S_IMODE(mode) | permissions)
    return True


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def _service_account() -> pwd.struct_passwd:
    """The service account, made on first use. useradd fails while another process runs it, hence the attempts."""
    for _ in range(20):
        try:
            return pwd.getpwnam(SERVICE_ACCOUNT)
        except KeyError:
            reason = _make_service_account()
        time.sleep(0.25)
    raise EmbeddedServerError(
        f"PostgreSQL refuses to run as root and the account {SERVICE_ACCOUNT} could not be made ({reason}): "
        "start Analytics API as another user, or make the account."
    )


def _make_service_account() -> str:
    """Returns why it failed, or an empty string."""
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        return "there is no useradd"
    result = subprocess.run(
        [
            *(program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
            *("--shell", "/usr/sbin/nologin", "--comment", "Analytics API database", SERVICE_ACCOUNT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == 0:
        log.info("Made the account %s: PostgreSQL refuses to run as root.", SERVICE_ACCOUNT)
    return result.stderr.strip()

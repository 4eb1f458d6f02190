"""A lock on an open file that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _FAR = 0x7FFF_0000
    """Locked bytes cannot be read by others on Windows, so one far behind the end is locked."""

    def try_lock(fd: int) -> bool:
        """Lock for this open file alone; False when another has it. Closing the file unlocks it."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Lock for this open file alone; False when another has it. Closing the file unlocks it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

"""A queue on disk: an event is in a file before the program goes on, so a killed process loses nothing.

A folder holds segments, files of one JSON event a line. Each process appends to a segment of its own and holds its lock;
whoever gets the lock of a segment may send and remove it. When a process ends, however it ends, the system frees its
lock, and another process, or the next run of the program, sends what it left. Whoever is killed between the server's
answer and the removal leaves events that are sent again, with the same ids.

The disk is not asked to flush: an event survives the death of the process, not that of the machine's power.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analytics_client.file_lock import try_lock
from analytics_client.queue import Batch, MemoryQueue
from analytics_client.stats import Counters

logger = logging.getLogger("analytics_client")

SUFFIX = ".events"
SEGMENT_BYTES = 262_144
"""A segment that has grown so large is left to the senders, and the next begun."""
_TRIES = 5
_BINARY = getattr(os, "O_BINARY", 0)


@dataclass
class _Segment:
    path: Path
    fd: int
    size: int = 0
    events: int = 0


@dataclass
class _Claim:
    """Somebody's segment that is read, and locked as long as `fd` is open."""

    path: Path
    fd: int
    lines: list[bytes]


@dataclass
class _Segments(Batch):
    """Segments that are being sent."""

    claims: list[_Claim] = field(default_factory=list)


class Spool:
    """A queue in a folder that several processes share. What the disk does not take is kept in memory."""

    def __init__(self, folder: Path, most_bytes: int, memory: MemoryQueue, counters: Counters) -> None:
        """Makes the folder. Raises OSError when that is not possible. `most_bytes`: of the whole folder."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} is not writable")
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max(1, most_bytes // 4))
        self._memory = memory
        self._counters = counters
        self._lock = threading.Lock()
        self._own: _Segment | None = None
        self._sealed = 0
        """Events in segments of this process that are full and not taken yet, about."""
        self._taken: _Segments | None = None

    def put(self, *lines: bytes) -> int:
        """Append to the segment of this process."""
        with self._lock:
            try:
                segment = self._own or self._open()
                _write(segment, lines)
            except OSError as error:
                self._seal()
                logger.debug("the spool does not take events: %s", error)
                return self._memory.put(*lines)
            waiting = self._sealed + segment.events
            if segment.size >= self._segment_bytes:
                self._seal()
                self._trim()
            return waiting

    def take(self, most: int) -> Batch | None:
        """What is in memory, else the oldest segments that nobody else holds. The last may make it more than `most`."""
        with self._lock:
            self._seal()
            self._sealed = 0
        in_memory = self._memory.take(most)
        if in_memory is not None:
            return in_memory
        taken = _Segments()
        for path in self._segments():
            claim = _claim(path)
            if claim is not None:
                taken.claims.append(claim)
                taken.lines += claim.lines
            if len(taken.lines) >= most:
                break
        if not taken.lines:
            self.settle(taken)
            return None
        self._taken = taken
        return taken

    def give_back(self, batch: Batch) -> None:
        """Leave the segments to the next who asks. What of them is settled is sent again, and known by its ids."""
        if isinstance(batch, _Segments):
            self._taken = None
            for claim in batch.claims:
                os.close(claim.fd)
        else:
            self._memory.give_back(batch)

    def settle(self, batch: Batch) -> None:
        """Remove the segments."""
        if isinstance(batch, _Segments):
            self._taken = None
            for claim in batch.claims:
                _remove(claim)

    def renew_after_fork(self) -> None:
        """Leave the parent's segments to the parent: closing them here does not free their locks there."""
        self._lock = threading.Lock()
        self._sealed = 0
        if self._own is not None:
            os.close(self._own.fd)
        for claim in self._taken.claims if self._taken is not None else ():
            os.close(claim.fd)
        self._own = self._taken = None
        self._memory.renew_after_fork()

    def clear(self) -> None:
        """Forget what this process has not sent, and what nobody else is sending."""
        self._memory.clear()
        with self._lock:
            self._seal()
        for path in self._segments():
            claim = _claim(path)
            if claim is not None:
                _remove(claim)

    def _open(self) -> _Segment:
        """A new segment, locked. One that another process took for an abandoned one in the moment before its lock is left."""
        for _ in range(_TRIES):
            path = self._folder / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(3)}{SUFFIX}"
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            if try_lock(fd) and _is_at(path, fd):
                self._own = _Segment(path, fd)
                return self._own
            _remove(_Claim(path, fd, []))
        raise OSError(f"files in {self._folder} cannot be locked")

    def _seal(self) -> None:
        """Let go of this process's segment. Should somebody have removed its file, what it holds goes into memory."""
        segment, self._own = self._own, None
        if segment is None:
            return
        self._sealed += segment.events
        if not segment.events:
            _remove(_Claim(segment.path, segment.fd, []))
            return
        if not _is_at(segment.path, segment.fd):
            self._memory.put(*_lines(segment.fd))
        os.close(segment.fd)

    def _segments(self) -> list[Path]:
        """Oldest first."""
        try:
            return sorted(path for path in self._folder.iterdir() if path.name.endswith(SUFFIX))
        except OSError:
            return []

    def _trim(self) -> None:
        """Remove the oldest segments that nobody holds until the folder is within its bound again."""
        sizes = [(path, _size(path)) for path in self._segments()]
        over = sum(size for _, size in sizes) - self._most_bytes
        for path, size in sizes:
            if over <= 0:
                return
            claim = _claim(path)
            if claim is not None:
                _remove(claim)
                self._counters.add("dropped", len(claim.lines))
                over -= size


def _write(segment: _Segment, lines: tuple[bytes, ...]) -> None:
    """All of it or nothing: half a line would spoil the next."""
    data = b"\n".join(lines) + b"\n"
    written = os.write(segment.fd, data)
    if written != len(data):
        os.ftruncate(segment.fd, segment.size)
        raise OSError("the disk is full")
    segment.size += written
    segment.events += len(lines)


def _claim(path: Path) -> _Claim | None:
    """Lock a segment and read it; None when somebody holds it, or it is gone."""
    try:
        fd = os.open(path, os.O_RDWR | _BINARY)
    except OSError:
        return None
    try:
        if try_lock(fd):
            return _Claim(path, fd, list(_lines(fd)))
    except OSError as error:
        logger.debug("%s cannot be read: %s", path, error)
    os.close(fd)
    return None


def _lines(fd: int) -> Iterator[bytes]:
    """The events of a file. A last line without its end was being written when its process was killed."""
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            if line:
                yield line


def _remove(claim: _Claim) -> None:
    # Emptied before its lock is free, so that nobody sends it again; closed first, as Windows removes no open file.
    with contextlib.suppress(OSError):
        os.ftruncate(claim.fd, 0)
    os.close(claim.fd)
    with contextlib.suppress(OSError):
        claim.path.unlink()


def _is_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

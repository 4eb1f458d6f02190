"""History from files into the log: resumable, idempotent, through the same steps as events over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import Unavailable
from analytics_api.ingest.draft import Reception, Rejected
from analytics_api.ingest.enrichment.visitors import Enricher, default_enricher
from analytics_api.ingest.formats import FORMATS, FieldMap, Line, open_file
from analytics_api.ingest.lane import Outcome
from analytics_api.ingest.pipeline import make_draft, run_steps
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.privacy.filter import DEFAULT_FILTER, Removal
from analytics_api.ingest.writer import Writer
from analytics_api.store.engine import Database
from analytics_api.store.imports import ImportState, begin_import, note_progress

BATCH = 10_000
"""Lines per transaction, as many as the writer takes at once."""

BATCH_BYTES = 16_777_216
"""Text of a batch, so that long lines do not fill the memory: two batches are held at a time."""

EXAMPLES = 10


@dataclass(slots=True)
class ImportReport:
    """What an import did, resumed parts included."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    finished_before: bool = False
    resumed_after: int = 0
    """How many lines an earlier, broken-off run had done."""
    seconds: float = 0.0
    """From the first line read to the last one committed, in this run."""
    examples: list[str] = field(default_factory=list)
    """The first few rejected lines with their reasons."""

    @property
    def left_out(self) -> int:
        """Lines whose event type the mapping leaves out."""
        return self.lines - self.accepted - self.duplicates - self.rejected


Progress = Callable[[int, int, ImportReport], None]
"""Called with bytes read, bytes in the file and the report so far."""


class Importer:
    """Reads one file into one project."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        project: Project,
        *,
        keep_pii: bool,
        enricher: Enricher | None = None,
        privacy: PrivacyDesk | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Without `privacy` the project's policy is not asked for and nothing of it counted."""
        self._database = database
        self._writer = writer
        self._project = project
        self._keep_pii = keep_pii
        self._enricher = enricher or default_enricher()
        self._privacy = privacy
        self._clock = clock

    async def run(
        self, path: Path, format_name: str, mapping: FieldMap, progress: Progress, *, again: bool = False
    ) -> ImportReport:
        """Import a file; go on where an earlier run of the same file and options stopped.

        `format_name` is a key of FORMATS. Raises ConfigurationError when the file cannot be read as one of that
        format, and Unavailable when the database goes away; what was read so far is kept, and a second run goes on.
        """
        content = await asyncio.to_thread(_digest, path)
        fingerprint = _fingerprint(content, format_name, mapping)
        state = await begin_import(
            self._database, self._project.id, fingerprint, path.name, self._clock(), again=again
        )
        report = ImportReport(
            state.lines, state.accepted, state.duplicates, state.rejected, state.finished, state.lines
        )
        if state.finished:
            return report
        loop = asyncio.get_running_loop()
        began = loop.time()
        read = FORMATS[format_name]
        with open_file(path) as (stored, plain), closing(read(plain, mapping)) as reader:
            total = os.fstat(stored.fileno()).st_size
            lines = islice(reader, state.lines, None)
            await self._copy(lines, state, report, lambda: progress(stored.tell(), total, report), content)
        await note_progress(self._database, state.moved(report.lines, report, self._clock()), finished=True)
        report.seconds = loop.time() - began
        return report

    async def _copy(
        self,
        lines: Iterator[Line],
        state: ImportState,
        report: ImportReport,
        progress: Callable[[], None],
        content: str,
    ) -> None:
        """Write batch after batch, while a thread prepares the next one.

        The thread has the processor whenever the database is being waited for; see decision 0007 for the figures.
        """
        ahead = asyncio.create_task(asyncio.to_thread(self._prepare, lines, content))
        try:
            while (batch := await ahead).lines:
                ahead = asyncio.create_task(asyncio.to_thread(self._prepare, lines, content))
                _count(batch, await self._write(batch, report), report)
                await note_progress(self._database, state.moved(report.lines, report, self._clock()))
                if self._privacy is not None:
                    self._privacy.note_removed(self._project, batch.removed)
                    await self._privacy.flush()
                progress()
        finally:
            # The file must not be closed while the thread reads it.
            await asyncio.gather(ahead, return_exceptions=True)

    async def _write(self, batch: _Batch, report: ImportReport) -> list[Outcome]:
        try:
            return await self._writer.write(batch.events)
        except Unavailable as error:
            raise Unavailable(
                f"The database went away after {report.lines} lines: run the same command again, it goes on there."
            ) from error

    def _prepare(self, lines: Iterator[Line], content: str) -> _Batch:
        """The next lines as events. An empty batch is the end."""
        reception = Reception(
            project=self._project,
            trusted=True,
            received_at=self._clock(),
            skew=timedelta(),
            reach=None,
            keep_pii=self._keep_pii,
            enricher=self._enricher,
            # A line without an id gets one from its place in this very file, so that a second run adds nothing.
            idempotency_key=content,
            pii=DEFAULT_FILTER if self._privacy is None else self._privacy.of(self._project.id).filter,
        )
        batch = _Batch()
        for line in islice(lines, BATCH):
            batch.add(line, reception)
            if batch.size >= BATCH_BYTES:
                break
        return batch


@dataclass(slots=True)
class _Batch:
    lines: int = 0
    events: list[NewEvent] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """Line number of each event."""
    removed: list[Removal] = field(default_factory=list)
    """Personal data of the events."""
    rejected: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0

    def add(self, line: Line, reception: Reception) -> None:
        """Take a line in as an event, as rejected, or only count it."""
        number, payload, size = line
        self.lines += 1
        self.size += size
        if payload is None:
            return
        try:
            if isinstance(payload, Rejected):
                raise payload
            if payload.timestamp is None:
                raise Rejected("there is no time: history cannot be dated now")
            draft = make_draft(payload, number, size)
            self.events.append(run_steps(draft, reception))
            self.numbers.append(number)
            self.removed += draft.removed
        except Rejected as error:
            self.rejected.append((number, str(error)))


def _count(batch: _Batch, outcomes: list[Outcome], report: ImportReport) -> None:
    report.lines += batch.lines
    rejected = list(batch.rejected)
    for number, outcome in zip(batch.numbers, outcomes, strict=True):
        if isinstance(outcome, str):
            rejected.append((number, outcome))
        elif outcome:
            report.accepted += 1
        else:
            report.duplicates += 1
    report.rejected += len(rejected)
    room = max(0, EXAMPLES - len(report.examples))
    report.examples.extend(f"line {number}: {reason}" for number, reason in sorted(rejected)[:room])


def _fingerprint(content: str, format_name: str, mapping: FieldMap) -> str:
    """Names one way to read one file: how far it came is remembered under this."""
    way = (content, format_name, sorted(mapping.columns.items()), sorted(mapping.event_types.items()))
    return hashlib.sha256(repr((*way, mapping.user_from_ip)).encode()).hexdigest()


def _digest(path: Path) -> str:
    """SHA-256 of what is in the file, gzip or not."""
    digest = hashlib.sha256()
    with open_file(path) as (_, plain):
        _feed(digest, plain)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, stream: IO[bytes]) -> None:
    while block := stream.read(1 << 20):
        digest.update(block)

"""History from files into the log: resumable, idempotent, through the same steps as events over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.ingest.draft import Reception, Rejected
from analytics_api.ingest.formats import FORMATS, FieldMap, Line, open_file
from analytics_api.ingest.pipeline import make_draft, run_steps
from analytics_api.ingest.writer import Outcome, Writer
from analytics_api.store.engine import Database
from analytics_api.store.imports import ImportState, begin_import, note_progress

BATCH = 5_000
EXAMPLES = 10


@dataclass(slots=True)
class ImportReport:
    """What an import did, resumed parts included."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    finished_before: bool = False
    examples: list[str] = field(default_factory=list)
    """The first few rejected lines with their reasons."""


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
        clock: Clock = system_clock,
    ) -> None:
        self._database = database
        self._writer = writer
        self._project = project
        self._keep_pii = keep_pii
        self._clock = clock

    async def run(
        self, path: Path, format_name: str, mapping: FieldMap, progress: Progress, *, again: bool = False
    ) -> ImportReport:
        """Import a file; go on where an earlier run of the same file and options stopped."""
        fingerprint = await asyncio.to_thread(_fingerprint, path, format_name, mapping)
        state = await begin_import(
            self._database, self._project.id, fingerprint, path.name, self._clock(), again=again
        )
        report = ImportReport(state.lines, state.accepted, state.duplicates, state.rejected, state.finished)
        if state.finished:
            return report
        stored, plain = open_file(path)
        total = os.fstat(stored.fileno()).st_size
        with stored, plain:
            lines = islice(FORMATS[format_name](plain, mapping), state.lines, None)
            await self._copy(
                lines, state, report, lambda: progress(stored.tell(), total, report), fingerprint
            )
        await note_progress(self._database, state.moved(report.lines, report, self._clock()), finished=True)
        return report

    async def _copy(
        self,
        lines: Iterator[Line],
        state: ImportState,
        report: ImportReport,
        progress: Callable[[], None],
        fingerprint: str,
    ) -> None:
        """Prepare a batch while the one before is being written."""
        before: tuple[_Batch, asyncio.Task[list[Outcome]]] | None = None
        while True:
            batch = self._prepare(list(islice(lines, BATCH)), fingerprint)
            if before is not None:
                _count(before[0], await before[1], report)
                await note_progress(self._database, state.moved(report.lines, report, self._clock()))
                progress()
            if not batch.lines:
                return
            before = batch, asyncio.create_task(self._writer.write(batch.events))
            # Let the writer hand the batch to the database before the next one takes the processor.
            await asyncio.sleep(0)

    def _prepare(self, lines: list[Line], fingerprint: str) -> _Batch:
        reception = Reception(
            project=self._project,
            trusted=True,
            received_at=self._clock(),
            skew=timedelta(),
            reach=None,
            keep_pii=self._keep_pii,
            # A line without an id gets one from its place in this very file, so that a second run adds nothing.
            idempotency_key=fingerprint,
        )
        batch = _Batch(len(lines))
        for number, payload, size in lines:
            try:
                if isinstance(payload, Rejected):
                    raise payload
                batch.events.append(run_steps(make_draft(payload, number, size), reception))
                batch.numbers.append(number)
            except Rejected as error:
                batch.rejected.append((number, str(error)))
        return batch


@dataclass(slots=True)
class _Batch:
    lines: int
    events: list[NewEvent] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """Line number of each event."""
    rejected: list[tuple[int, str]] = field(default_factory=list)


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
    report.examples.extend(f"line {number}: {reason}" for number, reason in rejected[:room])


def _fingerprint(path: Path, format_name: str, mapping: FieldMap) -> str:
    """SHA-256 of the file and of how it is read."""
    digest = hashlib.sha256(
        repr((format_name, sorted(mapping.columns.items()), sorted(mapping.event_types.items()))).encode()
    )
    stored, plain = open_file(path)
    with stored, plain:
        _feed(digest, stored)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, stream: IO[bytes]) -> None:
    while block := stream.read(1 << 20):
        digest.update(block)

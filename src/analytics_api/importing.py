"""`analytics-api import`: opens what an import needs, shows how far it is, and counts what came in."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.ingest.enrichment.countries import open_places
from analytics_api.ingest.enrichment.visitors import Enricher
from analytics_api.ingest.formats import FieldMap, guess_format
from analytics_api.ingest.importer import Importer, ImportReport
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.writer import Writer
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.leases import owner_name
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import ensure_project
from analytics_api.store.statistics import refresh_statistics

COLLECT_AFTER = 200_000
"""Objects; a batch of 10,000 lines makes about 100,000 that stay."""

LINE_EVERY = 2.0
"""Seconds between lines of progress where there is no terminal."""

PATIENCE_SECONDS, POLL_SECONDS = 300.0, 0.2
"""How long to wait for a server that counts what was imported."""


async def import_file(
    settings: Settings,
    database: Database,
    path: Path,
    *,
    project_slug: str,
    format_name: str | None,
    mapping: FieldMap,
    again: bool,
) -> ImportReport:
    """Import a file into a project, made if it is not there, and bring the figures up to date."""
    kind = format_name or guess_format(path)
    async with database.write() as connection:
        project = await ensure_project(
            connection,
            project_slug,
            time_zone=settings.time_zone,
            currency=settings.currency,
            now=system_clock(),
        )
    writer = Writer(
        database, Partitions(settings.partition_interval), queue_bytes=settings.intake_queue_bytes
    )
    writer.start()
    reader = RollupReader(database, owner_name())
    try:
        enricher = Enricher(open_places(settings.geoip_database))
        privacy = PrivacyDesk(database)
        await privacy.refresh()
        importer = Importer(
            database,
            writer,
            project,
            keep_pii=settings.enable_pii_tracking,
            enricher=enricher,
            privacy=privacy,
        )
        with _Shown(path.name) as show, _few_collections():
            report = await importer.run(path, kind, mapping, show, again=again)
        await count_imported(reader, project)
        async with database.acquire() as connection:
            await refresh_statistics(connection)
    finally:
        await writer.close()
        await reader.disconnect()
    return report


async def count_imported(reader: RollupReader, project: Project) -> None:
    """Count what was imported, or wait for the server that is at it.

    Statistics taken before it commits would say that the tables are empty, and what is counted next would be joined row by row:
    two minutes instead of one second for 70,000 payments.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        reports = await reader.run_once(wait=False)
        if not any(report.held_elsewhere and report.project == project.slug for report in reports):
            return
        await asyncio.sleep(POLL_SECONDS)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the cycle collector look once per batch or so: its walks over half-made batches took 10 % of an import."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Shown:
    """A bar on a terminal, a plain line every two seconds elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._next = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Callable[[int, int, ImportReport], None]:
        if sys.stderr.isatty():
            from rich.console import Console

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TextColumn("{task.fields[events]} events"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, events=0)
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _show(self, done: int, total: int, report: ImportReport) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, events=report.lines)
            return
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY
            share = 100 * done // max(total, 1)
            sys.stderr.write(f"{self._name}: {report.lines} lines, {share} % of the file\n")


def summary(report: ImportReport, seconds: float) -> str:
    """What an import did, for people. `seconds`: the whole command, the figures brought up to date included."""
    if report.finished_before:
        return (
            f"This file was imported before ({report.accepted} events); nothing was added. "
            "Use --again to read it once more."
        )
    read = report.lines - report.resumed_after
    counts = f"{report.accepted} events stored, {report.duplicates} duplicates, {report.rejected} rejected"
    if report.left_out:
        counts += f", {report.left_out} left out"
    lines = [
        f"{counts} in {report.seconds:.1f} s ({read / max(report.seconds, 0.001):.0f} lines/s); "
        f"{seconds:.1f} s with all figures up to date."
    ]
    if report.resumed_after:
        lines.append(f"  went on after {report.resumed_after} lines, where an earlier run had stopped")
    lines += [f"  {example}" for example in report.examples]
    if report.rejected > len(report.examples):
        lines.append(f"  ... and {report.rejected - len(report.examples)} more")
    return "\n".join(lines)

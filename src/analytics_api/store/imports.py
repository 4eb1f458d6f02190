"""How far the import of each file has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from analytics_api.store.engine import Database
from analytics_api.store.tables.log import imports


class Counts(Protocol):
    """What became of the lines so far."""

    accepted: int
    duplicates: int
    rejected: int


@dataclass(frozen=True, slots=True)
class ImportState:
    """One file in one project."""

    project_id: int
    fingerprint: str
    lines: int
    accepted: int
    duplicates: int
    rejected: int
    updated_at: datetime
    finished: bool

    def moved(self, lines: int, counts: Counts, now: datetime) -> ImportState:
        """The state after more lines."""
        return replace(
            self,
            lines=lines,
            accepted=counts.accepted,
            duplicates=counts.duplicates,
            rejected=counts.rejected,
            updated_at=now,
        )


async def begin_import(
    database: Database, project_id: int, fingerprint: str, name: str, now: datetime, *, again: bool
) -> ImportState:
    """Where to go on with a file. `again`: from its first line, whatever was done before."""
    zero = {"lines": 0, "accepted": 0, "duplicates": 0, "rejected": 0, "updated_at": now, "finished": False}
    async with database.write() as connection:
        await connection.execute(
            insert(imports)
            .values(project_id=project_id, fingerprint=fingerprint, name=name, started_at=now, **zero)
            .on_conflict_do_nothing()
        )
        mine = (imports.c.project_id == project_id) & (imports.c.fingerprint == fingerprint)
        if again:
            await connection.execute(update(imports).where(mine).values(**zero))
        row = (await connection.execute(select(imports).where(mine))).one()
    return ImportState(
        project_id,
        fingerprint,
        row.lines,
        row.accepted,
        row.duplicates,
        row.rejected,
        row.updated_at,
        row.finished,
    )


async def note_progress(database: Database, state: ImportState, *, finished: bool = False) -> None:
    """Remember how far a file has come."""
    async with database.write() as connection:
        await connection.execute(
            update(imports)
            .where(imports.c.project_id == state.project_id, imports.c.fingerprint == state.fingerprint)
            .values(
                lines=state.lines,
                accepted=state.accepted,
                duplicates=state.duplicates,
                rejected=state.rejected,
                updated_at=state.updated_at,
                finished=finished,
            )
        )
